"""Keys and masks as values."""

import copy
import pickle

import numpy as np
import pytest

from elision import Key, Mask


def test_keys_are_values():
    key = Key(7).fold_in(3).named("layer")
    assert key == Key(7).fold_in(3).named("layer") and hash(key) == hash(Key.from_int(int(key)))
    assert key != Key(7) and key != 7 and len({key, Key(7), Key(7)}) == 2
    assert pickle.loads(pickle.dumps(key)) == key == copy.deepcopy(key) == eval(repr(key))
    assert key.to_int() == key.low | key.high << 64


@pytest.mark.parametrize("seed, error", [(-1, OverflowError), (1 << 64, OverflowError), (0.5, TypeError), ("a", TypeError)])
def test_no_seeds(seed, error):
    with pytest.raises(error):
        Key(seed)


def test_masks_are_values():
    bools = np.random.default_rng(1).random((5, 7, 3)) < 0.5
    for array in (bools, np.asfortranarray(bools), bools[::-1]):
        mask = Mask.from_bools(array)
        assert mask.shape == (5, 7, 3) and len(mask) == 105
        assert np.array_equal(mask.to_bools(), array) and np.array_equal(np.asarray(mask), array)
        assert mask.count_kept() == array.sum() and mask.nbytes == 16
        assert pickle.loads(pickle.dumps(mask)) == mask
        flat = np.unpackbits(mask.words.view(np.uint8), bitorder="little")[:105]
        assert np.array_equal(flat.astype(bool), array.ravel())
        assert np.array_equal(mask.slice(3, 99).to_bools(), array.ravel()[3:99])
    a, b = Mask.from_bools(bools), Mask.from_bools(~bools[::-1])
    for got, want in [(a & b, bools & ~bools[::-1]), (a | b, bools | ~bools[::-1]), (a ^ b, bools ^ ~bools[::-1]), (~a, ~bools)]:
        assert np.array_equal(got.to_bools(), want)
    assert a.reshape((7, 15)).shape == (7, 15) and a.reshape(105) != a
    assert repr(a) == f"Mask({bools.sum()} of 105 kept, shape [5, 7, 3])"
    with pytest.raises(TypeError, match="unhashable"):
        hash(a)


def test_mask_errors():
    mask = Mask.draw(Key(1), 0.5, (4, 5))
    with pytest.raises(IndexError):
        mask.slice(3, 21)
    with pytest.raises(ValueError, match="4x5"):
        mask.reshape((3, 7))
    with pytest.raises(ValueError, match="do not go together"):
        mask & mask.reshape(20)
    with pytest.raises(TypeError, match="float64"):
        Mask.from_bools(np.zeros(3))
    with pytest.raises(ValueError, match="bytes of a mask"):
        Mask.from_bytes(b"abc", 30)
    with pytest.raises(MemoryError):
        Mask.draw(Key(1), 0.5, 1 << 62)
    with pytest.raises(OverflowError):
        Mask.draw(Key(1), 0.5, (1 << 40, 1 << 40))
    with pytest.raises(OverflowError):
        Mask.draw(Key(1), 0.5, 10, (1 << 64) - 5)
    with pytest.raises(ValueError):
        np.asarray(mask, copy=False) if np.lib.NumpyVersion(np.__version__) >= "2.0.0" else mask.__array__(copy=False)


def test_exact_masks():
    assert Mask.draw_exact(Key(1), 30, (10, 10)).count_kept() == 30
    groups = Mask.draw_exact_in_groups(Key(1), 2, 4, 100)
    assert groups.shape == (100, 4) and (groups.to_bools().sum(axis=1) == 2).all()
    with pytest.raises(ValueError, match="at most all"):
        Mask.draw_exact(Key(1), 101, 100)
