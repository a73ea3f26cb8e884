"""The compiled core: it is the kernels in Python, faster; and what becomes of one that is not there, or broken."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import elision.torch as et  # noqa: E402
from elision import Key  # noqa: E402
from elision.torch import _core  # noqa: E402

F = torch.nn.functional
KEY = Key(11)
NODE = "ElisionDropoutBackward"

built = pytest.mark.skipif(not et.native(), reason="no compiled core: python -m elision.torch.build makes one")
WAYS = {
    "patched": lambda x: F.dropout(x, 0.4),
    "drawn": lambda x: et.dropout(x, 0.4),
    "by a key": lambda x: et.dropout(x, 0.4, key=KEY),
}


@pytest.fixture(params=WAYS)
def drop(request):
    with et.patch():
        yield WAYS[request.param]


def python(*words, **environment):
    environment = {**os.environ, "ELISION_TORCH_NATIVE": "1", **environment}
    return subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True)


MASKS = """
import hashlib, torch, elision.torch as et
from elision import Key
seen = hashlib.sha256()
torch.manual_seed(9)
with et.patch():
    for n in (1, 63, 64, 4097, 1 << 18):
        for p in (1e-9, 0.1, 0.5, 1.0):
            for key in (None, Key.from_int(2**127 + n)):
                for drop in (lambda x: torch.dropout(x, p, True), lambda x: et.dropout(x, p, key=key)):
                    x = torch.randn(n, requires_grad=True)
                    y = drop(x)
                    y.backward(torch.randn(n))
                    for part in (y.detach(), x.grad, torch.get_rng_state()):
                        seen.update(part.numpy().tobytes())
print(et.native(), seen.hexdigest())
"""


@built
def test_masks_and_the_generators_state_are_those_of_python():
    native, here = python("-c", MASKS).stdout.split()
    other, there = python("-c", MASKS, ELISION_TORCH_NATIVE="0").stdout.split()
    assert (native, other) == ("True", "False") and here == there


@built
def test_what_it_takes(drop):
    x = torch.randn(30, 40, requires_grad=True)
    node = drop(x).grad_fn
    assert node.name() == NODE and node.next_functions[0][0].variable is x
    with torch.no_grad():
        assert drop(x).grad_fn is None
    with torch.inference_mode():
        assert drop(x).is_inference()
    assert drop(x.detach()).grad_fn is None


OTHERS = {
    "bfloat16": torch.ones(30, 40, dtype=torch.bfloat16),
    "channels last": torch.ones(2, 3, 4, 5).to(memory_format=torch.channels_last),
    "transposed": torch.ones(30, 40).t(),
    "float64": torch.ones(30, 40, dtype=torch.float64),
}


@built
@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_left_to_python(kind):
    with et.patch():
        x = OTHERS[kind].clone().requires_grad_()
        y = torch.dropout(x, 0.4, True)
    y.sum().backward()
    assert y.grad_fn.name() != NODE and y.stride() == x.stride()
    assert torch.equal(x.grad != 0, y != 0) and 0 < (y == 0).sum() < y.numel()


@built
@pytest.mark.parametrize("x", [torch.ones(4, 5).t(), torch.ones(4, dtype=torch.float64)])
def test_operators_that_are_called_directly(x):
    for name, key in (("dropout_from_draw", ()), ("dropout_from_key", (1, 2))):
        operator = getattr(torch.ops.elision, name)
        with pytest.raises(TypeError, match="x is no contiguous float32 tensor"):
            operator(x, 0.5, *key)
        with pytest.raises(RuntimeError, match="elision failed"):
            operator(torch.ones(4), 2.0, *key)


def gradient(y, x, g, **how):
    return torch.autograd.grad(y, x, g, retain_graph=True, **how)[0]


def test_gradients_of_gradients_and_several_at_once(drop):
    x, g = torch.randn(30, requires_grad=True), torch.randn(4, 30, requires_grad=True)
    y = drop(x)
    mask = gradient(y, x, torch.ones(30))
    dx = gradient(y, x, g[0], create_graph=True)
    assert torch.equal(dx, g[0] * mask) and torch.equal(gradient(dx, g, torch.ones(30))[0], mask)
    assert torch.equal(gradient(y, x, g, is_grads_batched=True), g * mask)
    assert torch.equal(gradient(y, x, torch._neg_view(g[1].detach())), -g[1] * mask)
    assert torch.equal(gradient(y, x, g[2:3].mT[:, 0]), g[2] * mask)
    assert torch.equal(gradient(y, x, torch.ones(()).expand(30)), mask)


def test_a_gradient_that_is_not_a_number_is_dropped(drop):
    x = torch.ones(200, requires_grad=True)
    y = drop(x)
    dx = gradient(y, x, torch.full((200,), torch.nan))
    assert torch.equal(dx == 0, y == 0) and dx[y != 0].isnan().all() and not dx[y == 0].signbit().any()


class Doubled(torch.autograd.Function):
    """Twice the tensor, which notes where its gradients lie."""

    places: list[int] = []

    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, g):
        dx = g * 2
        Doubled.places.append(dx.data_ptr())
        return dx


@built
def test_a_gradient_that_nobody_sees_is_overwritten(drop):
    x = torch.ones(30, requires_grad=True)
    Doubled.apply(drop(x)).backward(torch.ones(30))
    assert Doubled.places.pop() == x.grad.data_ptr()


def test_a_gradient_that_somebody_sees_stays(drop):
    x = torch.ones(30, requires_grad=True)
    y, seen, numbers = drop(x), [], np.ones(30, np.float32)
    y.retain_grad()
    y.register_hook(seen.append)
    y.register_hook(lambda g: seen.append(g.view(5, 6)[1:]))
    z = y * 3
    z.backward(torch.ones(30), retain_graph=True)
    first = x.grad.clone()
    assert (y.grad == 3).all() and all((each == 3).all() for each in seen)
    y.register_hook(lambda g: torch.from_numpy(numbers))
    g = torch.ones(30)
    y.backward(g, retain_graph=True)
    assert (g == 1).all() and (numbers == 1).all()
    x.grad = None
    z.backward(torch.ones(30))
    assert torch.equal(x.grad * 3, first) and (numbers == 1).all()


def test_a_gradient_that_is_asked_for_besides(drop):
    x = torch.ones(30, requires_grad=True)
    y = drop(x)
    dy, dx = torch.autograd.grad(y * 3, (y, x), torch.ones(30))
    assert (dy == 3).all() and torch.equal(dx, 3 * y)


def test_hooks_see_and_replace(drop):
    x = torch.ones(30, requires_grad=True)
    y = drop(x)
    seen = []
    y.grad_fn.register_hook(lambda ins, outs: seen.append((ins[0].clone(), outs[0].clone())))
    y.grad_fn.register_prehook(lambda outs: (outs[0] * 5,))
    y.sum().backward()
    assert torch.equal(x.grad, 5 * y) and torch.equal(seen[0][0], x.grad) and (seen[0][1] == 5).all()


def test_branches_add_up(drop):
    x = torch.randn(30, requires_grad=True)
    y = drop(x)
    (y.exp() + y * y).sum().backward()
    torch.testing.assert_close(x.grad, (y.exp() + 2 * y) * gradient(y, x, torch.ones(30)))


def test_a_graph_of_one_thread_in_another(drop):
    x = torch.ones(1 << 17, requires_grad=True)
    y = drop(x)
    thread = threading.Thread(target=lambda: y.sum().backward())
    thread.start()
    thread.join()
    assert torch.equal(x.grad, y)


def test_anomalies_are_traced(drop):
    x = torch.ones(30, requires_grad=True)
    with pytest.warns(UserWarning, match="Anomaly Detection"), torch.autograd.detect_anomaly():
        drop(x).sum().backward()
        with pytest.warns(UserWarning, match="Error detected"), pytest.raises(RuntimeError, match="nan"):
            drop(x).backward(torch.full((30,), torch.nan))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_compiled_autograd(drop):
    from torch._dynamo import compiled_autograd

    x = torch.ones(30, requires_grad=True)
    for _ in range(2):
        y = drop(x)
        x.grad = None
        with compiled_autograd._enable(torch.compile(backend="eager")):
            (y * 2).sum().backward()
        assert torch.equal(x.grad, 2 * y)


def build(tmp_path, *words, **environment):
    return python("-m", "elision.torch.build", *words, XDG_CACHE_HOME=str(tmp_path), **environment)


@pytest.mark.parametrize("compiler", ["/no/such/compiler", "false", f"{sys.executable} -c 'exit(\"what it says\")'"])
def test_a_build_that_fails(tmp_path, compiler):
    done = build(tmp_path, CXX=compiler)
    assert done.returncode == 1 and done.stdout == "" and "no core was compiled" in done.stderr
    assert ("what it says" in compiler) == ("what it says\n" in done.stderr)
    assert not any((tmp_path / "elision").iterdir())


def test_a_broken_core_is_done_without(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    file = _core.path()
    assert file.is_relative_to(tmp_path)
    file.parent.mkdir()
    file.write_bytes(b"nothing that could be loaded")
    program = "import torch, elision.torch as et; et.patch(); torch.dropout(torch.ones(9), 0.5, True); "
    program += "print(et.native())"
    done = python("-c", program)
    assert done.stdout == "False\n" and done.stderr.count("RuntimeWarning") == 1 and str(file) in done.stderr
    assert python("-c", program, ELISION_TORCH_NATIVE="0").stderr == ""
    assert build(tmp_path, "--remove").returncode == 0 and not file.exists()
    done = python("-c", program)
    assert done.stdout == "False\n" and done.stderr == ""


def test_where_it_lies(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/not/allowed")
    assert _core.path().parent.name == "elision" and _core.path().is_absolute()
    assert torch.__version__ in _core.path().name
