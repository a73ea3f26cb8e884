"""The program: see `--help`."""

from __future__ import annotations

import argparse
import json
import platform
from typing import Any

import torch

import elision

from .. import dropout, native, patch
from . import work
from .timing import Timed, Variant, compare

Row = dict[str, Any]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m elision.torch.bench", description=__doc__)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of PyTorch and of elision")
    parser.add_argument("--p", type=float, default=0.5, help="the drop probability")
    parser.add_argument("--rounds", type=int, default=15, help="of which the median is taken")
    parser.add_argument("--seconds", type=float, default=0.1, help="of each variant in each round, about")
    parser.add_argument("--json", metavar="FILE", help="write the figures there, too")
    return parser.parse_args()


def _works(p: float) -> dict[str, list[Variant]]:
    return {
        "F.dropout, 64 Ki, forward + backward": work.elements(1 << 16, p),
        "F.dropout, 1 Mi, forward + backward": work.elements(1 << 20, p),
        "eight of F.dropout in a row, 64 Ki, forward + backward": work.elements(1 << 16, p, times=8),
        "3 x 1024 network, batch 128, training step": work.network(128, p),
        "transformer encoder layer, training step": work.transformer(p),
        "F.dropout, 64 elements, no gradient": work.call(64, p),
        "an array of NumPy, 64 elements": work.numpy_call(64, p),
    }


def _row(name: str, times: dict[str, Timed]) -> Row:
    first = next(iter(times.values())).median
    variants = {
        variant: {
            "microseconds": timed.median * 1e6,
            "quartiles": [each * 1e6 for each in timed.quartiles],
            "times faster": first / timed.median,
        }
        for variant, timed in times.items()
    }
    return {"work": name, "variants": variants}


def _print_row(row: Row) -> None:
    print(row["work"])
    for variant, figures in row["variants"].items():
        low, high = figures["quartiles"]
        print(
            f"  {variant:<22}{figures['microseconds']:>12.1f} us  ({low:.1f} to {high:.1f})"
            f"{figures['times faster']:>9.2f} x"
        )


def _memory(n: int, p: float) -> dict[str, int]:
    """Bytes that are kept for the backward pass."""
    functional = torch.nn.functional
    stock = work.kept_bytes(lambda x: functional.dropout(x, p), n)
    with patch():
        patched = work.kept_bytes(lambda x: functional.dropout(x, p), n)
    bits = work.kept_bytes(lambda x: dropout(x, p, save="bits"), n)
    return {work.STOCK: stock, work.PATCHED: patched, 'dropout(save="bits")': bits}


def _machine(options: argparse.Namespace) -> dict[str, Any]:
    return {
        "torch": torch.__version__,
        "python": platform.python_version(),
        "isa": elision.isa(),
        "native": native(),
        "threads": options.threads,
        "p": options.p,
        "rounds": options.rounds,
    }


def main() -> None:
    """Times everything, prints it, and writes it if a file is given."""
    options = _options()
    torch.set_num_threads(options.threads)
    elision.set_threads(options.threads)
    machine = _machine(options)
    print(", ".join(f"{name} {value}" for name, value in machine.items()))
    rows = []
    for name, variants in _works(options.p).items():
        rows.append(_row(name, compare(variants, options.rounds, options.seconds)))
        _print_row(rows[-1])
    memory = _memory(1 << 20, options.p)
    print("bytes kept for the backward pass of F.dropout, 1 Mi")
    for name, size in memory.items():
        print(f"  {name:<22}{size:>12}")
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"machine": machine, "rows": rows, "bytes kept": memory}, file, indent=1)


if __name__ == "__main__":
    main()
