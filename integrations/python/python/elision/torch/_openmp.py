"""The threads of elementwise calls: PyTorch's own, where those are OpenMP's."""

from __future__ import annotations

import ctypes

import torch

from .._native import _use_openmp


# at::get_num_threads(), which sees to it that a thread has the number that was set in another.
_NUM_THREADS = "_ZN2at15get_num_threadsEv"


def _find() -> tuple[int, int] | None:
    """The address of the function that starts a team of threads, and of the one that says how many they are."""
    if not torch.backends.openmp.is_available():
        return None
    try:
        # The search goes on in the libraries that this one needs, whatever they are called.
        torch_c = ctypes.CDLL(torch._C.__file__)
        functions = torch_c.GOMP_parallel, torch_c[_NUM_THREADS]
    except (OSError, AttributeError):
        return None
    parallel, threads = (ctypes.cast(function, ctypes.c_void_p).value for function in functions)
    return (parallel, threads) if parallel and threads else None


def share_threads() -> bool:
    """Makes the calls on raw addresses use those threads. Whether there are any."""
    found = _find()
    if found is not None:
        _use_openmp(*found)
    return found is not None
