"""The kernels that a patch puts under PyTorch's operators for the CPU."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from .. import Key, Mask
from . import _core
from ._dropout import shown, trained, trained_, writable
from ._elementwise import dropped, dropped_
from ._groups import Groups, grouped
from ._key import draw
from ._tensors import plain, watched

aten = torch.ops.aten
_COMPOSITE = torch._C.DispatchKey.CompositeImplicitAutograd

Kernel = Callable[..., Any]


def _stock(op: Any, x: Tensor, p: float, train: bool) -> Tensor:
    """The operator as it is without us: a composite of others."""
    if type(x) is Tensor or type(x) is torch.nn.Parameter:
        return op._op_dk(_COMPOSITE, x, p, train)
    return op.decompose(x, p, train)


def _dropout(x: Tensor, p: float, train: bool, autograd: bool) -> Tensor:
    if train and 0.0 < p <= 1.0 and x.numel():
        if plain(x):
            return trained(x, p) if autograd else dropped(x, p, *draw())
        if watched(x):
            return shown(x, p)
    return _stock(aten.dropout.default, x, p, train)


def _dropout_(x: Tensor, p: float, train: bool, autograd: bool) -> Tensor:
    if train and 0.0 < p <= 1.0 and x.numel():
        if plain(x) and writable(x):
            return trained_(x, p) if autograd else dropped_(x, p, *draw())
        if watched(x):
            return x.copy_(shown(x, p))
    return _stock(aten.dropout_.default, x, p, train)


def _grouped(op: Any, how: tuple[bool, bool, bool], x: Tensor, p: float, train: bool, autograd: bool) -> Tensor:
    alpha, channels, inplace = how
    fits = train and 0.0 < p <= 1.0 and plain(x) and x.numel() and forward_ad._current_level < 0
    if fits and (x.dim() >= 2 or not channels) and (not inplace or writable(x)):
        return grouped(x, Groups(alpha, channels, p, *draw()), inplace, autograd)
    return _stock(op, x, p, train)


def composites() -> dict[str, tuple[Kernel, Kernel]]:
    """For each operator that is a composite of others: the kernel that autograd sees, and the one below it."""
    kernels: dict[str, Kernel] = {"dropout": _dropout, "dropout_": _dropout_}
    for name, alpha, channels in [
        ("feature_dropout", False, True),
        ("alpha_dropout", True, False),
        ("feature_alpha_dropout", True, True),
    ]:
        for suffix in ("", "_"):
            op = getattr(aten, name + suffix).default
            kernels[name + suffix] = functools.partial(_grouped, op, (alpha, channels, suffix == "_"))
    return {
        name: (functools.partial(kernel, autograd=True), functools.partial(kernel, autograd=False))
        for name, kernel in kernels.items()
    }


if _core.native():
    _library = torch.library.Library("elision", "FRAGMENT")
    _library.define("dropout_elsewhere(Tensor x, float p, bool train) -> Tensor")
    # The core calls it from a kernel of its own for the same key.
    _library.impl("dropout_elsewhere", functools.partial(_dropout, autograd=True), "AutogradCPU")
    _library.impl("dropout_elsewhere", functools.partial(_dropout, autograd=False), "CPU")


def native_dropout(x: Tensor, p: float, train: bool | None) -> tuple[Tensor, Tensor]:
    """`aten::native_dropout`: the output, and the mask as an array of bool."""
    if train is False or not 0.0 < p <= 1.0 or not plain(x) or x.numel() == 0 or not x.is_contiguous():
        return _stock_native(x, p, train)
    low, high = draw()
    mask = Mask.draw(Key.from_int(low | high << 64), p, x.numel())
    return dropped(x, p, low, high), torch.from_numpy(mask.to_bools()).view(x.shape)


def _stock_native(x: Tensor, p: float, train: bool | None) -> tuple[Tensor, Tensor]:
    if x.numel() == 0:
        return x, torch.empty_like(x, dtype=torch.bool)
    if train is False:
        return x.clone(), torch.ones_like(x, dtype=torch.bool)
    mask = torch.empty_like(x, dtype=torch.bool).bernoulli_(1.0 - p)
    return x.mul(mask).mul_(1.0 / (1.0 - p) if p < 1.0 else 0.0), mask


def native_dropout_backward(g: Tensor, mask: Tensor, scale: float) -> Tensor:
    """`aten::native_dropout_backward`: zeros where the mask is False, whatever g is there."""
    if not plain(g):
        return g * (mask.type_as(g) * scale)
    return torch.where(mask, g * scale, torch.zeros((), dtype=g.dtype))


BACKENDS: dict[str, Kernel] = {
    "native_dropout": native_dropout,
    "native_dropout_backward": native_dropout_backward,
}
