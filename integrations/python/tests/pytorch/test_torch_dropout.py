"""Dropout of elements: values, gradients, layouts, and the errors."""

import math

import pytest

torch = pytest.importorskip("torch")

import elision  # noqa: E402
import elision.torch as et  # noqa: E402
from elision import Key  # noqa: E402

KEY = Key(7).fold_in(1)
LAYOUTS = {
    "contiguous": lambda: torch.randn(6, 5, 4, 7),
    "channels last": lambda: torch.randn(6, 5, 4, 7).to(memory_format=torch.channels_last),
    "permuted": lambda: torch.randn(7, 4, 5, 6).permute(3, 1, 0, 2),
    "with gaps": lambda: torch.randn(6, 5, 4, 14)[..., ::2],
    "expanded": lambda: torch.randn(6, 1, 4, 7).expand(6, 5, 4, 7),
    "reversed parts": lambda: torch.randn(9, 9, 9, 9)[1:7, 2:7, 3:7, 1:8].transpose(1, 2).transpose(1, 2),
}


def reference(x, p, key=KEY):
    """What `elision.dropout` makes of the elements in row-major order."""
    return torch.from_numpy(elision.dropout(x.detach().contiguous().numpy(), p, key))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("save", ["key", "bits"])
@pytest.mark.parametrize("p", [0.5, 0.1, 1.0])
def test_values_and_gradients_of_a_key(layout, save, p):
    x = LAYOUTS[layout]().requires_grad_()
    g = torch.randn(x.shape).transpose(0, 1).contiguous().transpose(0, 1)
    y = et.dropout(x, p, key=KEY, save=save)
    assert torch.equal(y, reference(x, p))
    (dx,) = torch.autograd.grad(y, x, g)
    assert torch.equal(dx, reference(g, p))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("save", ["key", "bits"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_layouts_are_kept_and_the_gradient_has_the_same_mask(layout, save, dtype):
    x = LAYOUTS[layout]().to(dtype).requires_grad_()
    y = et.dropout(x, 0.4, save=save)
    assert y.dtype is dtype and y.stride() == torch.empty_like(x).stride()
    (dx,) = torch.autograd.grad(y, x, torch.ones(()).to(dtype).expand(y.shape))
    assert torch.equal(dx != 0, y != 0)
    kept = y != 0
    assert 0.4 < kept.float().mean() < 0.8
    want = x.float() * (1 / 0.6)
    assert torch.allclose(y.float()[kept], want[kept], rtol=1e-6 if dtype is torch.float32 else 4e-3)


def test_dropped_elements_are_zero_whatever_they_were():
    x = torch.full((1000,), math.nan)
    x[::2] = math.inf
    y = et.dropout(x, 0.5, key=KEY)
    dropped = reference(torch.ones(1000), 0.5) == 0
    assert dropped.sum() > 400 and (y[dropped] == 0).all() and not y[dropped].signbit().any()
    assert not y[~dropped].isfinite().any()


@pytest.mark.parametrize("save", ["key", "bits"])
def test_the_gradient_can_be_differentiated_again(save):
    x = torch.randn(50, requires_grad=True)
    g = torch.randn(50, requires_grad=True)
    y = et.dropout(x, 0.3, key=KEY, save=save)
    (dx,) = torch.autograd.grad(y, x, g, create_graph=True)
    v = torch.randn(50)
    (dg,) = torch.autograd.grad(dx, g, v, create_graph=True)
    assert torch.equal(dg, reference(v, 0.3)) and torch.equal(dx, reference(g, 0.3))
    x = torch.randn(50, requires_grad=True)
    (first,) = torch.autograd.grad((et.dropout(x, 0.3, key=KEY, save=save) ** 3).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    scale = reference(torch.ones(50), 0.3)
    assert torch.allclose(second, 6 * x * scale**3)


def test_what_is_kept_for_the_backward_pass():
    x = torch.randn(1024, requires_grad=True)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.nbytes) or t, lambda t: t):
        et.dropout(x, 0.5)
        assert kept == []
        et.dropout(x, 0.5, save="bits")
        assert kept == [x.nbytes // 32]


def test_what_is_returned_as_it_is():
    x = torch.randn(10)
    assert et.dropout(x, 0.5, False) is x and et.dropout(x, 0.0) is x
    empty = torch.empty(0, 3, requires_grad=True)
    assert et.dropout(empty).shape == (0, 3)
    y = et.dropout(torch.ones(()), 1.0)
    assert y.shape == () and y == 0


@pytest.mark.parametrize("p", [-0.1, 1.1, math.nan, math.inf])
def test_a_wrong_rate(p):
    for function in (et.dropout, et.alpha_dropout, et.dropout1d, et.dropout2d, et.dropout3d):
        with pytest.raises(ValueError, match="dropout probability has to be between 0 and 1, but got"):
            function(torch.ones(2, 3, 4), p)
        with pytest.raises(ValueError, match="dropout probability"):
            et.linear_relu_dropout(torch.ones(2, 3), torch.ones(4, 3), p=p)


def test_other_errors():
    with pytest.raises(TypeError, match="float64"):
        et.dropout(torch.ones(3, dtype=torch.float64), key=KEY)
    with pytest.raises(ValueError, match="save"):
        et.dropout(torch.ones(3), save="nothing")
    with pytest.raises(TypeError):
        et.dropout(torch.nn.Parameter(torch.ones(3, dtype=torch.float64)), key=KEY)


def test_other_dtypes_and_devices_are_left_to_pytorch():
    for x in (torch.ones(1000, dtype=torch.float64), torch.ones(1000, dtype=torch.float16)):
        assert set(et.dropout(x, 0.5).unique().tolist()) == {0.0, 2.0}
    assert et.dropout(torch.ones(10, device="meta")).device.type == "meta"


class Subclass(torch.Tensor):
    pass


def test_subclasses_are_left_to_pytorch():
    y = et.dropout(torch.ones(1000).as_subclass(Subclass), 0.5)
    assert type(y) is Subclass and set(y.unique().tolist()) == {0.0, 2.0}


def test_a_tensor_that_is_negated_when_it_is_read():
    x = torch._neg_view(torch.ones(10))
    assert (et.dropout(x, 0.5) <= 0).all()
    x = torch.ones(8, requires_grad=True)
    y = et.dropout(x, 0.5, key=KEY)
    y.backward(torch._neg_view(torch.ones(8)))
    assert torch.equal(x.grad, -y)


def test_in_place():
    x = torch.randn(30, 4)
    want, version = reference(x, 0.5), x._version
    assert et.dropout(x, 0.5, inplace=True, key=KEY) is x
    assert torch.equal(x, want) and x._version > version
    part = torch.randn(30, 8)[:, ::2]
    want = reference(part, 0.5)
    assert et.dropout(part, 0.5, inplace=True, key=KEY) is part and torch.equal(part, want)


@pytest.mark.parametrize("key", [KEY, None])
@pytest.mark.parametrize("view", [False, True])
def test_in_place_with_a_gradient(key, view):
    x = torch.randn(6, 5, requires_grad=True)
    z = x * 3
    y = et.dropout(z[2:] if view else z, 0.5, inplace=True, key=key)
    y.sum().backward()
    grad = x.grad[2:] if view else x.grad
    assert torch.equal(grad != 0, y != 0) and grad.max() == 6
    before = x.detach().clone()
    with pytest.raises(RuntimeError, match="leaf"):
        et.dropout(x, 0.5, inplace=True, key=key)
    assert torch.equal(x, before)


def test_in_place_spoils_what_was_saved():
    x = torch.randn(5, requires_grad=True)
    z = x.exp()
    et.dropout(z, 0.5, inplace=True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.sum().backward()


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_without_gradients(mode):
    x = torch.randn(100, requires_grad=True)
    with mode():
        y = et.dropout(x, 0.5, key=KEY)
        z = et.dropout(y.clone(), 0.5, inplace=True)
    assert not y.requires_grad and torch.equal(y, reference(x, 0.5)) and z.shape == y.shape


def test_gradients_are_not_copied():
    x, w = torch.randn(4, 5, requires_grad=True), torch.randn(6, 5, requires_grad=True)
    places = []
    for leaf in (x, w):
        leaf.register_hook(lambda g: places.append(g.data_ptr()))
    et.dropout(x).sum().backward()
    et.linear_relu_dropout(x.detach(), w).sum().backward()
    assert places == [x.grad.data_ptr(), w.grad.data_ptr()]


def test_many_dimensions():
    x = torch.ones([2] * 14)
    assert torch.equal(et.dropout(x, 0.5, key=KEY).flatten(), reference(x.flatten(), 0.5))
