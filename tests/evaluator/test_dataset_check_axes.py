"""Reference label maps on grids that are not rectangular, which distances would take for such."""

import gzip

import numpy as np

from evaluator.dataset_check import Severity
from tests.evaluator.datasets import fomo26
from tests.evaluator.whole_datasets import AFFINE, Whole, mask, nifti


def with_affine(root, affine, **fields) -> Whole:
    """Three cases of the nerve and vessel task; inputs and references have this affine."""
    found = Whole(root, fomo26(), "task4")
    found.image = gzip.compress(
        nifti(np.arange(1320, dtype=np.int16).reshape(12, 11, 10), affine, **fields), 1
    )
    for number, case in enumerate("abc"):
        found.add(case, mask((0, 1, 2), number))
        found.reference_path(case).write_bytes(
            gzip.compress(nifti(mask((0, 1, 2), number), affine, **fields), 1)
        )
    return found


def test_axes_that_are_not_at_right_angles_are_warned_of(tmp_path):
    tilted = AFFINE.copy()
    tilted[1, 2] = 0.6  # a gantry tilted by 11 degrees
    found = with_affine(tmp_path, tilted).findings()
    assert {(one.severity, one.code, one.case) for one in found} == {
        (Severity.WARNING, "reference_spacing", case) for case in "abc"
    }
    assert "not at right angles" in found[0].message


def test_a_turned_grid_is_rectangular_still(tmp_path):
    angle = np.radians(11)
    turn = np.eye(4)
    turn[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    assert with_affine(tmp_path, turn @ AFFINE).findings() == ()
