"""A linear layer, its activation and its dropout in one product, for autograd."""

from __future__ import annotations

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function
from torch.overrides import handle_torch_function, has_torch_function

from .. import Activation, Key, _native
from ._dropout import check_rate, dropout
from ._elementwise import dropped, dropped_
from ._key import draw
from ._tensors import plain

Approximate = Literal["none", "tanh"]
Product = Literal["pytorch", "elision"]

# The activations whose backward pass reads the output, so that nothing else need be kept.
_FROM_OUTPUT = frozenset(["identity", "relu"])
_ACTIVATIONS = {
    "identity": lambda z: z,
    "relu": F.relu,
    "gelu": lambda z: F.gelu(z, approximate="tanh"),
    "gelu-erf": F.gelu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
}


class _Fused(Function):
    """A layer on `[m, k]` by elision's products, which keeps the output, or the sums that its activation needs."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, bias: Tensor | None, activation: Activation, rate: Any) -> Tensor:
        x, w = x.contiguous(), w.contiguous()
        m, k = x.shape
        n = w.shape[0]
        y = x.new_empty((m, n))
        needed = any(ctx.needs_input_grad)
        bias = None if bias is None else bias.contiguous()
        at = x.data_ptr(), w.data_ptr(), _address(bias), y.data_ptr()
        from_output = activation in _FROM_OUTPUT
        saved = _native._linear_ptr(at, (m, n, k), activation, rate, needed and not from_output)
        if needed:
            ctx.save_for_backward(x, w, bias, y if from_output else None)
            ctx.layer = activation, rate, saved
        return y

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        x, w, bias, y = ctx.saved_tensors
        wanted = ctx.needs_input_grad[:3]
        if torch.is_grad_enabled() or not plain(g):
            return *_differentiable(ctx, g, (x, w, bias)), None, None
        saved = ctx.layer[2]
        g = g.contiguous()
        (m, k), n = x.shape, w.shape[0]
        if saved is None:
            g = _before_dropout(ctx, g, y)
        grads = [torch.empty_like(t) if want else None for t, want in zip((x, w, bias), wanted)]
        inputs = g.data_ptr(), x.data_ptr(), w.data_ptr()
        of_x, of_w, of_bias = map(_address, grads)
        if saved is not None:
            _native._linear_backward_ptr(inputs, (m, n, k), saved, (of_x, of_w, of_bias))
        else:
            _native._product_backward_ptr(inputs, (m, n, k), (of_x, of_w))
            if grads[2] is not None:
                torch.sum(g, 0, out=grads[2])
        return *grads, None, None


class _OnProduct(Function):
    """ReLU or nothing, and dropout, on PyTorch's product where it lies. The output alone is kept."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, bias: Tensor | None, activation: Activation, rate: Any) -> Tensor:
        y = F.linear(x, w, bias)
        if activation == "relu":
            y.relu_()
        if rate is not None:
            dropped_(y, rate[0], rate[1].low, rate[1].high)
        ctx.save_for_backward(x, w, bias, y)
        ctx.layer = activation, rate, None
        return y

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        x, w, bias, y = ctx.saved_tensors
        if torch.is_grad_enabled() or not plain(g):
            return *_differentiable(ctx, g, (x, w, bias)), None, None
        of_x, of_w, of_bias = ctx.needs_input_grad[:3]
        g = _before_dropout(ctx, g.contiguous(), y)
        dx = g @ w if of_x else None
        dw = g.t() @ x if of_w else None
        return dx, dw, g.sum(0) if of_bias else None, None, None


def _before_dropout(ctx: Any, g: Tensor, y: Tensor) -> Tensor:
    """The gradient of the product. Behind ReLU an output that is not positive was dropped, or has no gradient."""
    activation, rate, _ = ctx.layer
    if activation == "relu":
        g = torch.ops.aten.threshold_backward(g, y, 0)
        return g if rate is None else g.mul_(_native.scale_of(rate[0]))
    return g if rate is None else dropped(g, rate[0], rate[1].low, rate[1].high)


def _address(x: Tensor | None) -> int:
    return 0 if x is None else x.data_ptr()


def _differentiable(ctx: Any, g: Tensor, inputs: tuple[Tensor, Tensor, Tensor | None]) -> list[Tensor | None]:
    """The gradients by the layer in parts, which can be differentiated again."""
    activation, rate, _ = ctx.layer
    wanted = ctx.needs_input_grad[:3]
    leaves = [t for t, want in zip(inputs, wanted) if want and t is not None]
    with torch.enable_grad():
        y = _in_parts(*inputs, activation, rate)
        grads = iter(torch.autograd.grad(y, leaves, g, create_graph=True))
    return [next(grads) if want else None for want in wanted]


def _in_parts(x: Tensor, w: Tensor, bias: Tensor | None, activation: Activation, rate: Any) -> Tensor:
    y = _ACTIVATIONS[activation](F.linear(x, w, bias))
    return y if rate is None else dropout(y, rate[0], key=rate[1])


def linear(
    x: Tensor,
    w: Tensor,
    bias: Tensor | None = None,
    *,
    activation: Activation = "identity",
    p: float = 0.0,
    training: bool = True,
    key: Key | None = None,
    product: Product = "pytorch",
) -> Tensor:
    """`dropout(activation(x @ w.T + bias))` without the tensors in between, for training.

    x: float32, `[..., k]`. w: float32, `[n, k]`. bias: float32, `[n]`. The output is `[..., n]`.
    activation: "identity", "relu", "gelu" (the tanh form), "gelu-erf" (PyTorch's own), "tanh" or "sigmoid".
    p, training, key: as in `dropout`; without a key, one is drawn from PyTorch's default generator.

    product: whose matrix product. With "pytorch", ReLU and dropout work on its result where it lies, and other activations
        are computed as in a model without this function. "elision" applies any of them while it computes the product; with
        a smooth activation, on threads of its own, which wait for the same processors as PyTorch's. The masks are the same.

    For "identity" and "relu" the backward pass keeps x, w and the output alone; for the others, what their derivative
    needs beside them.

    Other dtypes, devices and kinds of tensors, and what autocast, `torch.compile`, a transform or a mode sees, are computed by
    PyTorch's functions, with `elision.torch.dropout` behind them.

    >>> import torch
    >>> x, w = torch.ones(2, 3), torch.ones(4, 3, requires_grad=True)
    >>> linear(x, w, activation="relu", p=0.5, key=Key(1)).shape
    torch.Size([2, 4])
    """
    check_rate(p)
    if activation not in _ACTIVATIONS:
        raise ValueError(f"activation = {activation!r} is none of {', '.join(_ACTIVATIONS)}")
    if has_torch_function((x, w)):
        how: dict[str, Any] = {"activation": activation, "p": p, "training": training, "key": key, "product": product}
        return handle_torch_function(linear, (x, w), x, w, bias, **how)
    if product not in ("pytorch", "elision"):
        raise ValueError(f'product = {product!r} is neither "pytorch" nor "elision"')
    drops = training and p > 0.0
    in_parts = product == "pytorch" and activation not in _FROM_OUTPUT
    if in_parts or torch.compiler.is_compiling() or not _fits(x, w, bias):
        y = _ACTIVATIONS[activation](F.linear(x, w, bias))
        return dropout(y, p, drops, key=key) if drops else y
    rate = None
    if drops:
        rate = p, key or _drawn(), 0
    layer = _Fused if product == "elision" else _OnProduct
    y = layer.apply(x.reshape(-1, x.shape[-1]), w, bias, activation, rate)
    return y if x.dim() == 2 else y.view(*x.shape[:-1], w.shape[0])


def _drawn() -> Key:
    low, high = draw()
    return Key.from_int(low | high << 64)


def _fits(x: Tensor, w: Tensor, bias: Tensor | None) -> bool:
    """Whether the layer is one that is computed here: PyTorch says what is wrong with the others."""
    tensors = [x, w] if bias is None else [x, w, bias]
    return (
        all(plain(t) and t.dtype is torch.float32 for t in tensors)
        and torch.autograd.forward_ad._current_level < 0
        and not torch.is_autocast_enabled("cpu")
        and x.dim() >= 1
        and w.dim() == 2
        and x.shape[-1] == w.shape[1]
        and (bias is None or bias.shape == w.shape[:1])
        and x.numel() > 0
        and w.numel() > 0
    )


def linear_relu_dropout(
    x: Tensor,
    w: Tensor,
    bias: Tensor | None = None,
    p: float = 0.5,
    training: bool = True,
    key: Key | None = None,
    *,
    product: Product = "pytorch",
) -> Tensor:
    """`dropout(relu(x @ w.T + bias), p)`: see `linear`."""
    return linear(x, w, bias, activation="relu", p=p, training=training, key=key, product=product)


def linear_gelu_dropout(
    x: Tensor,
    w: Tensor,
    bias: Tensor | None = None,
    p: float = 0.5,
    training: bool = True,
    key: Key | None = None,
    *,
    approximate: Approximate = "none",
    product: Product = "pytorch",
) -> Tensor:
    """`dropout(gelu(x @ w.T + bias), p)`: see `linear`. approximate: as in `torch.nn.functional.gelu`."""
    activation: Activation = "gelu" if approximate == "tanh" else "gelu-erf"
    return linear(x, w, bias, activation=activation, p=p, training=training, key=key, product=product)
