"""The rest of the dropout family: noise, alpha dropout, blocks, heads, rates and words."""

from __future__ import annotations

from typing import Any, Literal, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _native
from ._native import Key, Mask
from ._types import Array

Kind = Literal["gaussian", "uniform"]


def normal(key: Key, shape: int | Sequence[int]) -> Array:
    """Standard normal numbers: element i, in row-major order, is a function of (key, i) alone.

    >>> bool(abs(normal(Key(1), (100, 100)).mean()) < 0.05)
    True
    """
    return _native.draw_numbers(key, shape, False)


def uniform(key: Key, shape: int | Sequence[int]) -> Array:
    """Numbers uniform in (0, 1): element i, in row-major order, is a function of (key, i) alone.

    >>> bool(abs(uniform(Key(1), 10_000).mean() - 0.5) < 0.05)
    True
    """
    return _native.draw_numbers(key, shape, True)


def gaussian_dropout(x: Any, p: float, key: Key, *, out: Any | None = None) -> Array:
    """`x` times normal factors of mean 1 and variance `p / (1 - p)`, as dropout's. It is linear: the backward pass is
    the same call with the gradient.

    p: in [0, 1). Raises what `dropout` raises.

    >>> import numpy as np
    >>> y = gaussian_dropout(np.ones(10_000, np.float32), 0.5, Key(1))
    >>> bool(abs(y.mean() - 1) < 0.05 and abs(y.var() - 1) < 0.1)
    True
    """
    return _native.noise(x, key, ("dropout", p, False), False, out)


def noise(
    x: Any, spread: float, key: Key, *, kind: Kind = "gaussian", added: bool = False, out: Any | None = None
) -> Array:
    """`x * (1 + spread * n)`, or `x + spread * n` if `added`.

    kind: "gaussian" for standard normal n, "uniform" for n in (-1, 1). spread: not negative.

    >>> import numpy as np
    >>> y = noise(np.full(1000, 4, np.float32), 0.1, Key(1), kind="uniform")
    >>> bool((abs(y - 4) <= 0.4001).all())
    True
    """
    _check_kind(kind)
    return _native.noise(x, key, (kind, spread, added), False, out)


def noise_backward(
    g: Any, spread: float, key: Key, *, kind: Kind = "gaussian", added: bool = False, out: Any | None = None
) -> Array:
    """The gradient of `noise`, with the numbers drawn again from the key."""
    _check_kind(kind)
    return _native.noise(g, key, (kind, spread, added), True, out)


def _check_kind(kind: str) -> None:
    if kind not in ("gaussian", "uniform"):
        raise ValueError(f"kind = {kind!r} is none of gaussian, uniform")


def alpha_dropout(
    x: Any, p: float, key: Key, *, offset: int = 0, out: Any | None = None
) -> tuple[Array, Mask]:
    """Alpha dropout behind SELU: dropped elements take the value at which SELU saturates, and an affine map gives back
    mean 0 and variance 1. Returns `(y, mask)`.

    >>> import numpy as np
    >>> x = np.ones(100, np.float32)
    >>> y, mask = alpha_dropout(x, 0.5, Key(1))
    >>> bool(np.allclose(y, np.where(mask.to_bools(), 1.6655988, -0.7791939)))
    True
    """
    return _native.alpha_dropout(x, (p, key, offset), out)


def alpha_dropout_backward(g: Any, p: float, mask: Mask, *, out: Any | None = None) -> Array:
    """The gradient of `alpha_dropout`, with its mask."""
    return _native.select(g, mask, _native.alpha_scale_of(p), out)


def drop_block(
    x: Any,
    p: float,
    key: Key,
    block: int,
    *,
    coupled: bool = False,
    channels_first: bool = False,
    offset: int = 0,
    out: Any | None = None,
) -> tuple[Array, Mask, float]:
    """DropBlock: squares of `block` elements a side of a map `[samples, ..., channels]` are dropped whole, about the
    share `p` of it. Returns `(y, mask, scale)`; `select(g, mask, scale)` is the gradient.

    coupled: the same blocks in all channels of a sample. channels_first: maps `[samples, channels, ...]`.

    >>> import numpy as np
    >>> x = np.ones((4, 14, 14, 8), np.float32)
    >>> y, mask, scale = drop_block(x, 0.1, Key(1), 7, coupled=True)
    >>> mask.shape, bool(((y == 0) | (y == np.float32(scale))).all())
    ((4, 14, 14, 1), True)
    """
    return _native.drop_block(x, (p, key, offset), (block, coupled, channels_first), out)


def drop_heads(
    x: Any, p: float, key: Key, *, offset: int = 0, out: Any | None = None
) -> tuple[Array, Mask]:
    """Dropout of attention heads of `[samples, heads, ...]`: each sample keeps one at least, and its kept heads are
    multiplied by the number of heads over the number of kept ones. Returns `(y, mask)`; p must be below 1.

    >>> import numpy as np
    >>> y, mask = drop_heads(np.ones((4, 8, 10, 16), np.float32), 0.5, Key(1))
    >>> mask.shape, bool(np.allclose(y.mean(axis=(1, 2, 3)), 1))
    ((4, 8), True)
    """
    return _native.drop_heads(x, (p, key, offset), out)


def drop_heads_backward(g: Any, mask: Mask, *, out: Any | None = None) -> Array:
    """The gradient of `drop_heads`, with its mask."""
    return _native.drop_heads_backward(g, mask, out)


def dropout_rates(x: Any, rates: Any, key: Key, *, out: Any | None = None) -> tuple[Array, Mask]:
    """Dropout at rates of each element's own, float32, which broadcast to the shape of x. Returns `(y, mask)`.

    A rate is rounded to a multiple of 2^-32, and the bits have nothing to do with those of `dropout`.

    >>> import numpy as np
    >>> rates = np.array([0, 1], np.float32)
    >>> dropout_rates(np.ones((2, 2), np.float32), rates, Key(1))[0].tolist()
    [[1.0, 0.0], [1.0, 0.0]]
    """
    mask = Mask.draw_rates(key, np.broadcast_to(rates, np.shape(x)))
    return _native.dropout_rates(x, rates, mask, out), mask


def dropout_rates_backward(g: Any, rates: Any, mask: Mask, *, out: Any | None = None) -> Array:
    """The gradient of `dropout_rates` with respect to x, with its mask."""
    return _native.dropout_rates(g, rates, mask, out)


def word_dropout(table: Any, indices: ArrayLike, p: float, key: Key) -> tuple[Array, Mask]:
    """Rows `indices` of a table `[words, features]`, float32, with one decision for each word, so that all occurrences of
    a word share it. Returns `(y, mask)`: y of shape `[len(indices), features]`, a mask of `[words]`.

    Raises ValueError for an index that the table lacks.

    >>> import numpy as np
    >>> y, mask = word_dropout(np.ones((50, 4), np.float32), [7, 3, 7], 0.5, Key(1))
    >>> bool((y[0] == y[2]).all()), len(mask)
    (True, 50)
    """
    return _native.word_dropout(table, _indices(indices), (p, key, 0))


def word_dropout_backward(g: Any, indices: ArrayLike, p: float, mask: Mask) -> Array:
    """The gradient of the table of `word_dropout`, `[words, features]`."""
    return _native.word_dropout_backward(g, _indices(indices), (p, Key(0), 0), mask)


def _indices(indices: ArrayLike) -> NDArray[np.uint32]:
    array = np.asarray(indices)
    if array.ndim != 1:
        raise ValueError(f"indices have shape {array.shape}, but one axis is expected")
    if array.size and array.dtype.kind not in "iu":
        raise TypeError(f"indices have dtype {array.dtype}, but whole numbers are expected")
    if array.size and (array.min() < 0 or array.max() >= 1 << 32):
        raise ValueError("indices are out of range")
    return array.astype(np.uint32)
