"""Dropout and its backward pass against their definition, and every wrong argument."""

import numpy as np
import pytest

import elision
from elision import Key, Mask

KEY = Key(42).fold_in(1)


def same(a, b):
    """Equal bit for bit."""
    return a.shape == b.shape and np.array_equal(np.ascontiguousarray(a).view(np.uint32), np.ascontiguousarray(b).view(np.uint32))


def naive(x, p, bools):
    scale = np.float32(1 / (1 - p)) if p < 1 else np.float32(1)
    return np.where(bools, x * scale, np.float32(0))


@pytest.mark.parametrize("p", [0, 0.1, 0.5, 0.9, 1])
def test_definition(x, p):
    y, mask = elision.dropout(x, p, KEY, return_mask=True)
    assert mask == Mask.draw(KEY, p, x.shape) and y.dtype == np.float32
    assert same(y, naive(x, p, mask.to_bools())) and same(elision.dropout(x, p, KEY), y)
    for by in (mask, KEY):
        assert same(elision.dropout_backward(x, p, by), y)
    plain = elision.dropout(x, p, KEY, scaled=False)
    assert same(plain, np.where(mask.to_bools(), x, np.float32(0)))


@pytest.mark.parametrize("layout", [lambda x: x, np.asfortranarray, lambda x: x[::-1, ::2], lambda x: x.T[3:], lambda x: np.broadcast_to(x[0], (4, 50))])
def test_layouts_do_not_matter(x, layout):
    laid = layout(x)
    want = elision.dropout(np.ascontiguousarray(laid), 0.3, KEY)
    assert same(elision.dropout(laid, 0.3, KEY), want)
    for order in "CF":
        out = np.full(laid.shape, 9, np.float32, order=order)
        assert elision.dropout(laid, 0.3, KEY, out=out) is out and same(out, want)
    if laid.flags.forc:
        own = laid.copy(order="K")
        assert elision.dropout(own, 0.3, KEY, out=own) is own and same(own, want)
        own = laid.copy(order="K")
        elision.dropout(own, 0.3, KEY, out=own[:])
        assert same(own, want)


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1,), (65,), (2,) * 8])
def test_shapes(shape):
    x = np.ones(shape, np.float32)
    y, mask = elision.dropout(x, 0.5, KEY, return_mask=True)
    assert y.shape == mask.shape == shape
    assert same(elision.dropout_backward(x, 0.5, mask), y)


def test_offsets_cut_one_stream():
    x = np.ones(10_000, np.float32)
    whole = elision.dropout(x, 0.3, KEY)
    assert same(elision.dropout(x[777:], 0.3, KEY, offset=777), whole[777:])


@pytest.mark.parametrize(
    "where, shape",
    [
        ("element", (4, 5, 6)),
        ("unit", (1, 1, 6)),
        ("row", (4, 5, 1)),
        ("sample", (4, 1, 1)),
        ("channel", (4, 1, 6)),
        ("channel-first", (4, 5, 1)),
        (1, (4, 1, 6)),
        ((0, -1), (1, 5, 1)),
        ((), (4, 5, 6)),
    ],
)
def test_groups(where, shape):
    x = np.random.default_rng(1).random((4, 5, 6), np.float32)
    y, mask = elision.dropout(x, 0.4, KEY, where=where, return_mask=True)
    assert mask.shape == shape and mask == Mask.draw(KEY, 0.4, shape)
    assert same(y, naive(x, 0.4, np.broadcast_to(mask.to_bools(), x.shape)))
    for by in (mask, KEY):
        assert same(elision.dropout_backward(x, 0.4, by, where=where), y)
    own = x.copy()
    elision.dropout(own, 0.4, KEY, where=where, out=own)
    assert same(own, y)


@pytest.mark.parametrize("where", ["rows", 3, -4, (0, 0), 1.5, {}])
def test_no_places(where):
    with pytest.raises((ValueError, TypeError)):
        elision.dropout(np.ones((2, 2, 2), np.float32), 0.5, KEY, where=where)


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int32, bool, ">f4", object, "U3"])
def test_dtypes_are_named(dtype):
    array = np.zeros(3, dtype)
    with pytest.raises(TypeError, match=f"x has dtype {np.dtype(dtype)}, but only float32".replace("<", ".").replace(">", ".")):
        elision.dropout(array, 0.5, KEY)
    with pytest.raises(TypeError, match="out has dtype"):
        elision.dropout(np.zeros(3, np.float32), 0.5, KEY, out=array)


@pytest.mark.parametrize("x", [None, 1.0, [1.0], "x", np.float32(1), object()])
def test_what_is_no_array(x):
    with pytest.raises(TypeError, match="x must be a float32 array"):
        elision.dropout(x, 0.5, KEY)


@pytest.mark.parametrize("p", [-0.1, 1.1, np.nan, np.inf, -np.inf])
def test_no_probabilities(x, p):
    out = np.full_like(x, 7)
    for call in (elision.dropout, elision.dropout_backward, elision.gaussian_dropout):
        with pytest.raises(ValueError, match="drop probability"):
            call(x, p, KEY, out=out)
    assert (out == 7).all()


def test_wrong_types(x):
    with pytest.raises(TypeError, match="p: .*str"):
        elision.dropout(x, "half", KEY)
    with pytest.raises(TypeError, match="key must be an elision.Key, not int"):
        elision.dropout(x, 0.5, 1)
    with pytest.raises(TypeError, match="offset"):
        elision.dropout(x, 0.5, KEY, offset=1.5)
    with pytest.raises(OverflowError, match="offset"):
        elision.dropout(x, 0.5, KEY, offset=-1)
    with pytest.raises(OverflowError, match="offset"):
        elision.dropout(x, 0.5, KEY, offset=(1 << 64) - 5)


def test_outputs_that_do_not_fit(x):
    def refused(out, words):
        before = out.copy()
        for return_mask in (False, True):
            with pytest.raises(ValueError, match=words):
                elision.dropout(x, 0.5, KEY, out=out, return_mask=return_mask)
        assert same(out, before)

    refused(np.zeros((6, 51), np.float32), "out has shape 6x51, but the result has shape 6x50")
    refused(np.zeros((6, 100), np.float32)[:, ::2], "out is not contiguous")
    read_only = np.zeros_like(x)
    read_only.flags.writeable = False
    refused(read_only, "out is read-only")
    buffer = np.zeros(6 * 50 * 4 + 1, np.uint8)
    refused(buffer[1:].view(np.float32).reshape(6, 50), "out is not contiguous")


def test_overlap_is_refused():
    memory = bytearray(4 * 400)
    whole = np.frombuffer(memory, np.float32)
    whole[:] = np.arange(400)
    # Another base object over the same memory.
    again = np.frombuffer(memory, np.float32)
    for x, out in [(whole[:300], whole[100:]), (whole[:300], again[1:301]), (whole[:20].reshape(4, 5), whole[:20].reshape(5, 4).T)]:
        with pytest.raises(ValueError, match="overlaps|shares memory"):
            elision.dropout(x, 0.5, KEY, out=out)
    assert np.array_equal(whole, np.arange(400))
    elision.dropout(whole[:300], 0.5, KEY, out=again[:300])
    assert same(again[:300], elision.dropout(np.arange(300, dtype=np.float32), 0.5, KEY))


def test_masks_of_other_shapes(x):
    for shape in [(6, 49), (300,), (50, 6), (6, 50, 1), (2, 1)]:
        with pytest.raises(ValueError):
            elision.dropout_backward(x, 0.5, Mask.draw(KEY, 0.5, shape))


def test_more_axes_than_the_library_has():
    with pytest.raises(ValueError, match="rank 9"):
        elision.dropout(np.ones((1,) * 9, np.float32), 0.5, KEY)


class Foreign:
    """An array of another library, which speaks DLPack."""

    def __init__(self, array, device=(1, 0)):
        self.array, self.device = array, device

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.device


def test_dlpack(x):
    assert same(elision.dropout(Foreign(x), 0.5, KEY), elision.dropout(x, 0.5, KEY))
    assert same(np.from_dlpack(elision.dropout(x, 0.5, KEY)), elision.dropout(x, 0.5, KEY))
    with pytest.raises(ValueError, match="another device"):
        elision.dropout(Foreign(x, (2, 0)), 0.5, KEY)
    with pytest.raises(TypeError, match="float64"):
        elision.dropout(Foreign(x.astype(np.float64)), 0.5, KEY)
