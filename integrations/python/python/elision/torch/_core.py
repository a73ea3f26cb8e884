"""The compiled core, where `python -m elision.torch.build` made one: dropout of ordinary tensors without Python."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import warnings
from pathlib import Path

import torch
from torch import Tensor
from torch.autograd import forward_ad

from .._native import _dropout_address
from ._key import signed

SOURCE = Path(__file__).with_name("native.cpp")
FLAGS = (
    "-O2",
    "-std=c++20",
    "-fPIC",
    "-shared",
    "-fvisibility=hidden",
    f"-D_GLIBCXX_USE_CXX11_ABI={int(torch._C._GLIBCXX_USE_CXX11_ABI)}",
)


def path() -> Path:
    """Where the core for this PyTorch and this source lies, or would."""
    cache = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(cache):
        cache = os.path.expanduser("~/.cache")
    what = hashlib.sha256(SOURCE.read_bytes() + "\0".join(FLAGS).encode()).hexdigest()[:16]
    return Path(cache, "elision", f"torch-{torch.__version__}-{platform.machine()}-{what}.so")


def _load() -> ctypes.CDLL | None:
    if os.name != "posix" or os.environ.get("ELISION_TORCH_NATIVE") == "0":
        return None
    file = path()
    if not file.exists():
        return None
    try:
        library = ctypes.CDLL(os.fspath(file))
        library.elision_begin(ctypes.c_void_p(_dropout_address()))
        return library
    except (OSError, AttributeError) as error:
        warnings.warn(
            f"elision.torch goes on without its compiled core: {error}. `python -m elision.torch.build` makes it anew",
            RuntimeWarning,
            stacklevel=2,
        )
        return None


_library = _load()


def native() -> bool:
    """Whether the compiled core is in use: see `python -m elision.torch.build`, and `ELISION_TORCH_NATIVE=0`."""
    return _library is not None


def fits(x: Tensor) -> bool:
    """Whether the core takes x, which is plain: see `plain`."""
    return (
        _library is not None
        and x.dtype is torch.float32
        and x.is_contiguous()
        and forward_ad._current_level < 0
    )


if _library is not None:
    # The functions behind the operators' objects in Python, which add nothing for tensors that are plain.
    from_draw = torch.ops.elision.dropout_from_draw.default._op
    _from_key = torch.ops.elision.dropout_from_key.default._op


def from_key(x: Tensor, p: float, low: int, high: int) -> Tensor:
    """Dropout of a tensor that fits, by the halves of a key."""
    return _from_key(x, p, signed(low), signed(high))


def patch() -> None:
    """Puts the core under `aten::dropout`."""
    if _library is not None and _library.elision_patch():
        raise RuntimeError("PyTorch refused the compiled core's kernels of aten::dropout")


def unpatch() -> None:
    """Takes it away again."""
    if _library is not None:
        _library.elision_unpatch()
