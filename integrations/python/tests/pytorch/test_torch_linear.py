"""The fused layer against its parts."""

import copy
import pickle

import pytest

torch = pytest.importorskip("torch")

import elision.torch as et  # noqa: E402
from elision import Key  # noqa: E402

F = torch.nn.functional
KEY = Key(11)
PARTS = {
    "identity": lambda z: z,
    "relu": F.relu,
    "gelu": lambda z: F.gelu(z, approximate="tanh"),
    "gelu-erf": F.gelu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
}


PRODUCTS = ["pytorch", "elision"]


def operands(shape=(6, 9), n=7, bias=True):
    torch.manual_seed(1)
    made = [torch.randn(shape), torch.randn(n, shape[-1]), torch.randn(n) if bias else None]
    return [None if t is None else t.requires_grad_() for t in made]


def in_parts(x, w, bias, activation, p):
    y = PARTS[activation](F.linear(x, w, bias))
    return et.dropout(y, p, key=KEY) if p else y


@pytest.mark.parametrize("activation", PARTS)
@pytest.mark.parametrize("p", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(6, 9), (9,), (2, 3, 9)])
@pytest.mark.parametrize("product", PRODUCTS)
def test_values_and_gradients(activation, p, bias, shape, product):
    leaves = operands(shape, bias=bias)
    y = et.linear(*leaves, activation=activation, p=p, key=KEY, product=product)
    want = in_parts(*leaves, activation, p)
    torch.testing.assert_close(y, want, rtol=1e-4, atol=1e-5)
    g, inputs = torch.randn(y.shape), [t for t in leaves if t is not None]
    got, wanted = torch.autograd.grad(y, inputs, g), torch.autograd.grad(want, inputs, g)
    for a, b in zip(got, wanted):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("activation", ["identity", "relu", "gelu-erf"])
@pytest.mark.parametrize("product", PRODUCTS)
def test_gradients_of_gradients(activation, product):
    leaves = operands()
    g = torch.randn(6, 7, requires_grad=True)
    seconds = []
    for y in (et.linear(*leaves, activation=activation, p=0.4, key=KEY, product=product), in_parts(*leaves, activation, 0.4)):
        grads = torch.autograd.grad(y, leaves, g, create_graph=True)
        loss = sum((grad**2).sum() for grad in grads)
        seconds.append(torch.autograd.grad(loss, [*leaves[:2], g]))
    for a, b in zip(*seconds):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("product", PRODUCTS)
def test_only_what_is_wanted(product):
    x, w, bias = operands()
    y = et.linear_relu_dropout(x.detach(), w, bias.detach(), key=KEY, product=product)
    y.sum().backward()
    assert w.grad is not None and x.grad is None and bias.grad is None
    with torch.no_grad():
        assert not et.linear_relu_dropout(x, w, bias).requires_grad
    assert torch.equal(et.linear_relu_dropout(x, w, bias, training=False) > 0, F.linear(x, w, bias) > 0)


def test_the_key_is_drawn():
    x, w, bias = operands((30, 9))
    torch.manual_seed(1)
    first = et.linear_gelu_dropout(x, w, bias)
    assert not torch.equal(et.linear_gelu_dropout(x, w, bias), first)
    torch.manual_seed(1)
    assert torch.equal(et.linear_gelu_dropout(x, w, bias), first)


def test_what_is_computed_in_parts():
    x, w, bias = (t.detach().double() for t in operands())
    y = et.linear_relu_dropout(x, w, bias, 0.5)
    assert y.dtype is torch.float64 and ((y == 0) | torch.isclose(y, 2 * F.linear(x, w, bias))).all()
    assert et.linear_relu_dropout(x.float()[:0], w.float(), bias.float()).shape == (0, 7)
    with pytest.raises(RuntimeError):
        et.linear_relu_dropout(x.float(), w.float()[:, 1:], bias.float())
    with pytest.raises(ValueError, match="activation"):
        et.linear(x, w, activation="swish")
    with pytest.raises(ValueError, match="product"):
        et.linear(x, w, product="mkl")
    many = torch.vmap(lambda x: et.linear_relu_dropout(x, w.float(), key=KEY))(torch.randn(3, 6, 9))
    assert many.shape == (3, 6, 7)


def test_autocast_chooses_the_dtype():
    layer = et.LinearReluDropout(9, 7, p=0.5)
    x = torch.randn(5, 9)
    with torch.autocast("cpu"):
        y = layer(x)
        assert y.dtype is torch.bfloat16
    y.sum().backward()
    assert layer.weight.grad.dtype is torch.float32


@pytest.mark.parametrize("product", PRODUCTS)
def test_operands_that_are_not_contiguous(product):
    x, w = torch.randn(9, 6, requires_grad=True), torch.randn(9, 7, requires_grad=True)
    y = et.linear(x.T, w.T, activation="relu", p=0.4, key=KEY, product=product)
    torch.testing.assert_close(y, in_parts(x.T, w.T, None, "relu", 0.4))
    y.backward(torch.ones(()).expand(y.shape))
    assert x.grad.shape == x.shape


@pytest.mark.parametrize("make", [et.LinearReluDropout, et.LinearGeluDropout])
def test_layers(make):
    layer = make(9, 7, p=0.4)
    plain = torch.nn.Linear(9, 7)
    plain.load_state_dict(layer.state_dict())
    act = F.relu if make is et.LinearReluDropout else F.gelu
    x = torch.randn(5, 9)
    torch.testing.assert_close(layer.eval()(x), act(plain(x)), rtol=1e-4, atol=1e-5)
    for copied in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert copied.p == 0.4 and torch.equal(copied(x), layer(x)) and "p=0.4" in repr(copied)
    layer.train()(x).sum().backward()
    assert layer.weight.grad is not None
    with pytest.raises(ValueError, match="dropout probability"):
        make(3, 4, p=2.0)


@pytest.mark.parametrize("name", ["Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout"])
def test_modules_stand_where_pytorchs_stood(name):
    module, stock = getattr(et, name)(0.3), getattr(torch.nn, name)(0.3)
    assert isinstance(module, type(stock)) and repr(module) == repr(stock) and module.state_dict() == stock.state_dict()
    x = torch.ones((4, 3, 5, 5, 5)[: 3 if name == "Dropout1d" else 5 if name == "Dropout3d" else 4])
    for copied in (module, copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        torch.manual_seed(1)
        first = copied(x)
        torch.manual_seed(1)
        assert torch.equal(module(x), first) and not torch.equal(first, x)
    assert module.eval()(x) is x or torch.equal(module(x), x)
    with pytest.raises(ValueError):
        getattr(et, name)(-0.1)
