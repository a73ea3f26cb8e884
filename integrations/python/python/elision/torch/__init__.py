"""elision for PyTorch on the CPU: dropout that costs nothing, as functions, as modules, and under PyTorch's own.

>>> import torch, elision.torch
>>> with elision.torch.patch():
...     y = torch.nn.functional.dropout(torch.ones(1000), 0.1)
"""

from ._channels import alpha_dropout, dropout1d, dropout2d, dropout3d
from ._core import native
from ._dropout import Save, dropout
from ._linear import linear, linear_gelu_dropout, linear_relu_dropout
from ._openmp import share_threads
from ._patch import Patch, patch, patched, unpatch
from .modules import (
    AlphaDropout,
    Dropout,
    Dropout1d,
    Dropout2d,
    Dropout3d,
    LinearGeluDropout,
    LinearReluDropout,
)

share_threads()
del share_threads

__all__ = [
    "AlphaDropout",
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "Dropout3d",
    "LinearGeluDropout",
    "LinearReluDropout",
    "Patch",
    "Save",
    "alpha_dropout",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "linear",
    "linear_gelu_dropout",
    "linear_relu_dropout",
    "native",
    "patch",
    "patched",
    "unpatch",
]
