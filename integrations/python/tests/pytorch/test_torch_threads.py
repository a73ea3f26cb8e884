"""PyTorch's threads under elementwise calls: they change no bit, and a forked child does without them."""

import multiprocessing
import os
import platform
import subprocess
import sys
import threading

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import elision.torch as et  # noqa: E402
from elision import Key  # noqa: E402
from elision.torch._openmp import share_threads  # noqa: E402

KEY = Key(3)
# Long enough for several pieces, of which the last is short and ends within a word.
N = 7 * 32_768 + 77

CALLS = {
    "elements": lambda x: et.dropout(x, 0.3, key=KEY),
    "elements in place": lambda x: et.dropout(x.clone(), 0.3, inplace=True, key=KEY),
    "bits": lambda x: et.dropout(x, 0.3, key=KEY, save="bits"),
    "alpha": lambda x: et.alpha_dropout(x, 0.3, key=KEY),
    "channels": lambda x: et.dropout1d(x.view(1, N // 7, 7), 0.3, key=KEY),
    "channels in one row": lambda x: et.dropout1d(x.view(1, 1, N), 0.5, key=KEY),
    "bfloat16": lambda x: et.dropout(x.bfloat16(), 0.3, key=KEY),
}


@pytest.fixture
def threads():
    """Sets PyTorch's threads, and what they were when the test ends."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def both_passes(call):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(N, generator=generator, requires_grad=True)
    y = call(x)
    (dx,) = torch.autograd.grad(y, x, torch.randn(y.shape, generator=generator).to(y.dtype))
    return y.detach(), dx


@pytest.mark.parametrize("call", CALLS)
def test_their_number_changes_no_bit(call, threads):
    results = []
    for n in (1, 2, 3):
        threads(n)
        results.append(both_passes(CALLS[call]))
    for y, dx in results[1:]:
        assert torch.equal(y, results[0][0]) and torch.equal(dx, results[0][1])


@pytest.mark.skipif(platform.system() != "Linux", reason="the runtime is looked for by names that Linux has")
def test_they_are_found():
    assert share_threads() == torch.backends.openmp.is_available()


def test_several_threads_may_call_at_once(threads):
    threads(2)
    want = both_passes(CALLS["elements"])
    results = []
    callers = [threading.Thread(target=lambda: results.append(both_passes(CALLS["elements"]))) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(results) == 4
    assert all(torch.equal(y, want[0]) and torch.equal(dx, want[1]) for y, dx in results)


COUNTS = """
import os, threading
import torch
import elision.torch
torch.set_num_threads(1)
x, counts = torch.ones(1 << 20), []
def call():
    elision.torch.dropout(x, 0.5)
    counts.append(len(os.listdir("/proc/self/task")))
call()
caller = threading.Thread(target=call)
caller.start()
caller.join()
torch.set_num_threads(3)
call()
print(*counts)
"""


@pytest.mark.skipif(platform.system() != "Linux", reason="the threads of the process are counted as Linux counts them")
def test_there_are_as_many_as_were_set_whichever_thread_calls():
    environment = {**os.environ, "OMP_NUM_THREADS": "4"}
    done = subprocess.run([sys.executable, "-c", COUNTS], env=environment, capture_output=True, text=True, check=True)
    alone, another, three = map(int, done.stdout.split())
    # The other caller is a thread itself.
    assert (another - alone, three - alone) == (1, 2)


def sum_in_a_child(results):
    # Without PyTorch's own shared operators, which would wait for threads that a fork does not copy.
    y = et.dropout(torch.from_numpy(np.ones(N, np.float32)), 0.3, key=KEY)
    results.put(y.numpy().sum(dtype=np.float64))


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*")
def test_a_forked_child_does_without_them(threads):
    threads(2)
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    sum_in_a_child(results)
    want = results.get(timeout=60)
    child = context.Process(target=sum_in_a_child, args=(results,))
    child.start()
    assert results.get(timeout=60) == want
    child.join(60)
    assert child.exitcode == 0
