"""The examples of the docstrings and of the README run, and every public name is documented."""

import doctest
import inspect
import re
from pathlib import Path

import pytest

import elision
from elision import _dropout, _family, _linear

README = Path(__file__).parents[1] / "README.md"


@pytest.mark.parametrize("module", [_dropout, _family, _linear], ids=lambda m: m.__name__)
def test_examples_of_docstrings(module):
    result = doctest.testmod(module)
    assert result.failed == 0 and result.attempted > 5


@pytest.mark.parametrize("name", [name for name in elision.__all__ if callable(getattr(elision, name))])
def test_public_names_are_documented(name):
    assert len(inspect.getdoc(getattr(elision, name)) or "") > 40


def test_examples_of_the_readme():
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(blocks) >= 2
    for block in blocks:
        exec(compile(block, str(README), "exec"), {})
