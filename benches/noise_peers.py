"""Times the normal numbers and Gaussian dropout of PyTorch and Keras on one thread, for the sizes of benches/noise.rs.

Prints nanoseconds an element: the least of many runs, beside a scaled copy in the same library. Keras is left out where it
is not installed; KERAS_BACKEND chooses what it runs on.
"""

import os
import time

# Before anything that starts threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

import torch

REPETITIONS = 200
P = 0.3
SIGMA = (P / (1 - P)) ** 0.5
SIZES = (1 << 16, 1 << 20)


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


def report(n, works):
    for name, work in works.items():
        print(f"{n:8}  {name:30} {best(work, n):7.3f}")


def measure_torch():
    torch.set_num_threads(1)
    print(f"PyTorch {torch.__version__}, {torch.get_num_threads()} thread, ns an element")
    for n in SIZES:
        x, y = torch.randn(n), torch.empty(n)
        report(
            n,
            {
                "scaled copy": lambda: torch.mul(x, 1.25, out=y),
                "randn": lambda: torch.randn(n),
                "normal_": lambda: y.normal_(),
                "x * (1 + s * randn)": lambda: x * (1.0 + SIGMA * torch.randn(n)),
                "the same without temporaries": lambda: torch.mul(x, y.normal_(1.0, SIGMA), out=y),
                "alpha_dropout": lambda: torch.nn.functional.alpha_dropout(x, P, True),
            },
        )


def measure_keras():
    try:
        import keras
    except ImportError:
        print("Keras is not installed: left out")
        return
    print(f"Keras {keras.__version__} on {keras.backend.backend()}, ns an element")

    def done(x):
        # JAX returns before the work is done.
        return x.block_until_ready() if hasattr(x, "block_until_ready") else x

    for n in SIZES:
        generator = keras.random.SeedGenerator(1)
        x = keras.random.normal((n,), seed=generator)
        layer = keras.layers.GaussianDropout(P, seed=1)
        report(
            n,
            {
                "scaled copy": lambda: done(x * 1.25),
                "random.normal": lambda: done(keras.random.normal((n,), seed=generator)),
                "GaussianDropout": lambda: done(layer(x, training=True)),
            },
        )


if __name__ == "__main__":
    measure_torch()
    measure_keras()
