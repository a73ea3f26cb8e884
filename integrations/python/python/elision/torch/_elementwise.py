"""Dropout of single elements, for autograd.

The backward pass is the same function of another tensor, so that it can be differentiated again by itself. It needs the
key, from which the bits are drawn again, or the bits.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, is_grad_enabled
from torch.autograd import Function

from .. import _native
from .._native import _dropout_ptr
from . import _core
from ._key import as_tensor
from ._tensors import finished, laid_out, memory_order, plain, staged, strides

_empty_like = torch.empty_like
_float32 = torch.float32


def dropped(x: Tensor, p: float, low: int, high: int) -> Tensor:
    """Dropout into a new tensor, which is dense: elements are counted in the order of its memory."""
    if x.dtype is _float32 and x.is_contiguous():
        y = _empty_like(x)
        _dropout_ptr(x.data_ptr(), y.data_ptr(), x.numel(), low, high, p, 0)
        return y
    return _dropped_to(x, None, p, low, high)


def dropped_(x: Tensor, p: float, low: int, high: int) -> Tensor:
    """Dropout in place, of a dense tensor."""
    return _dropped_to(x, x, p, low, high)


def _dropped_to(x: Tensor, out: Tensor | None, p: float, low: int, high: int) -> Tensor:
    x, z, y = staged(x, out)
    _dropout_ptr(x.data_ptr(), z.data_ptr(), x.numel(), low, high, p, 0)
    return finished(z, y)


class FromKey(Function):
    """Dropout of a tensor of which nothing is kept but the key."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, p: float, low: int, high: int) -> Tensor:
        y = dropped(x, p, low, high)
        ctx.call = p, low, high, None if y.is_contiguous() else y.stride()
        return y

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        p, low, high, stride = ctx.call
        if is_grad_enabled() or not plain(g):
            return _differentiable(ctx, g), None, None, None
        if stride is not None or not g.is_contiguous():
            g = laid_out(g, stride)
        return dropped(g, p, low, high), None, None, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: None) -> Tensor:
        return _differentiable(ctx, tangent)


class FromKeyInPlace(Function):
    """The same in place. The output is the input."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, p: float, low: int, high: int) -> Tensor:
        ctx.mark_dirty(x)
        ctx.call = p, low, high, strides(x)
        return dropped_(x, p, low, high)

    backward = FromKey.backward


def recorded(x: Tensor, p: float, low: int, high: int) -> Tensor:
    """Dropout of an ordinary tensor, which autograd and forward mode see."""
    return _core.from_key(x, p, low, high) if _core.fits(x) else apply(x, p, low, high)


def _differentiable(ctx: Any, g: Tensor) -> Tensor:
    """The same function of g, recorded for autograd in its turn."""
    p, low, high, stride = ctx.call
    if plain(g):
        return recorded(laid_out(g, stride), p, low, high)
    # Several gradients at once, as vmap gives them, or a tensor of another kind.
    return by_operator(g, as_tensor(low, high), p, stride)


def by_operator(x: Tensor, key: Tensor, p: float, stride: tuple[int, ...] | None) -> Tensor:
    """The operator, with the elements counted in the memory order of a dense tensor that has those strides."""
    operator = torch.ops.elision.dropout.default
    if stride is None:
        return operator(x, key, p)
    order = memory_order(stride)
    back = sorted(range(len(order)), key=order.__getitem__)
    return operator(x.permute(order), key, p).permute(back)


# What `FromKey.apply` comes to outside of the transforms of torch.func, without its search for them.
apply = super(Function, FromKey).apply
apply_ = super(Function, FromKeyInPlace).apply


class FromBits(Function):
    """Dropout of a tensor of which the mask is kept, one bit an element."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, p: float, low: int, high: int) -> Tensor:
        n = x.numel()
        bits = x.new_empty((n + 63) // 64, dtype=torch.int64)
        x, z, y = staged(x, None)
        _native._dropout_mask_ptr(x.data_ptr(), z.data_ptr(), bits.data_ptr(), n, low, high, p, 0)
        ctx.save_for_backward(bits)
        ctx.scale = _native.scale_of(p)
        ctx.strides = strides(y)
        return finished(z, y)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        (bits,) = ctx.saved_tensors
        return _Select.apply(laid_out(g, ctx.strides), bits, ctx.scale), None, None, None


class _Select(Function):
    """`x * scale` where the bits keep, in the order of memory of x, which is dense."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, bits: Tensor, scale: float) -> Tensor:
        ctx.save_for_backward(bits)
        ctx.scale = scale
        x, z, y = staged(x, None)
        ctx.strides = strides(y)
        _native._select_ptr(x.data_ptr(), z.data_ptr(), bits.data_ptr(), x.numel(), scale)
        return finished(z, y)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        (bits,) = ctx.saved_tensors
        return _Select.apply(laid_out(g, ctx.strides), bits, ctx.scale), None, None
