"""The examples run, every public name is documented, and the program that compares writes what it says."""

import doctest
import importlib
import inspect
import json
import re
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

import elision.torch as et  # noqa: E402

GUIDE = Path(__file__).parents[2] / "TORCH.md"


@pytest.mark.parametrize("name", ["", "._dropout", "._linear", "._patch", ".modules"])
def test_examples_of_docstrings(name):
    module = importlib.import_module("elision.torch" + name)
    result = doctest.testmod(module)
    assert result.failed == 0 and result.attempted > 0


@pytest.mark.parametrize("name", [name for name in et.__all__ if name != "Save"])
def test_names_are_documented(name):
    assert len(inspect.getdoc(getattr(et, name)) or "") > 30


def test_examples_of_the_guide():
    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert len(blocks) >= 2
    for block in blocks:
        exec(compile(block, str(GUIDE), "exec"), {})
    assert not et.patched()


def test_the_comparison(tmp_path, monkeypatch, capsys):
    from elision.torch.bench.__main__ import main

    file, threads = tmp_path / "figures.json", str(torch.get_num_threads())
    words = ["bench", "--rounds", "1", "--seconds", "0", "--threads", threads, "--json", str(file)]
    monkeypatch.setattr(sys, "argv", words)
    main()
    figures = json.loads(file.read_text())
    assert figures["bytes kept"] == {"PyTorch": 4 << 20, "patched": 0, 'dropout(save="bits")': 4 << 20 >> 5}
    printed = capsys.readouterr().out
    for row in figures["rows"]:
        assert row["work"] in printed
        assert {"PyTorch", "patched"} <= row["variants"].keys() or "NumPy" in row["work"]
        assert next(iter(row["variants"].values()))["times faster"] == 1.0
    assert not et.patched()
