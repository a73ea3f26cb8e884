"""Dropout of whole channels, and alpha dropout, as PyTorch's functions have them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.overrides import handle_torch_function, has_torch_function_unary

from .. import Key
from ._dropout import check_rate, writable
from ._groups import Groups, grouped
from ._key import halves
from ._tensors import plain

_stock_alpha = torch.nn.functional.alpha_dropout
_stock_channels = {
    1: torch.nn.functional.dropout1d,
    2: torch.nn.functional.dropout2d,
    3: torch.nn.functional.dropout3d,
}


def _by_groups(x: Tensor, p: float, training: bool, inplace: bool, how: tuple[bool, bool, Key | None]) -> Tensor | None:
    """Dropout of channels or alpha dropout if it can be done here."""
    alpha, channels, key = how
    check_rate(p)
    if not training or p == 0.0 or x.numel() == 0:
        return x
    if torch.compiler.is_compiling() or not plain(x) or forward_ad._current_level >= 0 or (inplace and not writable(x)):
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
    return _stock_alpha(x, p, training, inplace) if y is None else y


def _dropout_channels(x: Tensor, dims: int, p: float, training: bool, inplace: bool, key: Key | None) -> Tensor:
    """Dropout of channels of so many dimensions, with or without a batch."""
    check_rate(p)
    if has_torch_function_unary(x):
        return handle_torch_function(_CHANNELS[dims], (x,), x, p, training, inplace, key)
    if x.dim() not in (dims + 1, dims + 2) or (dims == 2 and x.dim() == 3):
        # PyTorch's errors, and its warnings about what it does instead.
        if key is not None:
            raise ValueError(f"x has {x.dim()} dimensions: with a key, samples of {dims} dimensions and channels")
        return _stock_channels[dims](x, p, training, inplace)
    batch = x if x.dim() == dims + 2 or not training or p == 0.0 else x.unsqueeze(0)
    y = _by_groups(batch, p, training, inplace, (False, True, key))
    if y is None:
        return _stock_channels[dims](x, p, training, inplace)
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
