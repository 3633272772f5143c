import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from evaluator.metrics.overlap import dice

MASKS = arrays(bool, (3, 4, 2))
EMPTY = np.zeros((3, 4, 2), bool)


@settings(max_examples=50, deadline=None)
@given(MASKS, MASKS)
def test_dice_is_twice_the_overlap_over_the_sum(a, b):
    if a.any() or b.any():
        assert dice(a, b) == 2 * (a & b).sum() / (a.sum() + b.sum())
    assert dice(a, b) == dice(b, a)


@settings(max_examples=50, deadline=None)
@given(MASKS)
def test_a_mask_agrees_with_itself_and_not_with_nothing(a):
    assert dice(a, a) == 1.0
    assert dice(a, EMPTY) == (0.0 if a.any() else 1.0)


def test_two_empty_masks_earn_what_is_asked_for():
    assert dice(EMPTY, EMPTY) == 1.0
    assert dice(EMPTY, EMPTY, both_empty=0.0) == 0.0


@pytest.mark.parametrize("other", [np.zeros((3, 4, 2), np.uint8), np.zeros((3, 4, 3), bool)])
def test_other_types_and_shapes_are_refused(other):
    with pytest.raises(ValueError, match=r"boolean|shape"):
        dice(EMPTY, other)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 8))
def test_halves_overlap_by_their_share(shift):
    a, b = np.zeros(16, bool), np.zeros(16, bool)
    a[:8] = b[shift : shift + 8] = True
    assert dice(a, b) == (8 - shift) / 8


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(9,), (6, 7), (12, 9, 10), (3, 4, 5, 6)])
def test_dice_is_the_same_of_a_corner_and_of_the_image_around_it(shape, order):
    random = np.random.default_rng(len(shape))
    small = random.random((2, *shape)) < 0.4
    whole = np.pad(small, ((0, 0), *[(2, 20 if axis < 2 else 3) for axis in range(len(shape))]))
    for pair in (small, whole):
        a, b = (np.array(mask, order=order) for mask in pair)
        assert dice(a, b) == 2 * (small[0] & small[1]).sum() / small.sum()
        assert dice(a, np.zeros_like(a)) == 0
