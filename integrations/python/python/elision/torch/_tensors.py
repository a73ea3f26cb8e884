"""Which tensors the package works on itself, and what it takes to read and write them by their address."""

from __future__ import annotations

import torch
from torch import Tensor
from torch._C import (
    _are_functorch_transforms_active,
    _dispatch_keys,
    _get_tracing_state,
    _is_torch_function_mode_enabled,
    _len_torch_dispatch_stack,
)

_TYPES = frozenset([Tensor, torch.nn.Parameter])
_DTYPES = frozenset([torch.float32, torch.bfloat16])


def _ordinary_keys() -> frozenset[int]:
    """The dispatch keys of tensors of the CPU that are nothing more: not sparse, negated or batched."""
    with torch.inference_mode(False):
        usual = torch.empty(0, device="cpu")
    with torch.inference_mode():
        inference = torch.empty(0, device="cpu")
    return frozenset(_dispatch_keys(x).raw_repr() for x in (usual, inference))


_KEYS = _ordinary_keys()


def plain(x: Tensor) -> bool:
    """Whether x is an ordinary float32 or bfloat16 tensor of the CPU, and nothing watches what happens to it.

    What is watched, by a transform of `torch.func`, a mode or a tracer, must see operators that it knows.
    """
    return (
        type(x) in _TYPES
        # First, since such a mode sees the attributes of x being read.
        and not _is_torch_function_mode_enabled()
        and x.dtype in _DTYPES
        and not _are_functorch_transforms_active()
        and not _len_torch_dispatch_stack()
        and _get_tracing_state() is None
        and _dispatch_keys(x).raw_repr() in _KEYS
    )


def watched(x: Tensor) -> bool:
    """Whether x is such a tensor, and what watches is a mode of dispatch, which sees operators of any library."""
    return (
        _len_torch_dispatch_stack() > 0
        and type(x) in _TYPES
        and not _is_torch_function_mode_enabled()
        and x.dtype in _DTYPES
        and not _are_functorch_transforms_active()
        and _get_tracing_state() is None
        and _dispatch_keys(x).raw_repr() in _KEYS
    )


def strides(y: Tensor) -> tuple[int, ...] | None:
    """The strides of a dense tensor, or `None` where they are those of row-major order."""
    return None if y.is_contiguous() else y.stride()


def laid_out(g: Tensor, stride: tuple[int, ...] | None) -> Tensor:
    """g, or a copy of it, in the memory order of the tensor that had those strides."""
    if not plain(g):
        g = _materialized(g)
    if stride is None:
        return g.contiguous()
    if g.stride() == stride:
        return g
    return g.new_empty_strided(g.shape, stride).copy_(g)


def _materialized(g: Tensor) -> Tensor:
    """An ordinary copy of a gradient that is, for example, negated when it is read."""
    copy = g.clone()
    known = type(copy) in _TYPES and _dispatch_keys(copy).raw_repr() in _KEYS
    if not known or _are_functorch_transforms_active():
        raise NotImplementedError(
            f"a gradient that is no ordinary tensor, but a {type(g).__name__}, or one of is_grads_batched: "
            "only dropout of elements that keeps the key takes those"
        )
    return copy


def memory_order(stride: tuple[int, ...]) -> list[int]:
    """The dimensions of a dense tensor that has those strides, from the outermost in memory."""
    return sorted(range(len(stride)), key=lambda d: -stride[d])


def staged(x: Tensor, out: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Source, destination and result of an elementwise call: dense float32 of one layout, and where the values go.

    The destination may be the source. It is the result unless the dtype has to be converted: see `finished`.
    """
    y = torch.empty_like(x) if out is None else out
    if x.dtype is not torch.float32:
        z = torch.empty_like(y, dtype=torch.float32).copy_(x)
        return z, z, y
    if x is y or x.stride() == y.stride():
        return x, y, y
    y.copy_(x)
    return y, y, y


def finished(z: Tensor, y: Tensor) -> Tensor:
    """The result, which receives the destination's values if that is another tensor."""
    return y if z is y else y.copy_(z)
