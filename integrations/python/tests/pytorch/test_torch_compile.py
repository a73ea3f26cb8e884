"""torch.compile, and the operator that it sees."""

import shutil

import pytest

torch = pytest.importorskip("torch")

import elision.torch as et  # noqa: E402
from elision import Key  # noqa: E402

F = torch.nn.functional
KEY = Key(5)
BACKENDS = ["eager", "aot_eager"] + (["inductor"] if shutil.which("g++") else [])

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")


@pytest.fixture(autouse=True)
def fresh():
    torch._dynamo.reset()
    yield
    et.unpatch()


def test_the_operator_is_well_formed():
    x = torch.randn(6, 5, requires_grad=True)
    key = torch.tensor([3, -4])
    torch.library.opcheck(torch.ops.elision.dropout.default, (x, key, 0.3))
    assert torch.equal(torch.ops.elision.dropout(x, key, 0.3), et.dropout(x, 0.3, key=Key.from_int(3 | (2**64 - 4) << 64)))
    for bad in [(x.double(), key, 0.3), (x, key[:1], 0.3), (x, key.float(), 0.3), (x, key, 2.0)]:
        with pytest.raises((TypeError, ValueError)):
            torch.ops.elision.dropout(*bad)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_key_gives_the_same_compiled(backend):
    x = torch.randn(30, 40, requires_grad=True)
    f = torch.compile(lambda x: et.dropout(x * 2, 0.3, key=KEY) + 1, backend=backend, fullgraph=True)
    y = f(x)
    torch.testing.assert_close(y, et.dropout(x * 2, 0.3, key=KEY) + 1)
    y.sum().backward()
    torch.testing.assert_close(x.grad, 2 * et.dropout(torch.ones(30, 40), 0.3, key=KEY))


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_patch_compiled(backend):
    net = torch.nn.Sequential(torch.nn.Linear(20, 30), torch.nn.ReLU(), torch.nn.Dropout(0.5))
    x = torch.ones(50, 20, requires_grad=True)
    with et.patch():
        f = torch.compile(net, backend=backend, fullgraph=True)
        results = []
        for seed in (1, 1, 2):
            torch.manual_seed(seed)
            y = f(x)
            (dx,) = torch.autograd.grad(y.sum(), x)
            results.append((y.detach(), dx))
        assert torch.equal(results[0][0], results[1][0]) and torch.equal(results[0][1], results[1][1])
        assert not torch.equal(results[0][0], results[2][0])
    kept = y != 0
    whole = F.relu(F.linear(x, net[0].weight, net[0].bias))
    torch.testing.assert_close(y[kept], 2 * whole[kept])
    assert 0.3 < kept[whole > 0].float().mean() < 0.7
    want = torch.autograd.grad((whole * kept * 2).sum(), x)[0]
    torch.testing.assert_close(dx, want)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_left_to_pytorch_compiled(backend):
    with et.patch():
        f = torch.compile(lambda x: F.dropout(x) + F.dropout(x, 0.5, False), backend=backend, fullgraph=True)
        assert set(f(torch.ones(200, dtype=torch.float64)).unique().tolist()) == {1.0, 3.0}
    fused = torch.compile(et.LinearReluDropout(9, 7), backend=backend, fullgraph=True)
    fused(torch.randn(5, 9)).sum().backward()


def test_what_was_compiled_follows_the_patch():
    f = torch.compile(lambda x: F.dropout(x), backend="eager")
    x = torch.full((200,), torch.nan)
    assert f(x).isnan().all()
    with et.patch():
        assert (f(x) == 0).any(), "a dropped NaN is zero"
    assert f(x).isnan().all()
