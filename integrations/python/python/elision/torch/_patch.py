"""Putting the package under PyTorch's own dropout, and taking it away again."""

from __future__ import annotations

import functools
import threading
from types import TracebackType
from typing import Any

import torch
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function_unary

from . import _aten, _core
from ._dropout import _compiled, _is_compiling, stock, trained
from ._tensors import plain


@functools.wraps(stock)
def _dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    if training and not inplace and 0.0 < p <= 1.0:
        if _is_compiling():
            return _compiled(input, p, inplace, None)
        # The compiled core finds out for itself.
        if not _core.native() and plain(input) and input.numel():
            return trained(input, p)
    if has_torch_function_unary(input):
        return handle_torch_function(stock, (input,), input, p=p, training=training, inplace=inplace)
    return stock(input, p, training, inplace)


# torch.jit.script compiles the function behind one that is marked like this, and so PyTorch's own.
_dropout.__dict__.update({"__script_if_tracing_wrapper": True, "__original_fn": stock})


def _install() -> Any:
    """Registers the kernels, and returns what holds them there."""
    library = torch.library.Library("aten", "IMPL")
    try:
        for name, (above, below) in _aten.composites().items():
            if name == "dropout" and _core.native():
                continue
            library.impl(name, above, "AutogradCPU")
            library.impl(name, below, "CPU")
        for name, kernel in _aten.BACKENDS.items():
            library.impl(name, kernel, "CPU")
        _core.patch()
    except BaseException:
        library._destroy()
        raise
    return library


def _forget_dispatch() -> None:
    """Makes PyTorch's Python dispatcher look anew for the kernels of the operators."""
    for name in [*_aten.composites(), *_aten.BACKENDS]:
        getattr(torch.ops.aten, name).default._dispatch_cache.clear()


class _State:
    """Whether the patch is in, and who wants it to be."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.asked = False
        """By a call of `patch` that no `unpatch` followed."""
        self.held = 0
        """By so many `with patch()`."""
        self.library: Any | None = None

    def settle(self) -> None:
        """Puts the patch in or takes it out."""
        wanted = self.asked or self.held > 0
        if wanted and self.library is None:
            self.library = _install()
            torch.nn.functional.dropout = _dropout
            _forget_dispatch()
        elif not wanted and self.library is not None:
            if torch.nn.functional.dropout is _dropout:
                torch.nn.functional.dropout = stock
            _core.unpatch()
            self.library._destroy()
            self.library = None
            _forget_dispatch()


_state = _State()


class Patch:
    """What `patch` returns: in a `with` statement, the patch ends with it."""

    def __init__(self, first: bool) -> None:
        self._first = first

    def __enter__(self) -> Patch:
        with _state.lock:
            _state.held += 1
            if self._first:
                # The call that made this patched for the sake of the statement alone.
                _state.asked = self._first = False
            _state.settle()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with _state.lock:
            _state.held -= 1
            _state.settle()


def patch() -> Patch:
    """Puts elision under PyTorch's dropout on the CPU, in the whole process, until `unpatch`.

    Changed are `torch.nn.functional.dropout`, and the CPU's kernels of `aten::dropout`, `native_dropout` (and its
    backward pass), `feature_dropout`, `alpha_dropout`, `feature_alpha_dropout` and their in-place forms: so `nn.Dropout`
    and its relatives, attention, recurrent layers and TorchScript too. float32 and bfloat16 are worked on here; other
    devices and dtypes, subclasses, and what a transform of `torch.func`, a mode or a tracer watches are left to PyTorch.

    Calling it twice does no more than calling it once. `with patch():` ends with the statement, unless it was called
    before; such statements nest. Call it while no other thread is within PyTorch: PyTorch changes its table of kernels
    without a lock. What `torch.compile` compiled before is compiled anew when it is called.

    >>> import torch
    >>> with patch():
    ...     y = torch.nn.functional.dropout(torch.ones(8))
    >>> patched()
    False
    """
    with _state.lock:
        first = not _state.asked
        _state.asked = True
        try:
            _state.settle()
        except BaseException:
            _state.asked = not first
            raise
    return Patch(first)


def unpatch() -> None:
    """Ends what `patch` began, and leaves everything as it was. Within a `with patch()` it ends with that statement."""
    with _state.lock:
        _state.asked = False
        _state.settle()


def patched() -> bool:
    """Whether elision is under PyTorch's dropout now."""
    return _state.library is not None
