"""`python -m elision.torch.build`: compiles the core of elision.torch for the PyTorch that is installed."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from . import _core


def _command(output: Path) -> list[str]:
    # Takes a while to import, and is needed here alone.
    from torch.utils.cpp_extension import include_paths, library_paths

    compiler = shlex.split(os.environ.get("CXX") or "c++")
    includes = [f"-I{each}" for each in include_paths()]
    libraries = [flag for each in library_paths() for flag in (f"-L{each}", f"-Wl,-rpath,{each}")]
    files = [os.fspath(_core.SOURCE), "-o", os.fspath(output)]
    return [*compiler, *_core.FLAGS, *includes, *files, *libraries, "-ltorch_cpu", "-lc10"]


def build() -> Path:
    """Compiles the core to where it is looked for. A process that runs meanwhile finds all of it or nothing.

    Raises OSError if there is no compiler, or no place for the file, and CalledProcessError if the compiler fails.
    """
    file = _core.path()
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=file.parent) as directory:
        output = Path(directory, file.name)
        pipe = subprocess.PIPE
        subprocess.run(_command(output), check=True, stdout=pipe, stderr=subprocess.STDOUT, text=True, errors="replace")
        os.replace(output, file)
    return file


def main() -> int:
    """The program: see `--help`."""
    parser = argparse.ArgumentParser(prog="python -m elision.torch.build", description=__doc__)
    parser.add_argument("--remove", action="store_true", help="remove what was compiled, for any PyTorch")
    if parser.parse_args().remove:
        for file in _core.path().parent.glob("torch-*.so"):
            file.unlink(missing_ok=True)
        return 0
    try:
        print(build())
    except OSError as error:
        print(f"no core was compiled: {error}. A compiler for C++20 is needed, c++ or what CXX names", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"{error.output}\nno core was compiled: {shlex.join(error.cmd)} failed", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
