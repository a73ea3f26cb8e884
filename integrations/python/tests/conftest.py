"""What several test modules share."""

import os
from pathlib import Path

import numpy as np
import pytest

GOLDEN = Path(os.environ.get("ELISION_GOLDEN") or Path(__file__).parents[3] / "tests" / "golden")


def fnv1a(data: bytes) -> int:
    """64-bit FNV-1a."""
    digest = 0xCBF29CE484222325
    for byte in data:
        digest = (digest ^ byte) * 0x100000001B3 % (1 << 64)
    return digest


def lines(name: str) -> list[list[str]]:
    """The fields of the lines of one of the library's golden files."""
    text = (GOLDEN / name).read_text()
    return [line.split(" ") for line in text.splitlines() if not line.startswith("#")]


@pytest.fixture
def x() -> np.ndarray:
    """Numbers of both signs that are not finite here and there."""
    x = np.linspace(-3, 3, 6 * 50, dtype=np.float32).reshape(6, 50)
    x[0, 0], x[1, 1], x[2, 2] = np.nan, np.inf, -np.inf
    return x
