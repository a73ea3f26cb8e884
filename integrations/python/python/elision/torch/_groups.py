"""Dropout of whole channels, and alpha dropout of elements and of channels, for autograd."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function

from .._native import _alpha_dropout_ptr, _dropout_shared_ptr
from ._tensors import finished, laid_out, memory_order, staged, strides


class Groups(NamedTuple):
    """What is drawn for whom, and by which key."""

    alpha: bool
    """Alpha dropout instead of zeros."""
    channels: bool
    """One decision for each of the first two dimensions, instead of one an element."""
    p: float
    low: int
    high: int


def _extents(y: Tensor, channels: bool) -> tuple[list[int], list[int]]:
    """The shape of a dense tensor in the order of its memory, and that of the decisions, neighbours merged."""
    shape: list[int] = []
    noise: list[int] = []
    before = None
    for d in memory_order(y.stride()):
        size, own = y.shape[d], not channels or d < 2
        if own == before:
            shape[-1] *= size
            noise[-1] *= size if own else 1
        elif size != 1:
            shape.append(size)
            noise.append(size if own else 1)
            before = own
    return shape or [1], noise or [1]


def _run(x: Tensor, out: Tensor | None, groups: Groups, backward: bool) -> Tensor:
    x, z, y = staged(x, out)
    shape, noise = _extents(y, groups.channels)
    place = x.data_ptr(), z.data_ptr(), shape, noise, groups.low, groups.high, groups.p
    if groups.alpha:
        _alpha_dropout_ptr(*place, backward)
    else:
        _dropout_shared_ptr(*place, 0)
    return finished(z, y)


class Grouped(Function):
    """Either dropout. Nothing is kept but the key."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, groups: Groups, inplace: bool, backward: bool) -> Tensor:
        if inplace:
            ctx.mark_dirty(x)
        y = _run(x, x if inplace else None, groups, backward)
        ctx.groups, ctx.strides = groups, strides(y)
        return y

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        # The gradient's gradient is the same function of it: the map is linear.
        return Grouped.apply(laid_out(g, ctx.strides), ctx.groups, False, True), None, None, None


def grouped(x: Tensor, groups: Groups, inplace: bool, autograd: bool) -> Tensor:
    """Dropout of groups, recorded for autograd if it is asked for and needed."""
    if groups.p == 1.0 and groups.alpha:
        return x.zero_() if inplace else x * 0.0
    if autograd and x.requires_grad and torch.is_grad_enabled():
        return Grouped.apply(x, groups, inplace, False)
    y = _run(x, x if inplace else None, groups, False)
    if inplace and not x.is_inference():
        torch.autograd.graph.increment_version(x)
    return y
