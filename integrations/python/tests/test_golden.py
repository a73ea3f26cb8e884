"""The masks and numbers of a key are those of the library, by its own digests."""

import numpy as np
import pytest
from conftest import fnv1a, lines

import elision
from elision import Key, Mask


@pytest.mark.parametrize("fields", lines("stream-v1.txt"), ids=" ".join)
def test_masks(fields):
    seed, folds, p, offset, n, digest = fields
    key = Key(int(seed))
    for fold in [] if folds == "-" else folds.split(","):
        key = key.fold_in(int(fold))
    mask = Mask.draw(key, float(p), int(n), int(offset))
    assert f"{fnv1a(mask.to_bytes()):016x}" == digest
    ones = np.ones(int(n), np.float32)
    y = elision.dropout(ones, float(p), key, offset=int(offset))
    assert np.array_equal(y != 0, mask.to_bools())


@pytest.mark.parametrize("fields", lines("numbers-v1.txt"), ids=" ".join)
@pytest.mark.parametrize("isa", elision.available_isas())
def test_numbers(fields, isa):
    law, seed, fold, n, digest = fields
    with elision.use_isa(isa):
        assert elision.isa() == isa
        found = getattr(elision, law)(Key(int(seed)).fold_in(int(fold)), int(n))
    assert f"{fnv1a(found.astype('<f4').tobytes()):016x}" == digest
