import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from evaluator.metrics import CaseData
from evaluator.metrics.boundary import boundary_iou
from evaluator.metrics.instances import lesion_dice, panoptic_quality
from evaluator.metrics.registry import lookup
from tests.evaluator.test_metrics_volume_and_lesions import EMPTY, boxes

ANY = arrays(bool, (6, 5, 7))


def lesions_of(mask, connectivity):
    structure = ndimage.generate_binary_structure(3, {6: 1, 18: 2, 26: 3}[connectivity])
    numbers, count = ndimage.label(mask, structure)
    return [numbers == number for number in range(1, count + 1)]


def plain_panoptic_quality(pred, ref, connectivity):
    """Every pair tried: above 0.5 no lesion is in two of them."""
    found, truth = lesions_of(pred, connectivity), lesions_of(ref, connectivity)
    ious = [(a & b).sum() / (a | b).sum() for a, b in itertools.product(found, truth)]
    good = [iou for iou in ious if iou > 0.5]
    false, missed = len(found) - len(good), len(truth) - len(good)
    return sum(good) / (len(good) + false / 2 + missed / 2) if found or truth else 1.0


def plain_lesion_dice(pred, ref, connectivity):
    found, truth = lesions_of(pred, connectivity), lesions_of(ref, connectivity)
    values = [0.0 for one in found if not (one & ref).any()]
    for lesion in truth:
        touching = sum((one for one in found if (one & lesion).any()), np.zeros(ref.shape, int)) > 0
        values.append(2 * (touching & lesion).sum() / (touching.sum() + lesion.sum()))
    return np.mean(values) if values else 1.0


@pytest.mark.parametrize("connectivity", [6, 18, 26])
@pytest.mark.parametrize("density", [0.05, 0.2, 0.4])
def test_lesions_are_matched_and_outlined_as_in_loops_over_all_of_them(connectivity, density):
    random = np.random.default_rng(26)
    for _ in range(8):
        ref = random.random((9, 10, 8)) < density
        pred = np.where(random.random(ref.shape) < 0.2, random.random(ref.shape) < density, ref)
        found = panoptic_quality(pred, ref, connectivity=connectivity)
        assert found == pytest.approx(plain_panoptic_quality(pred, ref, connectivity), abs=1e-12)
        found = lesion_dice(pred, ref, connectivity=connectivity)
        assert found == pytest.approx(plain_lesion_dice(pred, ref, connectivity), abs=1e-12)


def test_below_one_half_the_best_pairs_are_taken_first_and_each_lesion_once():
    ref = np.zeros((1, 1, 12), bool)
    ref[..., 0:6], ref[..., 7:11] = True, True
    pred = np.zeros_like(ref)
    pred[..., 4:10] = True  # shares 2 of 10 voxels with the first, 3 of 7 with the second
    assert panoptic_quality(pred, ref) == 0
    assert panoptic_quality(pred, ref, min_iou=0.1) == pytest.approx(3 / 7 / (1 + 1 / 2))
    pred[..., 0:2] = True  # a second lesion, of which the first of the reference holds all: 2 of 6
    assert panoptic_quality(pred, ref, min_iou=0.1) == pytest.approx((3 / 7 + 2 / 6) / 2)
    assert panoptic_quality(pred, ref, min_iou=3 / 7) == 0, "above it, not at it"


def test_a_lesion_counts_the_same_whatever_its_size():
    small, large = boxes((0, 0, 0)), np.zeros(EMPTY.shape, bool)
    large[4:, 4:, 4:] = True
    assert lesion_dice(large, small | large) == 0.5
    assert lesion_dice(small | large, large) == 0.5
    assert lesion_dice(small, small | large) == 0.5
    assert panoptic_quality(large, small | large) == pytest.approx(1 / 1.5)


@pytest.mark.parametrize("metric", [lesion_dice, panoptic_quality])
def test_without_lesions_the_value_is_the_one_asked_for(metric):
    some = boxes((0, 0, 0))
    assert (metric(EMPTY, EMPTY), metric(EMPTY, EMPTY, both_empty=0.5)) == (1, 0.5)
    assert metric(some, EMPTY) == metric(EMPTY, some) == 0
    with pytest.raises(ValueError, match="connectivity"):
        metric(EMPTY, EMPTY, connectivity=8)
    with pytest.raises(ValueError, match="three dimensions"):
        metric(EMPTY[0], EMPTY[0])


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_a_share_that_nothing_exceeds_is_refused(share):
    with pytest.raises(ValueError, match="min_iou"):
        panoptic_quality(EMPTY, EMPTY, min_iou=share)


@settings(max_examples=30, deadline=None)
@given(ANY, ANY)
def test_how_arrays_lie_in_memory_moves_no_metric_of_lesions_or_rims(a, b):
    fields = {
        "lesion_dice": {},
        "panoptic_quality": {"min_iou": 0.1},
        "boundary_iou": {"width_mm": 1.1},
    }
    for name, given_fields in fields.items():
        metric = lookup(name)
        parameters = metric.parse({"labels": [1], **given_fields})
        maps = a.astype(np.uint8), b.astype(np.uint8)
        orders = [[np.array(one, order=order) for one in maps] for order in "CF"]
        found = [metric.score(CaseData(*pair, (0.5, 1.0, 2.0)), parameters) for pair in orders]
        assert found[0] == found[1]


def rim(mask, spacing, width):
    """The definition of MetricsReloaded (`boundary_iou`), with millimetres and an inclusive width."""
    border = mask & ~ndimage.binary_erosion(mask)
    return mask & (ndimage.distance_transform_edt(~border, sampling=spacing) <= width)


@pytest.mark.parametrize("width", [0.0, 0.6, 1.0, 2.3, 50.0])
def test_boundary_iou_is_that_of_whole_images(width):
    random = np.random.default_rng(3)
    for number in range(12):
        smooth = ndimage.gaussian_filter(random.normal(size=(2, 18, 15, 12)), (0, 3, 3, 3))
        pred, ref = smooth[0] > 0.0, smooth[0] + 0.3 * smooth[1] > 0.0
        spacing = [(1, 1, 1), (0.5, 0.5, 2), (3, 0.4, 1.1)][number % 3]
        a, b = rim(pred, spacing, width), rim(ref, spacing, width)
        found = boundary_iou(pred, ref, spacing_mm=spacing, width_mm=width)
        assert found == pytest.approx((a & b).sum() / (a | b).sum(), abs=1e-12)


def test_the_inside_of_a_large_structure_does_not_hide_its_border():
    ref, pred = np.zeros((2, 30, 30, 30), bool)
    ref[5:25, 5:25, 5:25], pred[6:24, 6:24, 6:24] = True, True
    values = [boundary_iou(pred, ref, spacing_mm=(1, 1, 1), width_mm=width) for width in (0, 1, 2, 30)]
    assert values[0] == 0
    assert values == sorted(values)
    assert values[-1] == pytest.approx(18**3 / 20**3)


def test_rims_of_empty_masks_and_senseless_widths():
    some, millimetres = boxes((0, 0, 0)), {"spacing_mm": (1, 1, 1), "width_mm": 1}
    assert boundary_iou(EMPTY, EMPTY, **millimetres) == 1
    assert boundary_iou(EMPTY, EMPTY, **millimetres, both_empty=0.0) == 0
    assert boundary_iou(some, EMPTY, **millimetres) == boundary_iou(EMPTY, some, **millimetres) == 0
    with pytest.raises(ValueError, match="width_mm"):
        boundary_iou(some, some, spacing_mm=(1, 1, 1), width_mm=-1)
    with pytest.raises(ValueError, match="three-dimensional"):
        boundary_iou(some[0], some[0], spacing_mm=(1, 1, 1), width_mm=1)
