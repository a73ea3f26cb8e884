"""What is timed: dropout alone, a network, a layer of a transformer, and calls on little."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import elision
from elision import Key

from .. import LinearReluDropout, dropout, patch
from .._linear import Product
from .timing import Step, Variant

STOCK, PATCHED = "PyTorch", "patched"


def before_and_after(step: Step) -> list[Variant]:
    """A step as it is, and with the patch."""
    return [Variant(STOCK, step, nullcontext), Variant(PATCHED, step, patch)]


def _both_passes(drop: Callable[[Tensor], Tensor], n: int) -> Step:
    x, g = torch.randn(n, requires_grad=True), torch.randn(n)

    def step() -> None:
        x.grad = None
        drop(x).backward(g)

    return step


def _in_a_row(times: int, drop: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    def drops(x: Tensor) -> Tensor:
        for _ in range(times):
            x = drop(x)
        return x

    return drops


def elements(n: int, p: float, times: int = 1) -> list[Variant]:
    """Dropout of n elements, so many times in a row, and one backward pass."""

    def step(drop: Callable[[Tensor], Tensor]) -> Step:
        return _both_passes(_in_a_row(times, drop), n)

    bits = step(lambda x: dropout(x, p, save="bits"))
    functional = step(lambda x: nn.functional.dropout(x, p))
    # What autograd costs at least: a product by a number, forward and backward.
    scaled = step(lambda x: x * 2.0)
    return [
        *before_and_after(functional),
        Variant('dropout(save="bits")', bits, nullcontext),
        Variant("x * 2.0", scaled, nullcontext),
    ]


def _training(model: nn.Module, loss: Callable[[], Tensor]) -> Step:
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)

    def step() -> None:
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()

    return step


def _network(product: Product | None, p: float) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs in (784, 1024, 1024):
        if product is not None:
            layers.append(LinearReluDropout(inputs, 1024, p=p, product=product))
        else:
            layers += [nn.Linear(inputs, 1024), nn.ReLU(), nn.Dropout(p)]
    return nn.Sequential(*layers, nn.Linear(1024, 10))


def network(batch: int, p: float) -> list[Variant]:
    """A training step of 784 inputs, three layers of 1024 and ten classes."""
    x, labels = torch.randn(batch, 784), torch.randint(0, 10, (batch,))

    def step(model: nn.Module) -> Step:
        return _training(model, lambda: nn.functional.cross_entropy(model(x), labels))

    fused, own = step(_network("pytorch", p)), step(_network("elision", p))
    return [
        *before_and_after(step(_network(None, p))),
        Variant("linear_relu_dropout", fused, nullcontext),
        Variant('product="elision"', own, nullcontext),
        Variant("without dropout", step(_network(None, 0.0)), nullcontext),
    ]


def transformer(p: float) -> list[Variant]:
    """A training step of an encoder layer: 16 sequences of 64, width 256, 4 heads, 1024 in between."""
    layer: Any = nn.TransformerEncoderLayer(256, 4, 1024, dropout=p, batch_first=True)
    x = torch.randn(16, 64, 256)
    return before_and_after(_training(layer, lambda: layer(x).square().mean()))


def call(n: int, p: float) -> list[Variant]:
    """One call without gradients on n elements."""
    x = torch.randn(n)
    functional = torch.nn.functional
    return [
        *before_and_after(lambda: functional.dropout(x, p)),
        Variant("x * 2.0", lambda: x * 2.0, nullcontext),
    ]


def numpy_call(n: int, p: float) -> list[Variant]:
    """One call on an array of n elements, beside a ufunc of NumPy's."""
    x, y, key = np.ones(n, np.float32), np.empty(n, np.float32), Key(1)
    return [
        Variant("numpy.multiply", lambda: np.multiply(x, x, out=y), nullcontext),
        Variant("elision.dropout", lambda: elision.dropout(x, p, key, out=y), nullcontext),
    ]


def kept_bytes(drop: Callable[[Tensor], Tensor], n: int) -> int:
    """The bytes that autograd keeps of dropout of n elements."""
    kept: dict[int, int] = {}

    def pack(x: Tensor) -> Tensor:
        storage = x.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return x

    x = torch.randn(n, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        drop(x)
    return sum(kept.values())
