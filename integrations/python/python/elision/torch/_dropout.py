"""Dropout of elements as PyTorch's function has it."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, is_grad_enabled
from torch._C import _are_functorch_transforms_active
from torch.autograd import forward_ad
from torch.overrides import handle_torch_function, has_torch_function_unary

from .. import Key
from . import _core
from ._elementwise import FromBits, apply, apply_, by_operator, dropped, dropped_, recorded
from ._key import BOUND, NUMBERS, as_tensor, draw, halves
from ._ops import Transformed, op
from ._tensors import plain, strides, watched

Save = Literal["key", "bits"]

_is_compiling = torch.compiler.is_compiling
_bump = torch.autograd.graph.increment_version
# PyTorch's own function, whatever a patch puts in its place later.
stock = torch.nn.functional.dropout


def check_rate(p: float) -> None:
    """The error that PyTorch raises for such a rate."""
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def dropout(
    x: Tensor,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    key: Key | None = None,
    *,
    save: Save = "key",
) -> Tensor:
    """Zeros with probability p, and `x / (1 - p)` elsewhere: `torch.nn.functional.dropout`, and its arguments.

    x: float32 or bfloat16, of any shape and layout. bfloat16 is converted to float32 and back.
    key: which elements. With a key they are those of `elision.dropout`: counted in row-major order, and the same in
        every call. Without one, a key is drawn from PyTorch's default generator, and the layout of x is kept.
    save: what is kept for the backward pass: the "key" alone, or the "bits" (one an element), which costs memory and
        saves the time of drawing them again. In place it is the key.

    Unlike PyTorch, a dropped element is `+0.0` even where x is NaN or infinite, in the gradient too.

    Returns x itself if not training, if p is 0 and if x is empty. Under the transforms of `torch.func`, and for other
    devices, dtypes and subclasses, this is PyTorch's dropout, which needs the key to be `None`: under a transform only,
    a key is understood too.

    Raises ValueError if p is not within [0, 1], TypeError if a key is given and x cannot be worked on.

    >>> import torch
    >>> x = torch.ones(4, 5, requires_grad=True)
    >>> y = dropout(x, 0.5, key=Key(1))
    >>> y.sum().backward()
    >>> torch.equal(x.grad, y)
    True
    """
    check_rate(p)
    if not training or p == 0.0:
        return x
    if _is_compiling():
        return _compiled(x, p, inplace, key)
    if save == "key" and key is None and not inplace and plain(x):
        return trained(x, p)
    return _dropout(x, p, inplace, key, save)


def trained(x: Tensor, p: float) -> Tensor:
    """Dropout of an ordinary tensor by a key that is drawn, where time counts."""
    if _core.fits(x):
        return _core.from_draw(x, p)
    low, high = draw()
    if (x.requires_grad and is_grad_enabled()) or forward_ad._current_level >= 0:
        return apply(x, p, low, high)
    return dropped(x, p, low, high)


def trained_(x: Tensor, p: float) -> Tensor:
    """The same in place, of a dense tensor: see `writable`."""
    return _in_place(x, p, *draw())


def shown(x: Tensor, p: float) -> Tensor:
    """What `trained` does, as operators which a mode of dispatch sees. The key is the same, too."""
    key = torch.empty(NUMBERS, dtype=torch.int64, device="cpu").random_()
    return by_operator(x, key, p, strides(torch.empty_like(x)))


def writable(x: Tensor) -> bool:
    """Whether an ordinary tensor can be overwritten here: dense, and no leaf or view whose history PyTorch guards."""
    if forward_ad._current_level >= 0 or (not x.is_contiguous() and x.stride() != torch.empty_like(x).stride()):
        return False
    if x.is_inference():
        return torch.is_inference_mode_enabled()
    if not is_grad_enabled():
        return True
    base = x._base
    return not (x.requires_grad and x.is_leaf) and (base is None or not (x.requires_grad or base.requires_grad))


def _in_place(x: Tensor, p: float, low: int, high: int) -> Tensor:
    if x.requires_grad and is_grad_enabled():
        return apply_(x, p, low, high)
    y = dropped_(x, p, low, high)
    if not x.is_inference():
        _bump(x)
    return y


def _dropout(x: Tensor, p: float, inplace: bool, key: Key | None, save: str) -> Tensor:
    if save not in ("key", "bits"):
        raise ValueError(f'save = {save!r} is neither "key" nor "bits"')
    if has_torch_function_unary(x):
        how: dict[str, Any] = {"p": p, "inplace": inplace, "key": key, "save": save}
        return handle_torch_function(dropout, (x,), x, **how)
    if x.numel() == 0:
        return x
    if not plain(x):
        return _elsewhere(x, p, inplace, key)
    if inplace:
        if key is None:
            return trained_(x, p) if writable(x) else stock(x, p, True, True)
        if not (x.is_contiguous() and writable(x)):
            return x.copy_(dropout(x, p, key=key))
        return _in_place(x, p, key.low, key.high)
    low, high = halves(key)
    x = x if key is None else x.contiguous()
    return FromBits.apply(x, p, low, high) if save == "bits" else recorded(x, p, low, high)


def _elsewhere(x: Tensor, p: float, inplace: bool, key: Key | None) -> Tensor:
    """Dropout of a tensor that is not worked on here, or not seen as it is."""
    if key is None:
        if not watched(x):
            return stock(x, p, True, inplace)
        return x.copy_(shown(x, p)) if inplace else shown(x, p)
    numbers = as_tensor(key.low, key.high)
    operator = Transformed.apply if _are_functorch_transforms_active() else op
    y: Tensor = operator(x, numbers, p)
    return x.copy_(y) if inplace else y


def _compiled(x: Tensor, p: float, inplace: bool, key: Key | None) -> Tensor:
    """What `torch.compile` makes a graph of."""
    if x.device.type != "cpu" or x.dtype not in (torch.float32, torch.bfloat16):
        return stock(x, p, True, inplace)
    if key is None:
        numbers = torch.randint(0, BOUND, (NUMBERS,), dtype=torch.int64, device="cpu")
    else:
        numbers = as_tensor(key.low, key.high)
    y: Tensor = op(x, numbers, p)
    return x.copy_(y) if inplace else y
