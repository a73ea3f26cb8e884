"""Dropout on the CPU that costs nothing: for NumPy arrays, and for whatever speaks DLPack."""

from ._dropout import Where, dropout, dropout_backward, select
from ._linear import Activation, LinearGrads, linear, linear_backward
from ._native import (
    Key,
    Mask,
    Saved,
    Threads,
    UseIsa as use_isa,
    available_isas,
    get_threads,
    isa,
    set_threads,
)

__all__ = [
    "Activation",
    "Key",
    "LinearGrads",
    "Mask",
    "Saved",
    "Threads",
    "Where",
    "available_isas",
    "dropout",
    "dropout_backward",
    "get_threads",
    "isa",
    "linear",
    "linear_backward",
    "select",
    "set_threads",
    "use_isa",
]
