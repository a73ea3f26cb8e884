"""Times PyTorch's normal numbers and Gaussian dropout on one thread, for the sizes of benches/noise.rs.

Prints nanoseconds an element: the least of many runs, beside a scaled copy.
"""

import time

import torch

REPETITIONS = 200


def best(work, n):
    """The least time of a run, in nanoseconds an element."""
    for _ in range(10):
        work()
    times = []
    for _ in range(REPETITIONS):
        start = time.perf_counter_ns()
        work()
        times.append(time.perf_counter_ns() - start)
    return min(times) / n


def main():
    torch.set_num_threads(1)
    print(f"PyTorch {torch.__version__}, {torch.get_num_threads()} thread, ns an element")
    sigma = (0.3 / 0.7) ** 0.5
    for n in (1 << 16, 1 << 20):
        x, y = torch.randn(n), torch.empty(n)

        def gaussian_dropout():
            torch.mul(x, y.normal_(1.0, sigma), out=y)

        works = {
            "scaled copy": lambda: torch.mul(x, 1.25, out=y),
            "randn": lambda: torch.randn(n),
            "normal_": lambda: y.normal_(),
            "x * (1 + s * randn)": lambda: x * (1.0 + sigma * torch.randn(n)),
            "the same without temporaries": gaussian_dropout,
            "alpha_dropout": lambda: torch.nn.functional.alpha_dropout(x, 0.3, True),
        }
        for name, work in works.items():
            print(f"{n:8}  {name:30} {best(work, n):7.3f}")


if __name__ == "__main__":
    main()
