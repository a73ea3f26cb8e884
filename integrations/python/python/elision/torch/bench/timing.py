"""Medians of variants of the same work, which take turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple

Step = Callable[[], object]


class Variant(NamedTuple):
    """One way to do some work."""

    name: str
    step: Step
    around: Callable[[], AbstractContextManager[object]]
    """What is entered around the steps, outside of the time."""


class Timed(NamedTuple):
    """Seconds that a step took: the median of the rounds, and their quartiles."""

    median: float
    quartiles: tuple[float, float]


def _seconds(step: Step, times: int) -> float:
    begin = time.perf_counter()
    for _ in range(times):
        step()
    return (time.perf_counter() - begin) / times


def _repeats(variant: Variant, seconds: float) -> int:
    """How many steps take about that long, once warm."""
    with variant.around():
        _seconds(variant.step, 3)
        once = _seconds(variant.step, 3)
    return max(1, round(seconds / max(once, 1e-7)))


def compare(variants: list[Variant], rounds: int, seconds: float) -> dict[str, Timed]:
    """Times the variants in turn, in so many rounds of about so many seconds each."""
    repeats = [_repeats(variant, seconds) for variant in variants]
    times: dict[str, list[float]] = {variant.name: [] for variant in variants}
    for _ in range(rounds):
        for variant, repeat in zip(variants, repeats):
            with variant.around():
                times[variant.name].append(_seconds(variant.step, repeat))
    return {name: _timed(each) for name, each in times.items()}


def _timed(times: list[float]) -> Timed:
    if len(times) < 2:
        return Timed(times[0], (times[0], times[0]))
    low, middle, high = statistics.quantiles(times, n=4, method="inclusive")
    return Timed(middle, (low, high))
