"""Whatever is passed, the answer is a result or an exception that programs catch, and a failed call writes nothing."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import elision
from elision import Key, Mask

DTYPES = [np.float32] * 6 + [np.float64, np.int32, bool]
ERRORS = (ValueError, TypeError, OverflowError, MemoryError, IndexError)


@st.composite
def arrays(draw):
    """Arrays of many layouts, over few elements."""
    shape = draw(st.lists(st.integers(0, 5), max_size=4))
    array = np.arange(np.prod(shape, dtype=int), dtype=np.float32).reshape(shape).astype(draw(st.sampled_from(DTYPES)))
    array = array.transpose(draw(st.permutations(range(len(shape)))))
    if shape and draw(st.booleans()):
        array = array[:: draw(st.sampled_from([-2, -1, 2]))]
    if draw(st.integers(0, 5)) == 0:
        array = np.broadcast_to(array, (2, *array.shape))
    return array


values = st.one_of(st.none(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=3), arrays())
rates = st.one_of(st.floats(0, 1), values)
keys = st.one_of(st.builds(Key, st.integers(0, 2**64 - 1)), values)
offsets = st.one_of(st.just(0), st.integers(0, 2**64 - 1), values)
places = st.one_of(st.none(), st.sampled_from(["element", "unit", "row", "sample", "channel", "channel-first"]), st.lists(st.integers(-5, 5), max_size=3), values)


@settings(max_examples=400, deadline=None)
@given(arrays() | values, rates, keys, offsets, places, arrays() | st.none(), st.booleans())
def test_dropout(x, p, key, offset, where, out, return_mask):
    before = None if out is None else out.copy()
    try:
        elision.dropout(x, p, key, offset=offset, where=where, out=out, return_mask=return_mask)
    except ERRORS:
        assert out is None or np.array_equal(out, before)


@settings(max_examples=200, deadline=None)
@given(arrays(), st.floats(0, 1), places)
def test_dropout_with_good_arguments(x, p, where):
    try:
        y, mask = elision.dropout(x, p, Key(1), where=where, return_mask=True)
    except ERRORS:
        return
    scale = np.float32(1 / (1 - p)) if p < 1 else np.float32(1)
    with np.errstate(over="ignore", invalid="ignore"):
        want = np.where(np.broadcast_to(mask.to_bools(), x.shape), x * scale, np.float32(0))
    assert np.array_equal(y, want, equal_nan=True)


sizes = st.one_of(st.integers(-3, 200), st.lists(st.integers(-1, 70), max_size=10), values)


@settings(max_examples=300, deadline=None)
@given(keys, rates, sizes, offsets, st.integers(-5, 300), st.integers(-5, 300))
def test_masks(key, p, shape, offset, start, stop):
    try:
        mask = Mask.draw(key, p, shape, offset) if np.prod(shape, dtype=float) < 1e7 else Mask.draw(key, p, 10)
        assert mask.count_kept() == mask.to_bools().sum() and len(mask) == mask.to_bools().size
        mask.slice(start, stop)
    except (*ERRORS, np.exceptions.DTypePromotionError):
        pass


@settings(max_examples=300, deadline=None)
@given(arrays() | values, arrays() | values, values, st.sampled_from(["identity", "relu", "gelu", "swish"]), rates, keys, arrays() | values)
def test_linear(x, w, bias, activation, p, key, g):
    try:
        y, saved = elision.linear(x, w, bias, activation=activation, p=p, key=key)
        elision.linear_backward(g, x, w, saved)
    except ERRORS:
        pass


family = st.sampled_from([
    lambda x, p, key, n: elision.noise(x, p, key),
    lambda x, p, key, n: elision.noise(x, p, key, kind="uniform", added=True),
    lambda x, p, key, n: elision.alpha_dropout(x, p, key),
    lambda x, p, key, n: elision.drop_block(x, p, key, n),
    lambda x, p, key, n: elision.drop_heads(x, p, key),
    lambda x, p, key, n: elision.dropout_rates(x, x, key),
    lambda x, p, key, n: elision.word_dropout(x, n, p, key),
    lambda x, p, key, n: elision.word_dropout(x, [0, 1], p, key),
])


@settings(max_examples=400, deadline=None)
@given(family, arrays() | values, rates, keys, values | st.integers(-1, 4))
def test_family(call, x, p, key, n):
    try:
        call(x, p, key, n)
    except ERRORS:
        pass
