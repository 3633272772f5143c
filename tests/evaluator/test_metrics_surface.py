"""Surface Dice against the reference implementation, whose table of areas and code ours does not share."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage
from surface_distance import lookup_tables

from evaluator.metrics.surface import surface_dice
from evaluator.metrics.surface_area import element_areas

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from surface_distance import compute_surface_dice_at_tolerance, compute_surface_distances

SPACINGS = [(1.0, 1.0, 1.0), (0.5, 0.5, 6.0), (0.7, 1.3, 0.9), (3.0, 0.4, 1.1)]


@pytest.fixture(autouse=True)
def names_that_numpy_and_scipy_dropped(monkeypatch):
    """The reference implementation still uses them."""
    monkeypatch.setattr(np, "Inf", np.inf, raising=False)
    monkeypatch.setattr(ndimage, "filters", ndimage, raising=False)
    monkeypatch.setattr(ndimage, "morphology", ndimage, raising=False)


def reference(a, b, spacing, tolerance):
    distances = compute_surface_distances(b, a, spacing)
    return float(compute_surface_dice_at_tolerance(distances, tolerance))


def agree(a, b, spacing, tolerance):
    ours = surface_dice(a, b, spacing_mm=spacing, tolerance_mm=tolerance)
    assert ours == pytest.approx(reference(a, b, spacing, tolerance), abs=1e-9)
    return ours


@pytest.mark.parametrize("spacing", SPACINGS)
def test_the_area_of_every_neighbourhood_is_that_of_the_reference(spacing):
    bits = lookup_tables.ENCODE_NEIGHBOURHOOD_3D_KERNEL
    table = lookup_tables.create_table_neighbour_code_to_surface_area(spacing)
    areas = element_areas(spacing)
    for code in range(256):
        corners = [(i & 1, i >> 1 & 1, i >> 2 & 1) for i in range(8) if code >> i & 1]
        assert areas[code] == pytest.approx(table[sum(int(bits[corner]) for corner in corners)], abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(1, 7), st.integers(1, 7), st.integers(1, 7)).flatmap(
        lambda shape: st.tuples(arrays(bool, shape), arrays(bool, shape))
    ),
    st.tuples(*[st.floats(0.1, 10)] * 3),
    st.floats(0, 12),
)
def test_any_pair_of_masks_scores_as_the_reference_says(pair, spacing, tolerance):
    a, b = pair
    if a.any() and b.any():
        agree(a, b, spacing, tolerance)


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("density", [0.02, 0.3, 0.9])
def test_noise_that_touches_every_border_scores_as_the_reference_says(spacing, density):
    random = np.random.default_rng(1)
    for _ in range(3):
        a, b = random.random((2, 12, 9, 11)) < density
        for tolerance in (0.0, 0.5, 1.0, 6.0):
            agree(a, b, spacing, tolerance)


@pytest.mark.parametrize("spacing", SPACINGS)
def test_single_voxels_score_as_the_reference_says(spacing):
    for corner in ((0, 0, 0), (4, 4, 4), (2, 0, 4), (2, 2, 2)):
        for other in ((0, 0, 0), (2, 2, 3), (4, 4, 4)):
            a, b = np.zeros((2, 5, 5, 5), bool)
            a[corner] = b[other] = True
            for tolerance in (0.0, 1.0, 5.0):
                agree(a, b, spacing, tolerance)


def test_full_masks_have_the_surface_of_their_box():
    a, b = np.ones((4, 5, 6), bool), np.ones((4, 5, 6), bool)
    b[0] = False
    assert agree(a, a, (1, 1, 1), 0) == 1.0
    assert 0 < agree(a, b, (1, 1, 1), 0.5) < 1
    assert agree(a, b, (1, 1, 1), 1.0) == 1.0


def test_balls_moved_within_the_tolerance_agree_fully_and_the_tolerance_is_inclusive():
    grid = np.indices((30, 30, 30))
    ball = ((grid - 14) ** 2).sum(axis=0) < 80
    moved = np.roll(ball, 1, axis=0)
    assert surface_dice(moved, ball, spacing_mm=(1, 1, 1), tolerance_mm=1.0) == 1.0
    assert agree(moved, ball, (1, 1, 1), 0.999) < 1
    assert agree(np.roll(ball, 6, axis=2), ball, (0.5, 0.5, 6.0), 1.0) < 0.5


def test_an_empty_mask_has_a_number():
    empty, full = np.zeros((3, 3, 3), bool), np.ones((3, 3, 3), bool)
    assert surface_dice(empty, full, spacing_mm=(1, 1, 1), tolerance_mm=1) == 0.0
    assert surface_dice(full, empty, spacing_mm=(1, 1, 1), tolerance_mm=1e9) == 0.0
    assert surface_dice(empty, empty, spacing_mm=(1, 1, 1), tolerance_mm=1) == 0.0
    assert surface_dice(empty, empty, spacing_mm=(1, 1, 1), tolerance_mm=1, both_empty=1.0) == 1.0


def test_where_the_masks_lie_in_the_image_does_not_matter():
    random = np.random.default_rng(2)
    a, b = random.random((2, 6, 6, 6)) < 0.4
    here = surface_dice(a, b, spacing_mm=(1, 2, 3), tolerance_mm=1)
    around = [np.pad(mask, ((3, 1), (0, 9), (4, 4))) for mask in (a, b)]
    assert surface_dice(*around, spacing_mm=(1, 2, 3), tolerance_mm=1) == here


@pytest.mark.parametrize(
    "changes",
    [
        {"pred": np.ones((3, 3), bool), "ref": np.ones((3, 3), bool)},
        {"pred": np.ones((3, 3, 4), bool)},
        {"pred": np.ones((3, 3, 3), np.uint8)},
        {"spacing_mm": (1, 1)},
        {"spacing_mm": (1, 1, 0)},
        {"spacing_mm": (1, 1, np.nan)},
        {"tolerance_mm": -1},
        {"tolerance_mm": np.nan},
    ],
)
def test_arguments_that_make_no_sense_are_refused(changes):
    mask = np.ones((3, 3, 3), bool)
    with pytest.raises(ValueError, match=r"mask|boolean|spacing|tolerance"):
        surface_dice(**{"pred": mask, "ref": mask, "spacing_mm": (1, 1, 1), "tolerance_mm": 1} | changes)


@pytest.mark.parametrize("voxels", range(1, 13))
@pytest.mark.parametrize("axis", [0, 1])
def test_voxels_in_one_row_agree_from_just_their_distance_on_where_slices_are_thick(axis, voxels):
    a, b = np.zeros((2, voxels + 1), bool)
    a[0] = b[-1] = True
    a, b = (mask.reshape((-1, 1, 1) if axis == 0 else (1, -1, 1)) for mask in (a, b))
    assert agree(a, b, (1.0, 1.0, 10.0), voxels) == pytest.approx(1)
    assert agree(a, b, (1.0, 1.0, 10.0), voxels - 1e-6) == pytest.approx(0.5)


def test_rounding_lifts_no_pair_above_1():
    random = np.random.default_rng(3)
    for spacing in random.uniform(0.4, 3, (40, 3)):
        mask = random.random((8, 8, 8)) < 0.4
        assert surface_dice(mask, np.roll(mask, 1, axis=0), spacing_mm=spacing, tolerance_mm=9) <= 1
