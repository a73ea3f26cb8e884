"""The rest of the family: identities, gradients and errors."""

import numpy as np
import pytest

import elision
from elision import Key, Mask

KEY = Key(11)


def test_noise_is_made_of_the_numbers_of_the_key(x):
    x = np.nan_to_num(x, posinf=1, neginf=-1)
    n = elision.normal(KEY, x.shape)
    assert np.allclose(elision.noise(x, 0.3, KEY), x * (1 + np.float32(0.3) * n), atol=1e-5)
    assert np.allclose(elision.noise(x, 0.3, KEY, added=True), x + np.float32(0.3) * n, atol=1e-5)
    assert np.array_equal(elision.gaussian_dropout(x, 0.5, KEY), elision.noise(x, 1.0, KEY))
    u = 2 * elision.uniform(KEY, x.shape) - 1
    assert np.allclose(elision.noise(x, 0.3, KEY, kind="uniform"), x * (1 + np.float32(0.3) * u), atol=1e-5)
    assert np.array_equal(elision.noise_backward(x, 0.3, KEY), elision.noise(x, 0.3, KEY))
    assert np.array_equal(elision.noise_backward(x, 0.3, KEY, added=True), x)
    own = x.copy()
    elision.noise(own, 0.3, KEY, out=own)
    assert np.array_equal(own, elision.noise(x, 0.3, KEY))


def test_alpha_dropout(x):
    y, mask = elision.alpha_dropout(x, 0.3, KEY)
    kept = mask.to_bools()
    assert mask == Mask.draw(KEY, 0.3, x.shape) and len(set(y[~kept].tolist())) == 1
    dx = elision.alpha_dropout_backward(np.ones_like(x), 0.3, mask)
    rise = elision.alpha_dropout(np.ones_like(x), 0.3, KEY)[0] - elision.alpha_dropout(np.zeros_like(x), 0.3, KEY)[0]
    assert np.allclose(dx, rise, atol=1e-6)


@pytest.mark.parametrize("channels_first", [False, True])
@pytest.mark.parametrize("coupled", [False, True])
def test_blocks(coupled, channels_first):
    x = np.ones((2, 9, 9, 9), np.float32)
    y, mask, scale = elision.drop_block(x, 0.2, KEY, 3, coupled=coupled, channels_first=channels_first)
    assert np.array_equal(elision.select(x, mask, scale), y) and np.isclose(y.mean(), 1)
    shape = [2, 9, 9, 9]
    if coupled:
        shape[1 if channels_first else 3] = 1
    assert mask.shape == tuple(shape)
    with pytest.raises(ValueError, match="block"):
        elision.drop_block(x, 0.2, KEY, 10)


def test_heads():
    x = np.random.default_rng(1).random((5, 4, 3, 2), np.float32)
    y, mask = elision.drop_heads(x, 0.7, KEY)
    kept = mask.to_bools()
    scale = 4 / kept.sum(axis=1, keepdims=True)
    assert np.allclose(y, x * (kept * scale)[:, :, None, None])
    assert np.array_equal(elision.drop_heads_backward(x, mask), y)
    with pytest.raises(ValueError, match="below 1"):
        elision.drop_heads(x, 1, KEY)
    with pytest.raises(ValueError, match="axis 1"):
        elision.drop_heads(x[0, 0, 0], 0.5, KEY)


def test_rates():
    x = np.ones((100, 3), np.float32)
    rates = np.array([0, 0.5, 1], np.float32)
    y, mask = elision.dropout_rates(x, rates, KEY)
    assert (y[:, 0] == 1).all() and set(y[:, 1].tolist()) == {0, 2} and not y[:, 2].any()
    assert np.array_equal(elision.dropout_rates_backward(x, rates, mask), y)
    with pytest.raises(ValueError, match="position 1"):
        elision.dropout_rates(x, np.array([0, 1.5, 0], np.float32), KEY)
    with pytest.raises(TypeError, match="float64"):
        elision.dropout_rates(x, rates.astype(float), KEY)


def test_words():
    table = np.arange(20, dtype=np.float32).reshape(10, 2)
    indices = [3, 9, 3, 0]
    y, mask = elision.word_dropout(table, indices, 0.5, KEY)
    factor = 2 * mask.to_bools()[:, None]
    assert np.array_equal(y, (table * factor)[indices])
    want = np.zeros_like(table)
    np.add.at(want, indices, np.ones_like(y))
    assert np.array_equal(elision.word_dropout_backward(np.ones_like(y), indices, 0.5, mask), want * factor)
    for wrong, error in [([10], ValueError), ([-1], ValueError), ([0.5], TypeError), ([[0]], ValueError)]:
        with pytest.raises(error):
            elision.word_dropout(table, wrong, 0.5, KEY)


def test_numbers_of_no_shape():
    assert elision.normal(KEY, (3, 0)).shape == (3, 0) and elision.normal(KEY, ()).shape == ()
    with pytest.raises(ValueError, match="rank 9"):
        elision.normal(KEY, (1,) * 9)
    with pytest.raises((ValueError, MemoryError, OverflowError)):
        elision.normal(KEY, 1 << 62)
