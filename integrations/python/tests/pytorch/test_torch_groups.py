"""Dropout of channels, and alpha dropout."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import elision  # noqa: E402
import elision.torch as et  # noqa: E402
from elision import Key  # noqa: E402

KEY = Key(5)
CHANNELS = {1: (et.dropout1d, (9, 8, 3)), 2: (et.dropout2d, (9, 8, 3, 2)), 3: (et.dropout3d, (9, 8, 3, 2, 2))}


@pytest.mark.parametrize("dims", CHANNELS)
@pytest.mark.parametrize("inplace", [False, True])
def test_whole_channels_and_their_gradients(dims, inplace):
    function, shape = CHANNELS[dims]
    x = torch.ones(shape, requires_grad=True)
    y = function(x + 0, 0.5, inplace=inplace, key=KEY)
    kept = elision.Mask.draw(KEY, 0.5, shape[:2]).to_bools()
    want = np.broadcast_to(kept.reshape(kept.shape + (1,) * dims) * np.float32(2), shape)
    assert np.array_equal(y.detach().numpy(), want)
    y.backward(torch.full(shape, 3.0), retain_graph=True)
    assert torch.equal(x.grad, 3 * y)
    (dx,) = torch.autograd.grad(y, x, torch.ones(shape, requires_grad=True), create_graph=True)
    assert torch.equal(dx, y)


@pytest.mark.parametrize("shape", [(9, 8, 1, 2), (1, 8, 3, 3), (9, 1, 1, 1), (9, 8, 4, 5)])
def test_channels_last(shape):
    x = torch.ones(shape).to(memory_format=torch.channels_last).requires_grad_()
    torch.manual_seed(2)
    y = et.dropout2d(x)
    torch.manual_seed(2)
    assert torch.equal(y, et.dropout2d(torch.ones(shape)))
    assert y.is_contiguous(memory_format=torch.channels_last)
    y.sum().backward()
    assert torch.equal(x.grad, y)


@pytest.mark.parametrize("dims", [1, 3])
def test_samples_without_a_batch(dims):
    function, shape = CHANNELS[dims]
    x = torch.ones(shape[1:])
    assert torch.equal(function(x, key=KEY), function(x[None], key=KEY)[0])
    version = x._version
    assert function(x, key=KEY, inplace=True).shape == x.shape and (x == 0).any()
    assert x._version > version


def test_shapes_that_pytorch_refuses_or_warns_of():
    with pytest.raises(RuntimeError, match="Expected 2D or 3D input"):
        et.dropout1d(torch.ones(2))
    with pytest.warns(UserWarning, match="channel-wise 1D dropout"):
        et.dropout2d(torch.ones(2, 3, 4))
    with pytest.raises(ValueError, match="dimensions"):
        et.dropout2d(torch.ones(2, 3), key=KEY)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_alpha(p):
    x = torch.randn(20, 30, requires_grad=True)
    y = et.alpha_dropout(x, p, key=KEY)
    want, mask = elision.alpha_dropout(x.detach().numpy(), p, KEY)
    assert np.array_equal(y.detach().numpy(), want)
    g = torch.randn(20, 30, requires_grad=True)
    (dx,) = torch.autograd.grad(y, x, g, create_graph=True)
    assert np.array_equal(dx.detach().numpy(), elision.alpha_dropout_backward(g.detach().numpy(), p, mask))
    (dg,) = torch.autograd.grad(dx.sum(), g)
    assert np.array_equal(dg.numpy(), elision.alpha_dropout_backward(np.ones_like(want), p, mask))


def test_alpha_keeps_mean_and_variance():
    y = et.alpha_dropout(torch.randn(200_000), 0.3)
    assert abs(y.mean()) < 0.02 and abs(y.std() - 1) < 0.02


def test_alpha_at_the_ends():
    x = torch.randn(10, requires_grad=True)
    assert et.alpha_dropout(x, 0.0) is x and et.alpha_dropout(x, 0.5, False) is x
    y = et.alpha_dropout(x, 1.0)
    assert not y.any()
    y.sum().backward()
    assert not x.grad.any()
