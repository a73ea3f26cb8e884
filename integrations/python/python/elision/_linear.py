"""The fused linear layer."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from . import _native
from ._native import Key, Saved
from ._types import Array

Activation = Literal["identity", "relu", "gelu", "gelu-erf", "tanh", "sigmoid"]


class LinearGrads(NamedTuple):
    """The gradients of a linear layer; `None` where one was not wanted."""

    x: Array | None
    w: Array | None
    bias: Array | None


def linear(
    x: Any,
    w: Any,
    bias: Any | None = None,
    *,
    activation: Activation = "identity",
    p: float = 0.0,
    key: Key | None = None,
    offset: int = 0,
    recompute: bool = False,
    out: Any | None = None,
) -> tuple[Array, Saved]:
    """`dropout(activation(x @ w.T + bias))` in one product: shape `[m, n]`, and what `linear_backward` needs.

    x: float32, `[m, k]`. w: float32, `[n, k]`, as in PyTorch. bias: float32, `[n]`.
    activation: "identity", "relu", "gelu" (the tanh form), "gelu-erf", "tanh" or "sigmoid".
    p, key, offset: the dropout of the output, as in `dropout`; without a key there is none.
    recompute: save no bits; the backward pass finds the same ones again.
    out: the array that is written and returned; it must lie apart from the inputs.

    Arrays in row-major or column-major order are read where they lie: `x.T` costs no copy.

    Raises what `dropout` raises, and ValueError if `p` is not 0 and there is no key.

    >>> import numpy as np
    >>> x, w = np.ones((4, 3), np.float32), np.ones((5, 3), np.float32)
    >>> y, saved = linear(x, w, activation="relu", p=0.5, key=Key(1))
    >>> y.shape, saved.nbytes
    ((4, 5), 8)
    >>> set(y.ravel().tolist()) == {0.0, 6.0}
    True
    """
    if key is None and p != 0.0:
        raise ValueError("key is missing: dropout with p > 0 needs one")
    rate = None if key is None else (p, key, offset)
    y, saved = _native.linear((x, w, bias), (activation, rate, True, recompute), out)
    assert saved is not None
    return y, saved


def linear_backward(
    g: Any,
    x: Any,
    w: Any,
    saved: Saved,
    *,
    y: Any | None = None,
    wanted: tuple[bool, bool, bool] = (True, True, True),
) -> LinearGrads:
    """The gradients of x `[m, k]`, w `[n, k]` and the bias `[n]`, from the gradient `g` `[m, n]` of the output.

    saved: what `linear` returned. y: the output of `linear`, needed after "relu" with `recompute=True`.
    wanted: which of the three gradients to compute.

    Raises ValueError if shapes do not fit or `y` is missing, TypeError for another dtype.

    >>> import numpy as np
    >>> x, w = np.ones((4, 3), np.float32), np.ones((5, 3), np.float32)
    >>> y, saved = linear(x, w, activation="relu", p=0.5, key=Key(1))
    >>> grads = linear_backward(np.ones_like(y), x, w, saved, wanted=(False, True, True))
    >>> grads.x is None, grads.w.shape, grads.bias.shape
    (True, (5, 3), (5,))
    """
    return LinearGrads(*_native.linear_backward(g, (x, w, None), saved, y, wanted))
