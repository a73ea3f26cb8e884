"""Keys drawn from PyTorch's default generator, so that its seed, its state and its forks rule the masks."""

from __future__ import annotations

import ctypes
import threading

import torch

from .. import Key

NUMBERS = 2
"""Random numbers of 63 bits that make a key."""
BOUND = 2**63 - 1


class _Numbers(threading.local):
    """Two numbers that PyTorch fills with random bits, for each thread: to fill them lets other threads run."""

    def __init__(self) -> None:
        with torch.inference_mode(False):
            self.tensor = torch.empty(NUMBERS, dtype=torch.int64, device="cpu")
        self.fill = self.tensor.random_
        self.values = (ctypes.c_int64 * NUMBERS).from_address(self.tensor.data_ptr())


_numbers = _Numbers()


def draw() -> tuple[int, int]:
    """The halves of a key from the default generator of the CPU, which moves on by two numbers."""
    numbers = _numbers
    numbers.fill()
    low, high = numbers.values
    return low, high


def halves(key: Key | None) -> tuple[int, int]:
    """The halves of a key, or of one that is drawn."""
    return draw() if key is None else (key.low, key.high)


def as_tensor(low: int, high: int) -> torch.Tensor:
    """A key as the operators take it: two numbers of 64 bits."""
    return torch.tensor([signed(low), signed(high)], dtype=torch.int64, device="cpu")


def from_tensor(key: torch.Tensor) -> tuple[int, int]:
    """The halves of such a key."""
    low, high = key.tolist()
    return low & (2**64 - 1), high & (2**64 - 1)


def signed(half: int) -> int:
    """The half of a key as the operators take it."""
    return half - 2**64 if half >= 2**63 else half
