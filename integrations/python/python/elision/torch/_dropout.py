"""Dropout as PyTorch's functions have it."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, is_grad_enabled
from torch._C import _are_functorch_transforms_active
from torch.autograd import forward_ad
from torch.overrides import handle_torch_function, has_torch_function_unary

from .. import Key
from ._elementwise import FromBits, apply, apply_, by_operator, dropped, dropped_
from ._groups import Groups, grouped
from ._key import BOUND, NUMBERS, as_tensor, draw, halves
from ._ops import Transformed, op
from ._tensors import plain, strides, watched

Save = Literal["key", "bits"]

_is_compiling = torch.compiler.is_compiling
_bump = torch.autograd.graph.increment_version
# PyTorch's own functions, whatever a patch puts in their places later.
stock = torch.nn.functional.dropout
stock_alpha = torch.nn.functional.alpha_dropout
stock_channels = {
    1: torch.nn.functional.dropout1d,
    2: torch.nn.functional.dropout2d,
    3: torch.nn.functional.dropout3d,
}


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
    return FromBits.apply(x, p, low, high) if save == "bits" else apply(x, p, low, high)


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


def _by_groups(x: Tensor, p: float, training: bool, inplace: bool, how: tuple[bool, bool, Key | None]) -> Tensor | None:
    """Dropout of channels or alpha dropout if it can be done here."""
    alpha, channels, key = how
    check_rate(p)
    if not training or p == 0.0 or x.numel() == 0:
        return x
    if _is_compiling() or not plain(x) or forward_ad._current_level >= 0 or (inplace and not writable(x)):
        if key is not None:
            raise TypeError("x is no float32 or bfloat16 tensor of the CPU that can be worked on with a key here")
        return None
    x = x if key is None or inplace else x.contiguous()
    return grouped(x, Groups(alpha, channels, p, *halves(key)), inplace, True)


def alpha_dropout(
    x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False, key: Key | None = None
) -> Tensor:
    """Alpha dropout, which keeps mean and variance: `torch.nn.functional.alpha_dropout`, and its arguments.

    The key and what is left to PyTorch are as in `dropout`, but with a key no transform of `torch.func` is understood,
    nor `torch.compile`. Nothing is kept for the backward pass but the key.
    """
    if has_torch_function_unary(x):
        return handle_torch_function(alpha_dropout, (x,), x, p, training, inplace, key)
    y = _by_groups(x, p, training, inplace, (True, False, key))
    return stock_alpha(x, p, training, inplace) if y is None else y


def _dropout_channels(x: Tensor, dims: int, p: float, training: bool, inplace: bool, key: Key | None) -> Tensor:
    """Dropout of channels of so many dimensions, with or without a batch."""
    check_rate(p)
    if has_torch_function_unary(x):
        return handle_torch_function(_CHANNELS[dims], (x,), x, p, training, inplace, key)
    if x.dim() not in (dims + 1, dims + 2) or (dims == 2 and x.dim() == 3):
        # PyTorch's errors, and its warnings about what it does instead.
        if key is not None:
            raise ValueError(f"x has {x.dim()} dimensions: with a key, samples of {dims} dimensions and channels")
        return stock_channels[dims](x, p, training, inplace)
    batch = x if x.dim() == dims + 2 or not training or p == 0.0 else x.unsqueeze(0)
    y = _by_groups(batch, p, training, inplace, (False, True, key))
    if y is None:
        return stock_channels[dims](x, p, training, inplace)
    return y if y.dim() == x.dim() else y.squeeze(0)


def dropout1d(
    x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False, key: Key | None = None
) -> Tensor:
    """Dropout of whole channels of `[n, c, l]` or `[c, l]`: `torch.nn.functional.dropout1d`. The rest as in `dropout`."""
    return _dropout_channels(x, 1, p, training, inplace, key)


def dropout2d(
    x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False, key: Key | None = None
) -> Tensor:
    """Dropout of whole channels of `[n, c, h, w]`: `torch.nn.functional.dropout2d`. The rest as in `dropout`."""
    return _dropout_channels(x, 2, p, training, inplace, key)


def dropout3d(
    x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False, key: Key | None = None
) -> Tensor:
    """Dropout of whole channels of `[n, c, d, h, w]` or `[c, d, h, w]`: `torch.nn.functional.dropout3d`. The rest as in
    `dropout`."""
    return _dropout_channels(x, 3, p, training, inplace, key)



_CHANNELS = {1: dropout1d, 2: dropout2d, 3: dropout3d}
