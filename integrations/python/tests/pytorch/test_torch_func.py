"""The transforms of torch.func, forward-mode differentiation, and several gradients at once."""

import pytest

torch = pytest.importorskip("torch")

import elision.torch as et  # noqa: E402
from elision import Key  # noqa: E402
from torch.autograd import forward_ad  # noqa: E402
from torch.func import grad, jvp, vmap  # noqa: E402
from torch.fx.experimental.proxy_tensor import make_fx  # noqa: E402
from torch.overrides import TorchFunctionMode  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

# PyTorch's own, while it loads what its transforms need.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

KEY = Key(3)
STOCK = torch.nn.functional.dropout
F = torch.nn.functional


@pytest.mark.parametrize("patched", [False, True])
def test_randomness_of_vmap(patched):
    drop = F.dropout if patched else et.dropout
    x = torch.ones(4, 300)
    if patched:
        et.patch()
    try:
        different = vmap(lambda x: drop(x), randomness="different")(x)
        same = vmap(lambda x: drop(x), randomness="same")(x)
        with pytest.raises(RuntimeError, match="randomness"):
            vmap(lambda x: drop(x))(x)
    finally:
        et.unpatch()
    assert len({tuple(row.tolist()) for row in different}) == 4
    assert len({tuple(row.tolist()) for row in same}) == 1
    assert set(different.unique().tolist()) == {0.0, 2.0}


def test_a_key_under_vmap_is_one_mask_for_all():
    x = torch.randn(4, 30)
    x[2, :10] = torch.nan
    want = torch.stack([et.dropout(row, key=KEY) for row in x])
    got = vmap(lambda row: et.dropout(row, key=KEY))(x)
    assert torch.equal(got.nan_to_num(7), want.nan_to_num(7))
    got = vmap(lambda row: et.dropout(row, key=KEY), in_dims=1, out_dims=1)(x.T.contiguous())
    assert got.shape == (30, 4) or got.shape == (4, 30)


def test_gradients_of_functions():
    x = torch.randn(30)
    want = et.dropout(torch.ones(30), key=KEY)
    assert torch.equal(grad(lambda x: et.dropout(x, key=KEY).sum())(x), want)
    second = grad(lambda x: grad(lambda x: (et.dropout(x, key=KEY) ** 3).sum())(x).sum())(x)
    assert torch.allclose(second, 6 * x * want**3)
    got = vmap(grad(lambda x: et.dropout(x, key=KEY).sum()))(torch.randn(4, 30))
    assert torch.equal(got, want.expand(4, 30))
    with et.patch():
        assert set(grad(lambda x: F.dropout(x).sum())(x).unique().tolist()) == {0.0, 2.0}


def test_forward_mode():
    x, tangent = torch.randn(30), torch.randn(30)
    want = et.dropout(tangent, key=KEY)
    for mode in (torch.enable_grad, torch.no_grad):
        with mode(), forward_ad.dual_level():
            y = et.dropout(forward_ad.make_dual(x, tangent), key=KEY)
            assert torch.equal(forward_ad.unpack_dual(y).tangent, want)
    with et.patch(), forward_ad.dual_level():
        for drop in (F.dropout, lambda x: torch.dropout(x, 0.5, True), lambda x: F.alpha_dropout(x, 0.5, True)):
            y, dy = forward_ad.unpack_dual(drop(forward_ad.make_dual(torch.ones(30), torch.ones(30))))
            assert dy is not None and dy.unique().numel() == 2
    with et.patch():
        y, dy = jvp(lambda x: F.dropout(x), (torch.ones(30),), (torch.ones(30),))
    assert torch.equal(y, dy)
    y, dy = jvp(lambda x: et.dropout(x, key=KEY), (x,), (tangent,))
    assert torch.equal(dy, want)


_OWN = [et.dropout, et.dropout, et.dropout2d, et.alpha_dropout, et.linear]
LAYOUTS = {
    "contiguous": lambda: torch.randn(5, 6, 7),
    "transposed": lambda: torch.randn(7, 5, 6).permute(1, 2, 0),
    "with gaps": lambda: torch.randn(5, 14, 6)[:, ::2].transpose(1, 2),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_several_gradients_at_once(layout):
    x = LAYOUTS[layout]().requires_grad_()
    y = et.dropout(x)
    g = torch.randn(4, *x.shape)
    want = torch.stack([torch.autograd.grad(y, x, row, retain_graph=True)[0] for row in g])
    (dx,) = torch.autograd.grad(y, x, g, is_grads_batched=True, retain_graph=True)
    assert torch.equal(dx, want)
    with torch.device("cpu"):
        assert torch.equal(torch.autograd.grad(y, x, g[0])[0], want[0])


def test_several_gradients_at_once_of_a_layer():
    x, w = torch.randn(5, 6, requires_grad=True), torch.randn(7, 6, requires_grad=True)
    y = et.linear_relu_dropout(x, w)
    g = torch.randn(4, 5, 7)
    want = torch.stack([torch.autograd.grad(y, w, row, retain_graph=True)[0] for row in g])
    (dw,) = torch.autograd.grad(y, w, g, is_grads_batched=True)
    torch.testing.assert_close(dw, want, rtol=1e-4, atol=1e-4)


OTHERS = {
    "bits": lambda x: et.dropout(x, save="bits"),
    "channels": lambda x: et.dropout2d(x),
    "alpha": lambda x: et.alpha_dropout(x),
}


@pytest.mark.parametrize("name", OTHERS)
def test_gradients_of_other_kinds(name):
    x = torch.ones(2, 3, 4, 5, requires_grad=True)
    y = OTHERS[name](x)
    with pytest.raises(NotImplementedError, match="is_grads_batched"):
        torch.autograd.grad(y, x, torch.ones(4, 2, 3, 4, 5), is_grads_batched=True, retain_graph=True)
    (want,) = torch.autograd.grad(y, x, -torch.ones_like(x), retain_graph=True)
    (dx,) = torch.autograd.grad(y, x, torch._neg_view(torch.ones_like(x)))
    assert torch.equal(dx, want)


def test_a_tensor_from_outside_of_vmap():
    x = torch.ones(300)
    with et.patch():
        for drop in (F.dropout, lambda x: torch.dropout(x, 0.5, True)):
            rows = vmap(lambda y: drop(x) + y, randomness="different")(torch.zeros(4, 1))
            assert len({tuple(row.tolist()) for row in rows}) == 4


def test_modes_see_what_happens():
    seen = []

    class Functions(TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            seen.append(function)
            return function(*args, **(kwargs or {}))

    class Operators(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            seen.append(function)
            return function(*args, **(kwargs or {}))

    x, stock = torch.ones(90), F.dropout
    with et.patch():
        with Functions():
            F.dropout(x)
        assert seen[0] is stock
        seen.clear()
        with Functions():
            assert torch.equal(et.dropout(x, key=KEY), et.dropout(x, key=KEY))
            et.dropout2d(x[None, None, None]), et.alpha_dropout(x), et.linear_relu_dropout(x, x[None])
        assert [each for each in seen if each in _OWN] == _OWN
        for drop in (F.dropout, et.dropout, lambda x: F.dropout(x + 0, inplace=True)):
            seen.clear()
            with Operators():
                drop(x)
            assert torch.ops.elision.dropout.default in seen


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_mode_changes_no_mask(layout):
    x = LAYOUTS[layout]()

    def masks():
        torch.manual_seed(2)
        return [F.dropout(x), F.dropout(x + 0, inplace=True), et.dropout(x), STOCK(x)]

    with et.patch():
        want = masks()
        with FlopCounterMode(display=False):
            got = masks()
    assert all(torch.equal(a, b) for a, b in zip(got, want))


def test_traced_graphs_draw_anew():
    with et.patch():
        graph = make_fx(lambda x: F.dropout(x))(torch.ones(50))
    assert not torch.equal(graph(torch.ones(50)), graph(torch.ones(50)))
    with torch.device("cpu"), et.patch():
        assert set(F.dropout(torch.ones(90)).unique().tolist()) == {0.0, 2.0}
