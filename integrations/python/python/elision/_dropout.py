"""Dropout of elements, and of groups of them that share a fate."""

from __future__ import annotations

from typing import Any, Literal, Sequence, TypeAlias, overload

from . import _native
from ._native import Key, Mask
from ._types import Array

Where: TypeAlias = str | int | Sequence[int]


@overload
def dropout(
    x: Any,
    p: float,
    key: Key,
    *,
    offset: int = 0,
    where: Where | None = None,
    scaled: bool = True,
    out: Any | None = None,
    return_mask: Literal[False] = False,
) -> Array: ...


@overload
def dropout(
    x: Any,
    p: float,
    key: Key,
    *,
    offset: int = 0,
    where: Where | None = None,
    scaled: bool = True,
    out: Any | None = None,
    return_mask: Literal[True],
) -> tuple[Array, Mask]: ...


def dropout(
    x: Any,
    p: float,
    key: Key,
    *,
    offset: int = 0,
    where: Where | None = None,
    scaled: bool = True,
    out: Any | None = None,
    return_mask: bool = False,
) -> Array | tuple[Array, Mask]:
    """Dropout in training: `x / (1 - p)` where an element is kept, `+0.0` where it is dropped.

    Whether element i is kept is a function of (`key`, `p`, `offset + i`) and of nothing else; elements are counted in
    row-major order, whatever the order in memory. A dropped element is `+0.0` whatever it was, NaN included.

    x: float32 array of any shape with at most 8 axes, of NumPy or with `__dlpack__`.
    p: the drop probability, in [0, 1]; honoured exactly.
    offset: the index of the first element, for a part of a larger array.
    where: which elements share a decision: "element" (the default), "unit" (a column of the last axis, for the whole
        batch), "row" (along the last axis), "sample" (all but axis 0), "channel" (`[samples, ..., channels]`),
        "channel-first" (`[samples, channels, ...]`), or the axes along which they share it.
    scaled: `False` leaves kept elements as they are; inference then multiplies by `1 - p`.
    out: the array that is written and returned. `out=x` works in place; any other overlap is an error.
    return_mask: return `(y, mask)`. Without a mask, the backward pass draws the same bits again from the key.

    Raises ValueError (p, shapes, overlap, an output that is read-only or not contiguous), TypeError (another dtype) and
    OverflowError (an offset whose last index does not fit 64 bits). A call that raises has written nothing.

    >>> import numpy as np
    >>> x = np.ones((2, 3), np.float32)
    >>> key = Key(42).fold_in(7)
    >>> y, mask = dropout(x, 0.5, key, return_mask=True)
    >>> bool((y == np.where(mask.to_bools(), 2, 0)).all())
    True
    >>> dropout(x, 0.5, key, where="row")[:, 0].tolist() == dropout(x, 0.5, key, where="row")[:, 1].tolist()
    True
    """
    y, mask = _native.dropout(x, (p, key, offset), out, (where, scaled, return_mask))
    if mask is None:
        return y
    return y, mask


def dropout_backward(
    g: Any,
    p: float,
    decided_by: Key | Mask,
    *,
    offset: int = 0,
    where: Where | None = None,
    scaled: bool = True,
    out: Any | None = None,
) -> Array:
    """The gradient of `dropout` with respect to x, from the gradient `g` of its output.

    decided_by: the mask of the forward pass, or its key, from which the same bits are drawn again: then `offset` and
    `where` must be those of the forward pass. A mask knows its shape, so these are not used with one.

    The other arguments, and what is raised, are those of `dropout`.

    >>> import numpy as np
    >>> g, key = np.ones(1000, np.float32), Key(1)
    >>> y, mask = dropout(g, 0.1, key, return_mask=True)
    >>> np.array_equal(dropout_backward(g, 0.1, mask), dropout_backward(g, 0.1, key))
    True
    """
    if isinstance(decided_by, Mask):
        scale = _native.scale_of(p) if scaled else 1.0
        return _native.select(g, decided_by, scale, out)
    y, _ = _native.dropout(g, (p, decided_by, offset), out, (where, scaled, False))
    return y


def select(x: Any, mask: Mask, scale: float = 1.0, *, out: Any | None = None) -> Array:
    """`x * scale` where the mask keeps, `+0.0` elsewhere, NaN included.

    The mask has the shape of x, with 1 along axes whose elements share a decision.

    >>> import numpy as np
    >>> mask = Mask.from_bools(np.array([[True], [False]]))
    >>> select(np.full((2, 3), np.nan, np.float32), ~mask & mask, 2.0).tolist()
    [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """
    return _native.select(x, mask, scale, out)
