"""The threads of elementwise calls: PyTorch's own, where those are OpenMP's."""

from __future__ import annotations

import ctypes

import torch

from .._native import _use_openmp


def _find() -> tuple[int, int] | None:
    """The addresses of the functions of the runtime that PyTorch was linked with."""
    if not torch.backends.openmp.is_available():
        return None
    try:
        # The search goes on in the libraries that this one needs, whatever they are called.
        torch_c = ctypes.CDLL(torch._C.__file__)
        functions = torch_c.GOMP_parallel, torch_c.omp_get_max_threads
    except (OSError, AttributeError):
        return None
    parallel, max_threads = (ctypes.cast(function, ctypes.c_void_p).value for function in functions)
    return (parallel, max_threads) if parallel and max_threads else None


def share_threads() -> bool:
    """Makes the calls on raw addresses use those threads. Whether there are any."""
    found = _find()
    if found is not None:
        _use_openmp(*found)
    return found is not None
