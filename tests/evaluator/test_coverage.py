"""The published intervals hold the truth as often as they say: of each metric, for every size and shape of dataset.

`python -m tests.evaluator.test_coverage` prints the table of docs/intervals.md.
"""

import sys

import numpy as np
import pytest

from evaluator.metrics.registry import names
from tests.evaluator.coverage import WORLDS, Design, covered, covered_fairness

SIZES = (20, 25, 80, 107, 320)
SLOW = ("auprc", "ovr_auprc", "ovr_auroc", "spearman 0.4", "spearman 0.85")
RUNS = 400
FLOOR = 0.93
ERROR = (FLOOR * (1 - FLOOR) / RUNS) ** 0.5
FEWEST = 25
"""Subjects from which on the floor holds; below, shares are only shown."""


def designs(name, size):
    """One, four, eight and twenty sites; a fifth of the cases positive; three sessions of each subject."""
    yield Design(size)
    if size == SIZES[-1] and name in SLOW:
        return
    yield Design(size, sites=4)
    yield Design(size, sites=8)
    yield Design(size, sites=20)
    if WORLDS[name].stratified:
        yield Design(size, share=0.2)
        yield Design(size, sites=20, share=0.2)
    yield Design(3 * size, sessions=3)


def test_every_metric_of_whole_datasets_and_of_cases_is_simulated():
    simulated = {world.metric for world in WORLDS.values()}
    shaped_like_dice = {
        "surface_dice",
        "boundary_iou",
        "cldice",
        "lesion_dice",
        "panoptic_quality",
        "lesion_f1",
        "lesion_sensitivity",
        "detection_f1",
        "success_detection_rate",
    }
    shaped_like_distances = {
        "mean_surface_distance", "median_surface_distance", "volume_difference", "relative_volume_difference",
        "mean_radial_error",
    }  # fmt: skip
    elsewhere = {"fairness"}
    without = {"brier_reliability", "brier_resolution"}
    assert simulated | shaped_like_dice | shaped_like_distances | elsewhere | without == set(names())


@pytest.mark.parametrize(
    ("name", "design"),
    [
        ("auroc 0.95", Design(80, sites=8, share=0.2)),
        ("auroc 0.98", Design(50, share=0.3)),
        ("dice, 85 % of them 0", Design(25, sites=10)),
        ("mae, heavy tails", Design(25, sites=4)),
        ("rmse", Design(25)),
        ("auprc", Design(80, share=0.2)),
        ("balanced_accuracy", Design(25, share=0.2)),
        ("calibration_error", Design(80)),
        ("mcc", Design(25, share=0.2)),
        ("specificity_at_sensitivity", Design(25, share=0.2)),
    ],
)
def test_intervals_hold_the_truth_in_small_datasets_of_many_sites(name, design):
    assert covered(WORLDS[name], design, RUNS) >= FLOOR - ERROR


@pytest.mark.long
@pytest.mark.parametrize("name", WORLDS)
@pytest.mark.parametrize("size", [size for size in SIZES if size >= FEWEST])
def test_intervals_hold_the_truth_in_93_of_100_datasets_from_25_subjects_on(name, size):
    found = {design: covered(WORLDS[name], design, RUNS) for design in designs(name, size)}
    assert min(found.values()) >= FLOOR - 2 * ERROR, found
    assert np.mean(list(found.values())) >= FLOOR, found


@pytest.mark.long
@pytest.mark.parametrize("cases", [80, 320])
@pytest.mark.parametrize("apart", [0.0, 0.15])
def test_intervals_of_fairness_hold_the_truth(cases, apart):
    assert covered_fairness(apart, cases, RUNS) >= FLOOR


if __name__ == "__main__":
    for name in sys.argv[1:] or WORLDS:
        for size in SIZES:
            shares = " ".join(f"{covered(WORLDS[name], design, RUNS):.3f}" for design in designs(name, size))
            print(f"{name} | {size} | {shares}", flush=True)
