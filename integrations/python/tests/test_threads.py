"""Threads: those of the work, and those of Python beside it."""

import multiprocessing
import sys
import threading
import time

import numpy as np
import pytest

import elision
from elision import Key, Threads

KEY = Key(3)


def test_the_number_of_threads_changes_no_bit():
    x = np.ones(300_001, np.float32)
    want = elision.dropout(x, 0.3, KEY)
    for n in (1, 2, 3):
        with Threads(n) as threads:
            assert elision.get_threads() == threads.n == n
            assert np.array_equal(elision.dropout(x, 0.3, KEY), want)


def test_choices_nest_and_are_taken_back():
    before = elision.get_threads()
    with Threads(3):
        with pytest.raises(KeyError), Threads(2):
            assert elision.get_threads() == 2
            raise KeyError
        assert elision.get_threads() == 3
        elsewhere = []
        thread = threading.Thread(target=lambda: elsewhere.append(elision.get_threads()))
        thread.start()
        thread.join()
        assert elsewhere == [before], "another thread has its own choice"
    assert elision.get_threads() == before
    elision.set_threads(1)
    assert elision.get_threads() == 1
    elision.set_threads(None)
    assert elision.get_threads() == before
    for n in (0, 1 << 40):
        with pytest.raises(ValueError, match="between 1 and"):
            Threads(n)


@pytest.mark.parametrize("isa", elision.available_isas())
def test_instruction_sets_change_no_bit(isa):
    x = np.ones(100_001, np.float32)
    want = elision.dropout(x, 0.3, KEY)
    with elision.use_isa(isa):
        assert elision.isa() == isa
        assert np.array_equal(elision.dropout(x, 0.3, KEY), want)


def test_no_instruction_set():
    with pytest.raises(ValueError, match="unknown instruction set"):
        elision.use_isa("sse9")


def test_python_runs_beside_large_work():
    """While one thread is in a long call, this one sees its steps: without a release it would see none."""
    x = np.ones(1 << 22, np.float32)
    out = np.empty_like(x)
    inside, steps, seen = threading.Event(), 0, 0
    stop = threading.Event()

    def work():
        with Threads(1), elision.use_isa("scalar"):
            while not stop.is_set():
                inside.set()
                elision.dropout(x, 0.3, KEY, out=out)
                inside.clear()

    interval = sys.getswitchinterval()
    # Nobody is made to give the interpreter up: it is released, or it is not.
    sys.setswitchinterval(60)
    thread = threading.Thread(target=work)
    try:
        thread.start()
        end = time.monotonic() + 60
        while seen < 3 and time.monotonic() < end:
            steps += 1
            seen += inside.is_set()
            time.sleep(0.001)
    finally:
        stop.set()
        thread.join()
        sys.setswitchinterval(interval)
    assert seen == 3


def test_an_array_that_another_call_writes_is_refused():
    x = np.ones(1 << 22, np.float32)
    refused, stop = threading.Event(), threading.Event()

    def work():
        with elision.use_isa("scalar"):
            while not stop.is_set():
                try:
                    elision.dropout(x, 0.0, KEY, out=x)
                except ValueError as error:
                    assert "shares memory" in str(error)
                    refused.set()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert refused.wait(60)
    stop.set()
    for thread in threads:
        thread.join()


def in_a_child(results):
    x = np.ones(1 << 18, np.float32)
    w = np.ones((64, 64), np.float32)
    y, saved = elision.linear(w, w, activation="relu", p=0.5, key=KEY)
    grads = elision.linear_backward(y, w, w, saved)
    results.put((elision.dropout(x, 0.3, KEY).sum(), grads.w.sum()))


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*")
def test_a_forked_child_has_threads_of_its_own():
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    in_a_child(results)
    want = results.get(timeout=60)
    child = context.Process(target=in_a_child, args=(results,))
    child.start()
    assert results.get(timeout=60) == want
    child.join(60)
    assert child.exitcode == 0
