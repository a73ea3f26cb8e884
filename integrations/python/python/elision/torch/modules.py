"""Dropout as modules, which stand where PyTorch's stood: the same arguments, attributes and state."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from . import _channels, _dropout
from ._linear import Approximate, Product, linear_gelu_dropout, linear_relu_dropout


class Dropout(nn.Dropout):
    """`nn.Dropout` by `elision.torch.dropout`."""

    def forward(self, input: Tensor) -> Tensor:
        return _dropout.dropout(input, self.p, self.training, self.inplace)


class Dropout1d(nn.Dropout1d):
    """`nn.Dropout1d` by `elision.torch.dropout1d`."""

    def forward(self, input: Tensor) -> Tensor:
        return _channels.dropout1d(input, self.p, self.training, self.inplace)


class Dropout2d(nn.Dropout2d):
    """`nn.Dropout2d` by `elision.torch.dropout2d`."""

    def forward(self, input: Tensor) -> Tensor:
        return _channels.dropout2d(input, self.p, self.training, self.inplace)


class Dropout3d(nn.Dropout3d):
    """`nn.Dropout3d` by `elision.torch.dropout3d`."""

    def forward(self, input: Tensor) -> Tensor:
        return _channels.dropout3d(input, self.p, self.training, self.inplace)


class AlphaDropout(nn.AlphaDropout):
    """`nn.AlphaDropout` by `elision.torch.alpha_dropout`."""

    def forward(self, input: Tensor) -> Tensor:
        return _channels.alpha_dropout(input, self.p, self.training, self.inplace)


class _LinearDropout(nn.Linear):
    """`nn.Linear`, of the same parameters, with a drop probability."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        p: float = 0.5,
        product: Product = "pytorch",
        **kwargs: Any,
    ) -> None:
        _dropout.check_rate(p)
        super().__init__(in_features, out_features, bias, **kwargs)
        self.p = p
        self.product: Product = product

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, p={self.p}"


class LinearReluDropout(_LinearDropout):
    """`nn.Linear`, `nn.ReLU` and `nn.Dropout(p)` in one; its parameters are those of `nn.Linear`, and `product` is as
    in `linear`.

    >>> import torch
    >>> layer = LinearReluDropout(3, 4, p=0.1)
    >>> layer(torch.ones(2, 3)).shape
    torch.Size([2, 4])
    """

    def forward(self, input: Tensor) -> Tensor:
        return linear_relu_dropout(input, self.weight, self.bias, self.p, self.training, product=self.product)


class LinearGeluDropout(_LinearDropout):
    """`nn.Linear`, `nn.GELU(approximate)` and `nn.Dropout(p)` in one; the rest as in `LinearReluDropout`."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        p: float = 0.5,
        approximate: Approximate = "none",
        **kwargs: Any,
    ) -> None:
        super().__init__(in_features, out_features, bias, p=p, **kwargs)
        if approximate not in ("none", "tanh"):
            raise ValueError(f'approximate = {approximate!r} is neither "none" nor "tanh"')
        self.approximate: Approximate = approximate

    def forward(self, input: Tensor) -> Tensor:
        return linear_gelu_dropout(
            input,
            self.weight,
            self.bias,
            self.p,
            self.training,
            approximate=self.approximate,
            product=self.product,
        )
