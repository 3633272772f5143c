"""How far the answer depends on the machine: threads, the width of numbers, a GPU. The bounds stand in the README."""

import copy
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from baseline_model.checkpoint import TrainedModel, load_model
from baseline_model.inference import CPU, predict, ready_device
from baseline_model.scans import Scan
from demo.brains import make_case

TASKS = [
    "task1",
    "task2",
    "task6",
    *(pytest.param(one, marks=pytest.mark.long) for one in ("task3", "task4", "task5")),
]
"""The long ones go through the same code as the others."""
OF_NUMBERS, OF_VOXELS = 1e-4, 5e-3
STATED = "numbers and vectors within 0.0001, maps of labels in all but 0.5 % of the labelled voxels"
README = Path(__file__).parents[2] / "baseline_model" / "README.md"


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
    torch.use_deterministic_algorithms(False)


@pytest.fixture(scope="module")
def model() -> TrainedModel:
    return load_model()


@cache
def scans(task: str) -> dict[str, Scan]:
    case = make_case(task, "validation", 4, seed=3)
    return {key: Scan(scan.data.astype(np.float32), scan.affine) for key, scan in case.inputs.items()}


def apart(one: Any, other: Any) -> float:
    """Of label maps the share of voxels that differ, of those that have a label; of numbers how far they are apart, of
    the largest or of 1."""
    first, second = np.asarray(one), np.asarray(other)
    if first.ndim == 3:
        return float((first != second).sum() / max(1, ((first > 0) | (second > 0)).sum()))
    return float(np.abs(first - second).max() / max(1.0, np.abs(first).max()))


def bound(task: str) -> float:
    return OF_VOXELS if task in ("task2", "task4") else OF_NUMBERS


def widened(value: Any) -> Any:
    """The same with every number in it as a float64."""
    if isinstance(value, torch.nn.Module):
        return copy.deepcopy(value).double()
    if isinstance(value, torch.Tensor):
        return value.double() if value.is_floating_point() else value
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: widened(getattr(value, field.name)) for field in fields(value)})
    return value


@cache
def alone(task: str) -> Any:
    """The answer with one thread."""
    found = predict(load_model(), task, scans(task))
    assert np.any(found), "a map without a label would be compared with another such map"
    return found


@pytest.mark.parametrize("task", TASKS)
def test_twice_the_same_is_the_same_to_the_last_bit(model: TrainedModel, task: str) -> None:
    torch.use_deterministic_algorithms(True)
    assert np.asarray(predict(model, task, scans(task))).tobytes() == np.asarray(alone(task)).tobytes()


@pytest.mark.parametrize("task", TASKS)
def test_two_threads_change_little(model: TrainedModel, task: str) -> None:
    alone(task)
    torch.set_num_threads(2)
    assert apart(alone(task), predict(model, task, scans(task))) <= bound(task)


@pytest.mark.parametrize("task", TASKS)
def test_wider_numbers_change_little(model: TrainedModel, task: str) -> None:
    """What 32 bits leave out: any other order of the same sums stays as near."""
    wide: Any = {key: Scan(scan.data.astype("f8"), scan.affine) for key, scan in scans(task).items()}
    assert apart(predict(widened(model), task, wide), alone(task)) <= bound(task)


@pytest.mark.skipif(ready_device() == CPU, reason="there is no GPU")
@pytest.mark.parametrize("task", TASKS)
def test_a_gpu_changes_little(model: TrainedModel, task: str) -> None:
    assert apart(alone(task), predict(model, task, scans(task), ready_device())) <= bound(task)


def test_the_page_states_these_bounds() -> None:
    assert STATED in " ".join(README.read_text().split())
    assert (f"{OF_NUMBERS:g}" in STATED, f"{OF_VOXELS:.1%}".replace("%", " %") in STATED) == (True, True)
