"""The fused layer against NumPy in float64."""

import numpy as np
import pytest

import elision
from elision import Key

RNG = np.random.default_rng(3)
KEY = Key(5)


def tensors(m=9, n=17, k=33):
    return [RNG.standard_normal(shape).astype(np.float32) for shape in [(m, k), (n, k), (n,), (m, n)]]


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("p", [0, 0.3])
@pytest.mark.parametrize("activation", ["identity", "relu"])
def test_against_numpy(activation, p, recompute):
    x, w, bias, g = tensors()
    y, saved = elision.linear(x, w, bias, activation=activation, p=p, key=KEY, offset=5, recompute=recompute)
    sums = x.astype(float) @ w.T.astype(float) + bias
    kept = elision.Mask.draw(KEY, p, sums.shape, 5).to_bools() if p else np.ones(sums.shape, bool)
    passed = kept & (sums > 0) if activation == "relu" else kept
    assert np.allclose(y, np.where(passed, sums, 0) / (1 - p), atol=1e-4)
    grads = elision.linear_backward(g, x, w, saved, y=y if recompute else None)
    dz = np.where(passed, g, 0) / (1 - p)
    for got, want in zip(grads, (dz @ w, dz.T @ x, dz.sum(axis=0))):
        assert got.dtype == np.float32 and np.allclose(got, want, atol=1e-4)
    assert saved.nbytes == 0 or not recompute
    assert saved.shape == y.shape and saved.activation == activation


@pytest.mark.parametrize("activation", ["gelu", "gelu-erf", "tanh", "sigmoid"])
def test_smooth_activations_by_differences(activation):
    x, w, bias, g = tensors(3, 4, 5)
    options = dict(activation=activation, p=0.4, key=KEY)
    y, saved = elision.linear(x, w, bias, **options)
    grads = elision.linear_backward(g, x, w, saved)
    step = np.float32(1e-2)
    for i in range(bias.size):
        up, down = bias.copy(), bias.copy()
        up[i] += step
        down[i] -= step
        change = elision.linear(x, w, up, **options)[0] - elision.linear(x, w, down, **options)[0]
        assert abs((change * g).sum() / (2 * step) - grads.bias[i]) < 2e-2


def test_orders_and_outputs():
    x, w, bias, g = tensors()
    want, _ = elision.linear(x, w, bias)
    found, _ = elision.linear(np.asfortranarray(x), np.asfortranarray(w), bias[::-1][::-1])
    assert np.allclose(found, want, atol=1e-5)
    for order in "CF":
        out = np.empty_like(want, order=order)
        assert elision.linear(x, w, bias, out=out)[0] is out and np.allclose(out, want, atol=1e-5)
    only = elision.linear_backward(g, x, w, elision.linear(x, w)[1], wanted=(False, True, False))
    assert only.x is None and only.bias is None and only.w.shape == w.shape


def test_errors():
    x, w, bias, g = tensors()
    with pytest.raises(ValueError, match="9x33 and w of shape 17x32"):
        elision.linear(x, w[:, :32])
    with pytest.raises(ValueError, match="bias"):
        elision.linear(x, w, bias[:-1])
    with pytest.raises(ValueError, match="unknown activation"):
        elision.linear(x, w, activation="swish")
    with pytest.raises(ValueError, match="key is missing"):
        elision.linear(x, w, p=0.5)
    with pytest.raises(ValueError, match="out overlaps an input"):
        square = np.eye(33, dtype=np.float32)
        elision.linear(x, square, out=x)
    with pytest.raises(TypeError, match="w has dtype float64"):
        elision.linear(x, w.astype(float))
    y, saved = elision.linear(x, w, activation="relu", recompute=True)
    with pytest.raises(ValueError, match="needs the output"):
        elision.linear_backward(g, x, w, saved)
    with pytest.raises(ValueError, match="expected shape 9x17"):
        elision.linear_backward(g[:5], x, w, saved, y=y)
    _, other = elision.linear(x[:5], w, activation="relu")
    with pytest.raises(ValueError, match="saved state"):
        elision.linear_backward(g, x, w, other)


def test_empty():
    y, saved = elision.linear(np.ones((0, 3), np.float32), np.ones((2, 3), np.float32), activation="relu")
    assert y.shape == (0, 2)
    grads = elision.linear_backward(y, np.ones((0, 3), np.float32), np.ones((2, 3), np.float32), saved)
    assert not grads.w.any() and grads.x.shape == (0, 3)
