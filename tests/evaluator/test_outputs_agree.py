"""Two answers to one case are the same up to the tolerance of their kind, and no further."""

from pathlib import Path

import numpy as np
import pytest

from evaluator.outputs import LabelMap, agree, encode
from evaluator.outputs._embedding import TOLERANCE as EMBEDDING
from evaluator.outputs._number import TOLERANCE as NUMBER
from evaluator.outputs._segmentation import TOLERANCE as SEGMENTATION
from evaluator.spec import load_challenge

TASKS = load_challenge(Path(__file__).parents[2] / "challenges/fomo26/challenge.yaml").tasks


@pytest.mark.parametrize(("one", "factor", "same"), [(70.0, 0.9, True), (70.0, 1.1, False), (0.0, 1.1, True)])
def test_numbers_agree_relative_to_their_size(one: float, factor: float, same: bool) -> None:
    other = one * (1 + factor * NUMBER)
    assert agree(TASKS["task3"], encode(TASKS["task3"], one), encode(TASKS["task3"], other)) is same


def test_probabilities_agree_relative_to_one() -> None:
    task = TASKS["task1"]
    assert agree(task, encode(task, 1e-7), encode(task, 2e-7))
    assert not agree(task, encode(task, 0.5), encode(task, 0.5 + 2 * NUMBER))


def test_vectors_agree_relative_to_their_largest_component() -> None:
    task, vector = TASKS["task6"], np.array([100.0, 0.0, -3.0], np.float32)
    near, far, longer = vector.copy(), vector.copy(), np.append(vector, np.float32(0))
    near[1] = 50 * EMBEDDING
    far[1] = 200 * EMBEDDING
    assert agree(task, encode(task, vector), encode(task, near))
    assert not agree(task, encode(task, vector), encode(task, far))
    assert not agree(task, encode(task, vector), encode(task, longer))


def test_label_maps_agree_but_for_a_share_of_what_is_labelled() -> None:
    assert agree(TASKS["task2"], _mask(0), _mask(int(20_000 * SEGMENTATION)))
    assert not agree(TASKS["task2"], _mask(0), _mask(int(20_000 * SEGMENTATION) + 1))
    assert not agree(TASKS["task2"], _mask(0), _mask(20_000))


def _mask(unlabelled: int) -> bytes:
    """20,000 labelled voxels of which the first `unlabelled` are not."""
    voxels = np.zeros((50, 50, 16), np.uint8)
    voxels.reshape(-1)[unlabelled:20_000] = 1
    return encode(TASKS["task2"], LabelMap(voxels, np.eye(4)))
