"""The calls on addresses do what those on arrays do, and check what can be checked."""

import ctypes

import numpy as np
import pytest

import elision
from elision import Key, Mask, _native

KEY = Key(9).fold_in(2)
BITS = (KEY.low, KEY.high)


def at(array):
    return array.ctypes.data


def test_dropout_and_its_bits():
    x = np.random.default_rng(1).random(1000, np.float32)
    y, z, bits = np.empty_like(x), x.copy(), np.zeros(16, np.uint64)
    want, mask = elision.dropout(x, 0.3, KEY, offset=5, return_mask=True)
    _native._dropout_ptr(at(x), at(y), 1000, *BITS, 0.3, 5)
    assert np.array_equal(y, want)
    _native._dropout_mask_ptr(at(z), at(z), at(bits), 1000, *BITS, 0.3, 5)
    assert np.array_equal(z, want) and np.array_equal(bits, mask.words)
    bits[:] = 0
    _native._mask_ptr(at(bits), 1000, *BITS, 0.3, 5)
    assert np.array_equal(bits, mask.words)
    y, z = np.empty_like(x), x.copy()
    _native._select_ptr(at(x), at(y), at(bits), 1000, 1 / 0.7)
    _native._select_ptr(at(z), at(z), at(bits), 1000, 1 / 0.7)
    assert np.array_equal(y, want) and np.array_equal(z, want)


def test_dropout_as_a_function_of_c():
    address, size, number = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint64
    form = ctypes.CFUNCTYPE(ctypes.c_int, address, address, size, number, number, ctypes.c_double)
    dropout = form(_native._dropout_address())
    for n in (0, 1, 1000, 1 << 19):
        x = np.random.default_rng(1).random(n, np.float32)
        y, z = np.empty_like(x), x.copy()
        assert dropout(at(x), at(y), n, *BITS, 0.3) == 0 == dropout(at(z), at(z), n, *BITS, 0.3)
        assert np.array_equal(y, elision.dropout(x, 0.3, KEY)) and np.array_equal(z, y)
    for bad in [(at(x), at(y), n, *BITS, 2.0), (None, at(y), n, *BITS, 0.5), (at(x), at(x) + 4, n - 1, *BITS, 0.5)]:
        assert dropout(*bad) == 1


def test_groups_and_alpha():
    x = np.random.default_rng(1).random((4, 5, 6), np.float32)
    shared, alpha, back = np.empty_like(x), np.empty_like(x), np.empty_like(x)
    _native._dropout_shared_ptr(at(x), at(shared), x.shape, (4, 5, 1), *BITS, 0.4, 0)
    assert np.array_equal(shared, elision.dropout(x, 0.4, KEY, where="row"))
    _native._alpha_dropout_ptr(at(x), at(alpha), x.shape, x.shape, *BITS, 0.4, False)
    want, mask = elision.alpha_dropout(x, 0.4, KEY)
    assert np.array_equal(alpha, want)
    _native._alpha_dropout_ptr(at(x), at(back), x.shape, x.shape, *BITS, 0.4, True)
    assert np.array_equal(back, elision.alpha_dropout_backward(x, 0.4, mask))
    _native._alpha_dropout_ptr(at(x), at(alpha), x.shape, (4, 5, 1), *BITS, 0.4, False)
    assert not Mask.draw(KEY, 0.4, (4, 5)).to_bools()[np.ptp(alpha, axis=2) == 0].any()


def layer():
    """Input, weights, bias and gradient of a layer, its output and those of its gradients."""
    rng = np.random.default_rng(2)
    x, w, bias, g = [rng.standard_normal(shape).astype(np.float32) for shape in [(7, 5), (6, 5), 6, (7, 6)]]
    return (x, w, bias, g), [np.empty_like(a) for a in (g, x, w, bias)]


def test_linear_with_a_smooth_activation():
    (x, w, bias, g), (y, dx, dw, db) = layer()
    saved = _native._linear_ptr((at(x), at(w), at(bias), at(y)), (7, 6, 5), "gelu-erf", (0.3, KEY, 0), True)
    want, kept = elision.linear(x, w, bias, activation="gelu-erf", p=0.3, key=KEY)
    assert np.array_equal(y, want)
    _native._linear_backward_ptr((at(g), at(x), at(w)), (7, 6, 5), saved, (at(dx), at(dw), at(db)))
    for got, want in zip((dx, dw, db), elision.linear_backward(g, x, w, kept)):
        assert np.array_equal(got, want)


@pytest.mark.parametrize("activation", ["identity", "relu"])
def test_linear_whose_output_says_it_all(activation):
    (x, w, bias, g), (y, dx, dw, _) = layer()
    rate = (0.3, KEY, 0)
    assert _native._linear_ptr((at(x), at(w), at(bias), at(y)), (7, 6, 5), activation, rate, False) is None
    want, kept = elision.linear(x, w, bias, activation=activation, p=0.3, key=KEY)
    assert np.array_equal(y, want)
    dz = elision.dropout_backward(g, 0.3, KEY)
    dz[(y <= 0) & (activation == "relu")] = 0
    _native._product_backward_ptr((at(dz), at(x), at(w)), (7, 6, 5), (at(dx), at(dw)))
    for got, want in zip((dx, dw), elision.linear_backward(g, x, w, kept)):
        assert np.array_equal(got, want)
    dw[:] = 0
    _native._product_backward_ptr((at(dz), at(x), at(w)), (7, 6, 5), (at(dx), 0))
    assert not dw.any()


def test_products_of_nothing():
    y, w = np.empty((2, 3), np.float32), np.ones((2, 3), np.float32)
    _native._linear_ptr((0, 0, 0, at(y)), (2, 3, 0), "identity", None, False)
    assert not y.any()
    _native._linear_ptr((0, 0, 0, 0), (0, 3, 0), "relu", (0.5, KEY, 0), False)
    y[:] = 1
    _native._product_backward_ptr((0, 0, at(w)), (0, 2, 3), (0, at(y)))
    assert not y.any()


def test_what_can_be_checked():
    x = np.zeros(100, np.float32)
    a = at(x)
    for src, dst, n in [(0, a, 4), (a, 0, 4), (a + 1, a, 4), (a, a + 4, 50), (a, a, 1 << 62), (a, a, (1 << 64) - 1)]:
        with pytest.raises(ValueError):
            _native._dropout_ptr(src, dst, n, *BITS, 0.3, 0)
    with pytest.raises(ValueError, match="bits overlaps"):
        _native._dropout_mask_ptr(a, a, a + 8, 50, *BITS, 0.3, 0)
    with pytest.raises(ValueError, match="drop probability"):
        _native._dropout_ptr(a, a, 100, *BITS, 2.0, 0)
    with pytest.raises(ValueError, match="overlaps"):
        _native._linear_ptr((a, a, 0, a), (2, 2, 2), "relu", None, False)
    with pytest.raises(ValueError, match="gradient of w overlaps"):
        _native._product_backward_ptr((a, a + 64, a + 128), (2, 2, 2), (0, a))
    _native._dropout_ptr(0, 0, 0, *BITS, 0.3, 0)


def test_decisions_beyond_the_stream_are_refused_before_anything_is_written():
    x, y = np.ones(8, np.float32), np.zeros(8, np.float32)
    with pytest.raises(OverflowError, match="offset"):
        _native._dropout_ptr(at(x), at(y), 8, *BITS, 0.5, 2**64 - 7)
    with pytest.raises(OverflowError, match="offset"):
        _native._dropout_shared_ptr(at(x), at(y), (4, 2), (4, 1), *BITS, 0.5, 2**64 - 3)
    with pytest.raises(OverflowError, match="offset"):
        _native._linear_ptr((at(x), at(x), 0, at(y)), (4, 2, 2), "relu", (0.5, KEY, 2**64 - 7), False)
    assert not y.any()


def test_groups_that_do_not_fit_are_refused():
    x, y = np.ones(12, np.float32), np.zeros(12, np.float32)
    for noise_shape in [(4,), (4, 2), (3, 3)]:
        with pytest.raises(ValueError, match="shape|axes|axis"):
            _native._dropout_shared_ptr(at(x), at(y), (4, 3), noise_shape, *BITS, 0.5, 0)
    assert not y.any()


def test_a_runtime_has_functions():
    with pytest.raises(ValueError, match="address 0"):
        _native._use_openmp(0, 0)
