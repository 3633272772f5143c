import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from evaluator.metrics import CaseData, segmentation
from evaluator.metrics.lesions import LesionCounts, lesion_counts, lesion_f1, lesion_sensitivity
from evaluator.metrics.overlap import dice
from evaluator.metrics.registry import lookup
from evaluator.metrics.surface import hausdorff, surface_dice
from evaluator.metrics.volume import relative_volume_difference, volume_difference

EMPTY = np.zeros((8, 8, 8), bool)


def boxes(*corners):
    mask = np.zeros((8, 8, 8), bool)
    for x, y, z in corners:
        mask[x : x + 2, y : y + 2, z : z + 2] = True
    return mask


def test_volumes_differ_in_millilitres_and_relative_to_the_reference():
    one, two = boxes((0, 0, 0)), boxes((0, 0, 0), (4, 4, 4))
    for a, b in ((one, two), (two, one)):
        assert volume_difference(a, b, spacing_mm=(0.5, 1, 6)) == pytest.approx(8 * 3 / 1000)
    assert relative_volume_difference(one, two, spacing_mm=(1, 1, 1)) == 0.5
    assert relative_volume_difference(two, one, spacing_mm=(1, 1, 1)) == 1.0


def test_an_empty_mask_has_a_volume_but_nothing_is_relative_to_it():
    one = boxes((0, 0, 0))
    assert volume_difference(EMPTY, one, spacing_mm=(1, 1, 1)) == pytest.approx(0.008)
    assert relative_volume_difference(EMPTY, one, spacing_mm=(1, 1, 1)) == 1.0
    assert relative_volume_difference(one, EMPTY, spacing_mm=(1, 1, 1)) == np.inf
    assert relative_volume_difference(one, EMPTY, spacing_mm=(1, 1, 1), reference_empty=5) == 5
    assert relative_volume_difference(EMPTY, EMPTY, spacing_mm=(1, 1, 1), both_empty=3) == 3


def test_lesions_are_found_missed_and_false():
    reference = boxes((0, 0, 0), (0, 0, 4), (4, 4, 0))
    prediction = boxes((0, 0, 0), (0, 1, 4), (5, 0, 5))
    assert lesion_counts(prediction, reference) == LesionCounts(found=2, missed=1, false=1)
    assert lesion_f1(prediction, reference) == pytest.approx(4 / 6)
    assert lesion_sensitivity(prediction, reference) == pytest.approx(2 / 3)
    # half of the second lesion is covered
    assert lesion_counts(prediction, reference, min_overlap=0.5).found == 2
    assert lesion_counts(prediction, reference, min_overlap=0.51) == LesionCounts(1, 2, 2)


@pytest.mark.parametrize(("shift", "together"), [((2, 0, 0), 6), ((2, 2, 0), 18), ((2, 2, 2), 26)])
def test_what_belongs_together_is_a_matter_of_connectivity(shift, together):
    touching = boxes((2, 2, 2), tuple(2 + step for step in shift))
    for connectivity in (6, 18, 26):
        counts = lesion_counts(EMPTY, touching, connectivity=connectivity)
        assert counts.missed == (1 if connectivity >= together else 2)


def test_without_lesions_the_value_is_the_one_asked_for():
    some = boxes((0, 0, 0))
    assert lesion_f1(EMPTY, EMPTY) == 1.0
    assert lesion_f1(EMPTY, EMPTY, both_empty=0.5) == 0.5
    assert lesion_f1(some, EMPTY) == lesion_f1(EMPTY, some) == 0.0
    assert lesion_sensitivity(EMPTY, some) == 0.0
    assert lesion_sensitivity(EMPTY, EMPTY) == 1.0
    assert lesion_sensitivity(some, EMPTY) == 0.0
    assert lesion_sensitivity(some, EMPTY, reference_empty=1.0) == 1.0


@pytest.mark.parametrize("changes", [{"connectivity": 8}, {"min_overlap": -0.1}, {"min_overlap": 1.1}])
def test_parameters_that_make_no_sense_are_refused(changes):
    with pytest.raises(ValueError, match="connectivity"):
        lesion_counts(EMPTY, EMPTY, **changes)


@settings(max_examples=40, deadline=None)
@given(arrays(bool, (5, 4, 6)), arrays(bool, (5, 4, 6)), st.permutations(range(3)))
def test_flips_swaps_and_more_overlap_demanded_never_find_more(a, b, axes):
    found = [lesion_counts(a, b, min_overlap=share).found for share in (0, 0.3, 0.7, 1)]
    assert found == sorted(found, reverse=True)
    moved = [mask[::-1, :, ::-1].transpose(axes) for mask in (a, b)]
    assert lesion_counts(*moved) == lesion_counts(a, b)


ASKED = {
    "dice": {},
    "surface_dice": {"tolerance_mm": 1.0},
    "hausdorff": {"one_empty": 50},
    "mean_surface_distance": {"one_empty": 50},
    "median_surface_distance": {"one_empty": 50},
    "volume_difference": {"missing": 9},
    "relative_volume_difference": {"reference_empty": 4},
    "lesion_f1": {},
    "lesion_sensitivity": {},
}


def bound(labels, more=None):
    return {
        name: (lookup(name), lookup(name).parse({"labels": labels, **fields, **(more or {})}))
        for name, fields in ASKED.items()
    }


@pytest.mark.parametrize("order", ["C", "F"])
def test_one_call_scores_every_metric_as_each_alone(order):
    random = np.random.default_rng(5)
    prediction, reference = np.zeros((2, 20, 18, 16), np.uint8)
    prediction[3:14, 2:9, 4:12] = random.integers(0, 3, (11, 7, 8))
    reference[4:15, 2:9, 5:12] = random.integers(0, 3, (11, 7, 7))
    case = CaseData(np.array(prediction, order=order), np.array(reference, order=order), (0.5, 1.0, 2.0))
    values = segmentation.score_case(case, bound([1, 2]))
    for name, (metric, parameters) in bound([1, 2]).items():
        fresh = CaseData(case.prediction, case.reference, case.spacing_mm)
        assert values[name] == pytest.approx(metric.score(fresh, parameters), abs=1e-12)
    masks = [(prediction == label, reference == label) for label in (1, 2)]
    near = [surface_dice(*pair, spacing_mm=case.spacing_mm, tolerance_mm=1.0) for pair in masks]
    far = [hausdorff(*pair, spacing_mm=case.spacing_mm, percentile=95) for pair in masks]
    assert values["dice"] == pytest.approx(np.mean([dice(*pair) for pair in masks]))
    assert values["surface_dice"] == pytest.approx(np.mean(near), abs=1e-12)
    assert values["hausdorff"] == pytest.approx(np.mean(far), abs=1e-12)


def test_a_missing_output_counts_what_the_challenge_says():
    expected = [0, 0, 50, 50, 50, 9, 4, 0, 0]
    assert list(segmentation.score_missing_case(bound([1])).values()) == expected
    distance = lookup("hausdorff")
    assert distance.score_missing(distance.parse({"labels": [1], "one_empty": 50, "missing": 80})) == 80


def test_labels_that_a_map_lacks_have_their_declared_values():
    some = np.zeros((6, 6, 6), np.uint8)
    some[2:4, 2:4, 2:4] = 1
    none = np.zeros_like(some)
    values = {
        which: list(segmentation.score_case(CaseData(a, b, (1.0, 1.0, 1.0)), bound([1])).values())
        for which, a, b in (("both", none, none), ("prediction", none, some), ("reference", some, none))
    }
    assert values["both"] == [1, 0, 0, 0, 0, 0, 0, 1, 1]
    assert values["prediction"] == [0, 0, 50, 50, 50, pytest.approx(0.008), 1, 0, 0]
    assert values["reference"] == [0, 0, 50, 50, 50, pytest.approx(0.008), 4, 0, 0]


def test_background_may_be_scored_and_lies_outside_every_box():
    some = np.zeros((6, 6, 6), np.uint8)
    some[2, 2, 2] = 1
    metric = lookup("dice")
    case = CaseData(some, np.zeros_like(some), (1.0, 1.0, 1.0))
    assert metric.score(case, metric.parse({"labels": [0]})) == pytest.approx(2 * 215 / (215 + 216))


def test_every_worsening_of_a_mask_lowers_its_dice():
    full = boxes((0, 0, 0), (4, 4, 4))
    worse = [np.where(np.arange(8)[:, None, None] < kept, full, False) for kept in range(6, -1, -1)]
    values = [dice(mask, full) for mask in worse]
    assert all(better >= later for better, later in itertools.pairwise(values))
