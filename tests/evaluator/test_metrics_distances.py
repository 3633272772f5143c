"""Hausdorff, mean and median distance against the reference implementation, and what any metric must satisfy."""

import itertools
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from evaluator.metrics.surface import (
    hausdorff,
    mean_surface_distance,
    median_surface_distance,
    surface_dice,
)
from evaluator.metrics.surface_area import element_areas

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from surface_distance import (
        compute_robust_hausdorff,
        compute_surface_dice_at_tolerance,
        compute_surface_distances,
    )

SPACINGS = [(1.0, 1.0, 1.0), (0.5, 0.5, 0.6), (0.5, 0.5, 6.0), (0.7, 1.3, 0.9), (3.0, 0.4, 1.1)]
SIZES = st.tuples(st.integers(1, 7), st.integers(1, 7), st.integers(1, 7))
PAIRS = SIZES.flatmap(lambda shape: st.tuples(arrays(bool, shape), arrays(bool, shape)))
SPACING = st.tuples(*[st.floats(0.2, 5)] * 3)


@pytest.fixture(autouse=True)
def names_that_numpy_and_scipy_dropped(monkeypatch):
    """The reference implementation still uses them; without them it raises where one mask is empty."""
    monkeypatch.setattr(np, "Inf", np.inf, raising=False)
    monkeypatch.setattr(ndimage, "filters", ndimage, raising=False)
    monkeypatch.setattr(ndimage, "morphology", ndimage, raising=False)


def noise(random, shape):
    density = random.choice([0.02, 0.3, 0.5, 0.9])
    return random.random((2, *shape)) < density


def single_voxels(random, shape):
    pair = np.zeros((2, *shape), bool)
    for mask in pair:
        for _ in range(random.integers(1, 4)):
            mask[tuple(random.integers(0, length) for length in shape)] = True
    return pair


def blobs(random, shape):
    shape = tuple(length + 12 for length in shape)
    smooth = ndimage.gaussian_filter(random.normal(size=shape), 2)
    return np.stack([smooth > 0.05, smooth + ndimage.gaussian_filter(random.normal(size=shape), 2) > 0.1])


def nearly_full(random, shape):
    return np.stack([np.ones(shape, bool), random.random(shape) < 0.97])


def far_apart(random, shape):
    pair = np.zeros((2, 40, 30, 20), bool)
    low, high = random.integers(1, 6, 3), random.integers(1, 6, 3)
    pair[0][tuple(slice(None, int(length)) for length in low)] = True
    pair[1][tuple(slice(-int(length), None) for length in high)] = True
    return pair


KINDS = [noise, single_voxels, blobs, nearly_full, far_apart]


def agree(a, b, spacing):
    theirs = compute_surface_distances(b, a, spacing)
    for tolerance in (0.0, 1.0, 2.5):
        ours = surface_dice(a, b, spacing_mm=spacing, tolerance_mm=tolerance)
        assert ours == pytest.approx(compute_surface_dice_at_tolerance(theirs, tolerance), abs=1e-9)
    for percentile in (50, 95, 100):
        ours = hausdorff(a, b, spacing_mm=spacing, percentile=percentile)
        assert ours == pytest.approx(compute_robust_hausdorff(theirs, percentile), abs=1e-9)
    distances = np.append(theirs["distances_gt_to_pred"], theirs["distances_pred_to_gt"])
    areas = np.append(theirs["surfel_areas_gt"], theirs["surfel_areas_pred"])
    mean = (distances * areas).sum() / areas.sum()
    assert mean_surface_distance(a, b, spacing_mm=spacing) == pytest.approx(mean, abs=1e-9)


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("kind", KINDS)
def test_random_pairs_score_as_the_reference_says(kind, spacing):
    random = np.random.default_rng(KINDS.index(kind) * 10 + SPACINGS.index(spacing))
    compared = 0
    while compared < 17:
        a, b = kind(random, tuple(random.integers(1, 14, 3)))
        if a.any() and b.any():
            agree(*((np.asfortranarray(a), np.asfortranarray(b)) if compared % 2 else (a, b)), spacing)
            compared += 1


def test_one_or_two_empty_masks_have_the_reference_s_distance_unless_told():
    empty, full = np.zeros((3, 3, 3), bool), np.ones((3, 3, 3), bool)
    for a, b in ((empty, full), (full, empty), (empty, empty)):
        theirs = compute_robust_hausdorff(compute_surface_distances(b, a, (1, 1, 1)), 95)
        assert hausdorff(a, b, spacing_mm=(1, 1, 1), percentile=95) == theirs == np.inf
        for distance in (mean_surface_distance, median_surface_distance):
            assert distance(a, b, spacing_mm=(1, 1, 1)) == np.inf
            told = distance(a, b, spacing_mm=(1, 1, 1), both_empty=1, one_empty=2)
            assert told == (2 if a.any() or b.any() else 1)
    assert hausdorff(empty, empty, spacing_mm=(1, 1, 1), percentile=95, both_empty=0) == 0
    assert hausdorff(full, empty, spacing_mm=(1, 1, 1), percentile=95, one_empty=99) == 99


def test_noise_against_a_small_mask_is_the_same_by_steps_tree_and_transform():
    random = np.random.default_rng(4)
    a, b = random.random((30, 32, 34)) < 0.5, np.zeros((30, 32, 34), bool)
    b[12:17, 3:6, 20:23] = True
    agree(a, b, (1.0, 1.0, 1.0))
    agree(b, a, (0.5, 0.5, 6.0))


@pytest.mark.parametrize("percentile", [-1, 101, np.nan])
def test_percentiles_outside_their_range_are_refused(percentile):
    mask = np.ones((3, 3, 3), bool)
    with pytest.raises(ValueError, match="percentile"):
        hausdorff(mask, mask, spacing_mm=(1, 1, 1), percentile=percentile)


def of(a, b, spacing):
    """Values that no rounding of a tie can change."""
    return (
        surface_dice(a, b, spacing_mm=spacing, tolerance_mm=1.03),
        hausdorff(a, b, spacing_mm=spacing, percentile=100, both_empty=0, one_empty=0),
        mean_surface_distance(a, b, spacing_mm=spacing, both_empty=0, one_empty=0),
        median_surface_distance(a, b, spacing_mm=spacing, both_empty=0, one_empty=0),
    )


@settings(max_examples=40, deadline=None)
@given(PAIRS)
def test_prediction_and_reference_may_change_places(pair):
    a, b = pair
    assert of(a, b, (0.7, 1.3, 0.9)) == pytest.approx(of(b, a, (0.7, 1.3, 0.9)), abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(PAIRS, st.permutations(range(3)), st.tuples(*[st.sampled_from([1, -1])] * 3))
def test_flips_and_axis_swaps_change_nothing(pair, axes, signs):
    spacing = (0.7, 1.3, 0.9)
    flips = tuple(slice(None, None, sign) for sign in signs)
    moved = [mask[flips].transpose(axes) for mask in pair]
    assert of(*moved, [spacing[axis] for axis in axes]) == pytest.approx(of(*pair, spacing), abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(PAIRS, SPACING, st.sampled_from([0.25, 0.5, 2.0, 4.0]))
def test_spacing_and_tolerance_scale_together(pair, spacing, factor):
    a, b = pair
    wider = [step * factor for step in spacing]
    near = surface_dice(a, b, spacing_mm=spacing, tolerance_mm=1.0)
    assert surface_dice(a, b, spacing_mm=wider, tolerance_mm=factor) == pytest.approx(near, abs=1e-12)
    for before, after in zip(of(a, b, spacing)[1:], of(a, b, wider)[1:], strict=True):
        assert after == pytest.approx(before * factor, rel=1e-9)


@settings(max_examples=40, deadline=None)
@given(PAIRS, SPACING)
def test_more_tolerance_never_scores_less_and_higher_percentiles_are_never_nearer(pair, spacing):
    a, b = pair
    near = [surface_dice(a, b, spacing_mm=spacing, tolerance_mm=one) for one in (0, 0.5, 1, 3, 9)]
    assert all(low <= high + 1e-12 for low, high in itertools.pairwise(near))
    far = [
        hausdorff(a, b, spacing_mm=spacing, percentile=one, both_empty=0, one_empty=0)
        for one in (0, 50, 95, 100)
    ]
    assert far == sorted(far)


def test_a_ball_that_moves_away_scores_worse_step_by_step():
    grid = np.indices((24, 24, 40))
    ball = ((grid - np.array([12, 12, 10]).reshape(3, 1, 1, 1)) ** 2).sum(axis=0) < 40
    values = [of(np.roll(ball, step, axis=2), ball, (1.0, 1.0, 1.0)) for step in range(0, 20, 2)]
    near, *distances = zip(*values, strict=True)
    assert list(near) == sorted(near, reverse=True)
    assert all(list(one) == sorted(one) for one in distances)


def test_surface_dice_jumps_where_the_tolerance_is_a_lattice_distance():
    grid = np.indices((30, 30, 30))
    ball = ((grid - 14) ** 2).sum(axis=0) < 80
    exact, rounded_up = (
        surface_dice(np.roll(ball, 1, axis=0), ball, spacing_mm=[step] * 3, tolerance_mm=1.0)
        for step in (1.0, 1.00000012)
    )
    assert exact == 1.0
    assert rounded_up < 0.9


def test_areas_are_those_of_the_reference_to_the_last_bit_where_spacing_is_isotropic():
    areas = element_areas((1.0, 1.0, 1.0))
    assert areas[1] == np.sqrt(3) / 8
    assert (areas[1:255] > 0).all()
    assert areas[0] == areas[255] == 0


@pytest.mark.parametrize("step", [0.0, -1.0, 1e-300, 1e300, float("nan"), float("inf")])
def test_a_spacing_that_no_scanner_has_is_refused(step):
    mask = np.ones((3, 3, 3), bool)
    for call in (
        lambda spacing: surface_dice(mask, mask, spacing_mm=spacing, tolerance_mm=1),
        lambda spacing: hausdorff(mask, mask, spacing_mm=spacing, percentile=95),
    ):
        with pytest.raises(ValueError, match="spacing_mm must be three numbers from 1e-06 to 1e"):
            call((1.0, step, 1.0))


def test_a_percentile_written_as_a_fraction_is_refused():
    mask = np.ones((3, 3, 3), bool)
    with pytest.raises(ValueError, match=r"95, not 0\.95"):
        hausdorff(mask, mask, spacing_mm=(1, 1, 1), percentile=0.95)


@pytest.mark.parametrize(("percentile", "expected"), [(0, 3), (1, 3), (1.5, 3), (49, 3), (51, 4), (100, 4)])
def test_half_the_surface_of_a_voxel_is_one_step_further_from_another_voxel(percentile, expected):
    a, b = np.zeros((2, 5, 1, 1), bool)
    a[0] = b[-1] = True
    assert hausdorff(a, b, spacing_mm=(1, 1, 1), percentile=percentile) == expected
