"""The operator `elision::dropout`: what `torch.compile` and the transforms of `torch.func` see of dropout.

Its key is a tensor of two 64-bit numbers, so that a compiled graph draws it anew in every call.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ._elementwise import dropped
from ._key import from_tensor

_library = torch.library.Library("elision", "FRAGMENT")
_library.define("dropout(Tensor x, Tensor key, float p) -> Tensor", tags=(torch.Tag.pt2_compliant_tag,))

op = torch.ops.elision.dropout.default


def _check(x: Tensor, key: Tensor, p: float) -> None:
    if x.device.type != "cpu" or x.dtype not in (torch.float32, torch.bfloat16):
        raise TypeError(f"x is {x.dtype} on {x.device}, not float32 or bfloat16 on the CPU")
    if key.shape != (2,) or key.dtype != torch.int64:
        raise TypeError(f"key is {key.dtype} of shape {tuple(key.shape)}, not two numbers of int64")
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def _cpu(x: Tensor, key: Tensor, p: float) -> Tensor:
    _check(x, key, p)
    return dropped(x.contiguous(), p, *from_tensor(key))


def _fake(x: Tensor, key: Tensor, p: float) -> Tensor:
    _check(x, key, p)
    return torch.empty_like(x, memory_format=torch.contiguous_format)


def _setup(ctx: Any, inputs: tuple[Tensor, Tensor, float], output: Tensor) -> None:
    _, key, p = inputs
    ctx.save_for_backward(key)
    ctx.p = p


def _backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
    (key,) = ctx.saved_tensors
    return op(g, key, ctx.p), None, None


def _vmap(info: Any, dims: tuple[int | None, ...], x: Tensor, key: Tensor, p: float) -> tuple[Tensor, int]:
    at, key_at, _ = dims
    if key_at is None and at is not None:
        x = x.movedim(at, 0)
        scale = op(torch.ones(x.shape[1:], dtype=x.dtype, device=x.device), key, p)
        return torch.where(scale != 0, x * scale, 0.0), 0
    assert key_at is not None
    keys = key.unbind(key_at)
    xs = [x] * len(keys) if at is None else x.unbind(at)
    return torch.stack([op(x, key, p) for x, key in zip(xs, keys)]), 0


_library.impl("dropout", _cpu, "CPU")
torch.library.register_fake("elision::dropout", _fake, lib=_library)
torch.library.register_autograd("elision::dropout", _backward, setup_context=_setup, lib=_library)
torch.library.register_vmap("elision::dropout", _vmap, lib=_library)


class Transformed(torch.autograd.Function):
    """The operator for the transforms of `torch.func`, which do not see through what is registered for autograd."""

    @staticmethod
    def forward(x: Tensor, key: Tensor, p: float) -> Tensor:
        y: Tensor = op(x, key, p)
        return y

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, float], output: Tensor) -> None:
        _setup(ctx, inputs, output)
        ctx.save_for_forward(inputs[1])

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        (key,) = ctx.saved_tensors
        return Transformed.apply(g, key, ctx.p), None, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: None) -> Tensor:
        (key,) = ctx.saved_tensors
        y: Tensor = Transformed.apply(tangent, key, ctx.p)
        return y

    vmap = staticmethod(_vmap)
