"""elision under PyTorch's own dropout."""

import contextlib
import copy
import pickle
import subprocess
import sys
import threading

import pytest

torch = pytest.importorskip("torch")

import elision  # noqa: E402
import elision.torch as et  # noqa: E402
from elision import Key  # noqa: E402
from elision.torch import _aten, _key  # noqa: E402

F, nn = torch.nn.functional, torch.nn
STOCK = F.dropout
OPERATORS = [*_aten.composites(), *_aten.BACKENDS]


def dispatch():
    return [torch._C._dispatch_dump(f"aten::{name}") for name in OPERATORS] + [F.dropout]


UNPATCHED = dispatch()


@pytest.fixture(autouse=True)
def nothing_is_left():
    yield
    assert not et.patched() and dispatch() == UNPATCHED


def drawn(seed, p, shape):
    """What the patch makes of ones after that seed."""
    torch.manual_seed(seed)
    low, high = _key.draw()
    torch.manual_seed(seed)
    return torch.from_numpy(elision.dropout(torch.ones(shape).numpy(), p, Key.from_int(low | high << 64)))


def test_patching_and_its_end():
    assert not et.patched() and F.dropout is STOCK
    et.patch()
    et.patch()
    assert et.patched() and F.dropout is not STOCK and F.dropout.__name__ == "dropout"
    assert dispatch() != UNPATCHED
    et.unpatch()
    assert not et.patched() and dispatch() == UNPATCHED
    et.unpatch()


def test_statements_nest_and_end_whatever_happens():
    with pytest.raises(KeyError), et.patch():
        with et.patch() as inner:
            assert et.patched() and inner is not None
        assert et.patched()
        raise KeyError
    assert not et.patched()
    et.patch()
    with et.patch():
        pass
    assert et.patched(), "it was so before the statement"
    with et.patch():
        et.unpatch()
        assert et.patched(), "as long as the statement lasts"
    assert not et.patched()


def test_a_patch_that_fails_leaves_nothing(monkeypatch):
    monkeypatch.setitem(_aten.BACKENDS, "native_dropout_backward", None)
    with pytest.raises(TypeError):
        et.patch()
    monkeypatch.undo()
    assert not et.patched() and dispatch() == UNPATCHED


def test_another_function_in_the_same_place_stays():
    et.patch()
    F.dropout = replacement = lambda *a, **k: None
    et.unpatch()
    assert F.dropout is replacement
    F.dropout = STOCK


def test_statements_of_several_threads():
    def work():
        for _ in range(20):
            with et.patch():
                assert et.patched()

    errors = []
    threads = [threading.Thread(target=lambda: _caught(work, errors)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors


def _caught(work, errors):
    try:
        work()
    except BaseException as error:
        errors.append(error)


def test_nothing_is_warned_of():
    # In a process of its own: PyTorch warns of such a thing once only.
    program = "import elision.torch, warnings; warnings.simplefilter('error'); elision.torch.patch()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == "", done.stderr


CALLS = {
    "functional": lambda x: F.dropout(x, 0.3),
    "functional as it was imported": lambda x: STOCK(x, 0.3),
    "operator": lambda x: torch.dropout(x, 0.3, True),
    "in place": lambda x: F.dropout(x + 0, 0.3, inplace=True),
    "operator in place": lambda x: torch.dropout_(x + 0, 0.3, True),
    "module": lambda x: nn.Dropout(0.3)(x),
    "native": lambda x: torch.native_dropout(x, 0.3, True)[0],
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("mode", [contextlib.nullcontext, torch.no_grad, torch.inference_mode])
def test_every_way_leads_here(call, mode):
    x = torch.ones(40, 50, requires_grad=True)
    want = drawn(1, 0.3, x.shape)
    with et.patch(), mode():
        y = CALLS[call](x)
    assert torch.equal(y, want)
    if mode is contextlib.nullcontext:
        y.backward(torch.full(x.shape, 2.0))
        assert torch.equal(x.grad, 2 * y)


def test_native_dropout_has_its_mask():
    x = torch.randn(300, requires_grad=True)
    with et.patch():
        y, mask = torch.native_dropout(x, 0.5, True)
        assert mask.dtype is torch.bool and torch.equal(mask, y != 0)
        y.sum().backward()
        assert torch.equal(x.grad, 2.0 * mask)
        y, mask = torch.native_dropout(x, 0.5, False)
        assert torch.equal(y, x) and mask.all()
        y, mask = torch.native_dropout(x.double(), 0.5, True)
        assert torch.equal(y, x.double() * mask * 2)
        y, mask = torch.native_dropout(torch.ones(5), 1.0, True)
        assert not y.any() and not mask.any()
        assert torch.native_dropout(torch.ones(0), 0.5, True)[0].shape == (0,)


@pytest.mark.parametrize("name", ["Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout"])
@pytest.mark.parametrize("inplace", [False, True])
def test_the_other_modules(name, inplace):
    shape = (16, 8) + (3,) * {"Dropout1d": 1, "Dropout3d": 3}.get(name, 2)
    x = torch.randn(shape, requires_grad=True)
    module = getattr(nn, name)(0.5, inplace=inplace)
    state = torch.get_rng_state()
    with et.patch():
        y = module(x + 0)
        node = y.grad_fn
        y.sum().backward()
    assert "Grouped" in type(node).__name__
    channel = x.grad.flatten(2)
    assert name == "AlphaDropout" or (channel == channel[:, :, :1]).all()
    assert 0.2 < (x.grad == 0).float().mean() < 0.8
    torch.set_rng_state(state)
    assert x.grad.unique().numel() == 2


def test_what_is_left_to_pytorch():
    with et.patch():
        for x in (torch.ones(100, dtype=torch.float64), torch.ones(100, dtype=torch.float16)):
            torch.manual_seed(1)
            got = F.dropout(x, 0.5)
            torch.manual_seed(1)
            assert torch.equal(got, x * torch.empty_like(x).bernoulli_(0.5) * 2)
        assert F.dropout(torch.ones(3, device="meta")).device.type == "meta"
        with pytest.raises(ValueError, match="dropout probability has to be between 0 and 1, but got 2"):
            F.dropout(torch.ones(3), 2)
        with pytest.raises(RuntimeError, match="dropout probability has to be between 0 and 1"):
            torch.dropout(torch.ones(3), 2.0, True)
        x = torch.ones(3)
        assert F.dropout(x, 0.5, False) is x and F.dropout(x, 0.0) is x
        with pytest.raises(RuntimeError, match="leaf"):
            F.dropout(torch.ones(3, requires_grad=True), inplace=True)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_tensors_of_other_kinds():
    dense = torch.ones(20, 30)
    with et.patch():
        with pytest.raises(NotImplementedError, match="MkldnnCPU"):
            F.dropout(dense.to_mkldnn())
        sparse = F.dropout(dense.to_sparse(), training=False)
        assert sparse.is_sparse and torch.equal(sparse.to_dense(), dense)
        nested = torch.nested.nested_tensor([dense, dense[:5]], layout=torch.jagged)
        assert set(F.dropout(nested).values().unique().tolist()) == {0.0, 2.0}


def test_attention():
    q = torch.randn(2, 4, 10, 8, requires_grad=True)

    def attend():
        torch.manual_seed(3)
        return F.scaled_dot_product_attention(q, q, q, dropout_p=0.5)

    stock = attend()
    with et.patch():
        first = attend()
        assert torch.equal(attend(), first) and not torch.equal(first, stock)
        first.sum().backward()
    assert q.grad.isfinite().all()


def test_a_subclass_sees_pytorchs_function():
    class Logged(torch.Tensor):
        seen = []

        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):
            cls.seen.append(function)
            return super().__torch_function__(function, types, args, kwargs or {})

    with et.patch():
        y = F.dropout(torch.ones(10).as_subclass(Logged), 0.5)
    assert type(y) is Logged and Logged.seen[0] is STOCK


def test_bfloat16():
    x = torch.ones(40, 50, dtype=torch.bfloat16, requires_grad=True)
    want = drawn(1, 0.3, x.shape).bfloat16()
    with et.patch():
        y = F.dropout(x, 0.3)
    y.sum().backward()
    assert torch.equal(y, want) and torch.equal(x.grad, want)


def test_models_train_and_repeat():
    layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.2, batch_first=True)
    lstm = nn.LSTM(16, 16, 2, dropout=0.5, batch_first=True)
    x = torch.randn(3, 5, 16)

    def step():
        torch.manual_seed(5)
        layer.zero_grad()
        y = lstm(layer(x))[0]
        y.sum().backward()
        return [y.detach().clone()] + [p.grad.clone() for p in layer.parameters()]

    with et.patch():
        first, second = step(), step()
        copied = copy.deepcopy(layer)
        assert pickle.loads(pickle.dumps(nn.Dropout(0.3))).p == 0.3 and copied is not layer
    assert all(torch.equal(a, b) for a, b in zip(first, second))
    assert not torch.equal(first[0], step()[0])


@pytest.mark.filterwarnings("ignore:`torch.jit")
def test_torchscript_is_compiled_as_ever():
    with et.patch():
        script = torch.jit.script(nn.Sequential(nn.Linear(20, 30), nn.Dropout(0.5)))

        @torch.jit.script
        def function(x):
            return torch.nn.functional.dropout(x, 0.5)

        for _ in range(4):
            y = script(torch.ones(2, 20))
            y.sum().backward()
        assert 10 < (y == 0).sum() < 50 and set(function(torch.ones(90)).unique().tolist()) == {0.0, 2.0}
        traced = torch.jit.trace(nn.Dropout(0.5), torch.ones(50), check_trace=False)
        assert not torch.equal(traced(torch.ones(50)), traced(torch.ones(50)))
