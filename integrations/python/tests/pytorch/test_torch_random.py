"""Keys come from PyTorch's default generator: what rules it rules the masks."""

import threading
from contextlib import nullcontext

import pytest

torch = pytest.importorskip("torch")

import elision.torch as et  # noqa: E402
from elision import Key  # noqa: E402
from torch.utils.checkpoint import checkpoint  # noqa: E402

X = torch.ones(500)


def test_the_seed_repeats_the_masks():
    torch.manual_seed(3)
    first = [et.dropout(X) for _ in range(3)]
    torch.manual_seed(3)
    again = [et.dropout(X) for _ in range(3)]
    assert all(torch.equal(a, b) for a, b in zip(first, again))
    assert not torch.equal(first[0], first[1])
    torch.manual_seed(4)
    assert not torch.equal(et.dropout(X), first[0])


def test_the_state_repeats_the_masks():
    state = torch.get_rng_state()
    first = et.dropout(X)
    moved = torch.get_rng_state()
    torch.set_rng_state(state)
    assert torch.equal(et.dropout(X), first) and torch.equal(torch.get_rng_state(), moved)
    with torch.random.fork_rng():
        forked = et.dropout(X)
    assert torch.equal(et.dropout(X), forked)


def test_nothing_is_drawn_where_nothing_is_random():
    state = torch.get_rng_state()
    et.dropout(X, 0.0), et.dropout(X, 0.5, False), et.dropout(X, 0.5, key=Key(1))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("reentrant", [False, True])
def test_checkpoints_repeat_the_masks(reentrant):
    x = torch.randn(200, requires_grad=True)
    assert torch.equal(*_both_ways(lambda x: et.dropout(et.dropout(x * 2) + 1, 0.3), x, reentrant))
    drop = torch.nn.Dropout(0.3)
    with et.patch():
        assert torch.equal(*_both_ways(lambda x: drop(drop(x * 2) + 1), x, reentrant))


def _both_ways(layer, x, reentrant):
    torch.manual_seed(1)
    (want,) = torch.autograd.grad(layer(x).sum(), x)
    torch.manual_seed(1)
    x.grad = None
    y = checkpoint(layer, x, use_reentrant=reentrant)
    torch.rand(5)
    y.sum().backward()
    return x.grad, want


@pytest.mark.parametrize("patched", [False, True])
def test_threads_draw_different_keys_and_compute_at_once(patched):
    drop = (lambda x: torch.dropout(x, 0.5, True)) if patched else et.dropout
    with et.patch() if patched else nullcontext():
        masks = _drawn_by_threads(drop)
    assert len(set(masks)) == 32


def _drawn_by_threads(drop):
    x = torch.ones(100_000)
    masks, errors = [], []

    def work():
        try:
            for _ in range(8):
                leaf = x.clone().requires_grad_()
                y = drop(leaf)
                y.backward(x)
                assert torch.equal(leaf.grad, y)
                masks.append((y != 0).numpy().tobytes())
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    return masks


def test_a_thread_that_begins_in_inference_mode():
    results = []

    def work():
        with torch.inference_mode():
            et.dropout(X)
        leaf = X.clone().requires_grad_()
        et.dropout(leaf).sum().backward()
        results.append(leaf.grad)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert results
