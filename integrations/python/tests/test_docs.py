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


CLASSES = [elision.Key, elision.Mask, elision.Saved, elision.Threads, elision.use_isa]


@pytest.mark.parametrize("owner", CLASSES, ids=lambda c: c.__name__)
def test_classes_are_documented(owner):
    documented = {"": inspect.getdoc(owner)} | {
        name: member.__doc__ for name, member in vars(owner).items() if not name.startswith("_")
    }
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner()
    for name, text in documented.items():
        assert text and len(text) > 10, name
        runner.run(parser.get_doctest(text, {}, name, None, None))
    assert runner.summarize().failed == 0


FUNCTIONS = [name for name in elision.__all__ if inspect.isroutine(getattr(elision, name))]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_documented(name):
    assert len(inspect.getdoc(getattr(elision, name)) or "") > 40


def test_examples_of_the_readme():
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(blocks) >= 2
    for block in blocks:
        exec(compile(block, str(README), "exec"), {})
