"""Runs PyTorch's own tests of dropout with the patch on.

    python run_pytorch_tests.py PATH [test names …]

PATH is a checkout of PyTorch, or its file test/nn/test_dropout.py; it should be of the version that is installed. What
PyTorch's tests import must be there: `pip install expecttest`. The tests of `EXCEPTIONS` are left out, and counted.
"""

from __future__ import annotations

import runpy
import sys
import unittest
from pathlib import Path

import torch

import elision.torch

EXCEPTIONS: dict[str, str] = {}
"""Tests that do not pass under the patch, and why: none."""


def _file(path: str) -> Path:
    given = Path(path)
    return given / "test" / "nn" / "test_dropout.py" if given.is_dir() else given


def _cases(suite: unittest.TestSuite) -> list[unittest.TestCase]:
    cases = []
    for test in suite:
        cases += _cases(test) if isinstance(test, unittest.TestSuite) else [test]
    return cases


def _collect(path: Path) -> list[unittest.TestCase]:
    loader = unittest.defaultTestLoader
    names = runpy.run_path(str(path), run_name="test_dropout")
    classes = {value for value in names.values() if isinstance(value, type) and issubclass(value, unittest.TestCase)}
    suites = [loader.loadTestsFromTestCase(each) for each in sorted(classes, key=lambda c: c.__name__)]
    return [case for suite in suites for case in _cases(suite)]


def main(arguments: list[str]) -> int:
    path, *wanted = arguments
    cases = [case for case in _collect(_file(path)) if not wanted or case._testMethodName in wanted]
    left_out = [case for case in cases if case._testMethodName in EXCEPTIONS]
    suite = unittest.TestSuite(case for case in cases if case not in left_out)
    with elision.torch.patch():
        result = unittest.TextTestRunner(verbosity=2).run(suite)
    for case in left_out:
        print(f"left out: {case._testMethodName}: {EXCEPTIONS[case._testMethodName]}")
    passed = result.testsRun - len(result.failures) - len(result.errors) - len(result.skipped)
    print(f"PyTorch {torch.__version__}: {passed} passed, {len(result.skipped)} skipped, {len(left_out)} left out")
    return 0 if result.wasSuccessful() and passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) if len(sys.argv) > 1 else __doc__)
