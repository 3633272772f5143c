"""How good the template is on hidden synthetic cases of institutions it has never seen, without containers.

`python -m benchmarks.support.baseline_quality --cases 200 --seed 11 --seed 12 --seed 13 --json FILE`. Not one of
the timed comparisons of `python -m benchmarks`: nothing here is a matter of speed.
"""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray

from baseline_model.checkpoint import TrainedModel, load_model
from baseline_model.inference import predict
from baseline_model.volumes import Scan
from demo.brains import BrainCase, make_case
from evaluator.metrics.classification import auroc, ovr_auroc
from evaluator.metrics.overlap import dice
from evaluator.probe import run_probe, split_cases
from evaluator.spec import Probe

REPLICATES = 1000
TASKS = ("task1", "task2", "task3", "task4", "task5", "task6")
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Quality:
    """One task and seed: the value, the 95 % interval over cases, and what chance gets.

    The value of task 3 is the years by which the mean absolute error is smaller than that of predicting the mean age of
    the hidden cases; chance is then 0.
    """

    task: str
    seed: int
    cases: int
    metric: str
    value: float
    low: float
    high: float
    chance: float

    @property
    def better(self) -> bool:
        """Whether the lower bound lies above chance."""
        return self.low > self.chance


def main(
    cases: Annotated[int, typer.Option(help="Hidden cases per task.")] = 200,
    seed: Annotated[list[int] | None, typer.Option(help="Seed of the hidden cases; may be repeated.")] = None,
    task: Annotated[list[str] | None, typer.Option(help="Only these tasks.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write the figures here.")] = None,
) -> None:
    """Measure the committed checkpoint; exit code 1 where it is not better than chance on tasks 1, 2, 3, 5 and 6."""
    torch.set_num_threads(1)
    model, qualities = load_model(), []
    for name in task or TASKS:
        for number in seed or [11, 12, 13]:
            quality = measure(model, name, number, cases)
            qualities.append(quality)
            bounds = f"{quality.value:7.3f} [{quality.low:7.3f}, {quality.high:7.3f}]"
            print(f"{name} seed {number} n={quality.cases} {quality.metric:<22} {bounds}", flush=True)
    if json_file is not None:
        json_file.write_text(json.dumps([asdict(quality) for quality in qualities], indent=1) + "\n")
    sys.exit(not all(quality.better for quality in qualities if quality.task != "task4"))


def measure(model: TrainedModel, task: str, seed: int, cases: int) -> Quality:
    """Quality on `cases` hidden cases of the test split's institutions."""
    answers, hidden = [], []
    for index in range(cases):
        case = make_case(task, "test", index, seed=seed)
        answers.append(predict(model, task, scans_of(case)))
        hidden.append(_without_voxels(case))
    metric, chance, score = _score(task, answers, hidden)
    size = len(score.rows)
    stream = np.random.default_rng(seed)
    drawn = [score.of(score.rows[stream.integers(size, size=size)]) for _ in range(REPLICATES)]
    low, high = np.quantile([value for value in drawn if np.isfinite(value)], [0.025, 0.975])
    return Quality(task, seed, cases, metric, score.of(score.rows), float(low), float(high), chance)


@dataclass(frozen=True)
class ScoredRows:
    """Rows, one per scored case, and the function from some of them to the metric."""

    rows: Array
    of: Callable[[Array], float]


def _score(task: str, answers: Sequence[object], hidden: list[BrainCase]) -> tuple[str, float, ScoredRows]:
    if task in ("task2", "task4"):
        labels = (1,) if task == "task2" else (1, 2)
        overlaps = [_dice(answer, case, labels) for answer, case in zip(answers, hidden, strict=True)]
        return "mean DSC", 0.0, ScoredRows(np.array(overlaps)[:, None], lambda rows: float(rows.mean()))
    if task == "task6":
        return "OvR AUROC of the probe", 0.5, _probed(np.array(answers), hidden)
    truth = np.array([float(str(case.label)) for case in hidden])
    rows = np.stack([truth, np.array(answers, dtype=float)], axis=1)
    if task == "task3":
        mean = truth.mean()
        return "years better than mean", 0.0, ScoredRows(rows, lambda some: _gain(some, mean))
    return "AUROC", 0.5, ScoredRows(rows, _auroc)


def _gain(rows: Array, mean: float) -> float:
    return float((np.abs(rows[:, 0] - mean) - np.abs(rows[:, 0] - rows[:, 1])).mean())


def _auroc(rows: Array) -> float:
    one_class = len(np.unique(rows[:, 0])) < 2
    return float("nan") if one_class else auroc(rows[:, 0].astype(int), rows[:, 1])


def _dice(answer: object, case: BrainCase, labels: tuple[int, ...]) -> float:
    predicted, reference = np.asarray(answer), case.seg
    if reference is None:
        raise ValueError("a case without a reference mask")
    return float(np.mean([dice(predicted == label, reference == label) for label in labels]))


def split_probe(
    embeddings: NDArray[np.float32], hidden: list[BrainCase]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Classes and the probe's scores of the cases it is tested on.

    A fifth of each class trains the probe, a tenth chooses the head, the others are scored.
    """
    labels = [str(case.label) for case in hidden]
    share = min(labels.count(label) for label in set(labels)) // 10
    probe = Probe(n_train=2 * share, n_val=share, n_test=7 * share)
    split = split_cases(labels, [case.age for case in hidden], probe)
    classes = np.array([split.classes.index(label) for label in labels])
    train, val, test = (np.array(part) for part in (split.train, split.val, split.test))
    result = run_probe(
        (embeddings[train], classes[train]),
        (embeddings[val], classes[val]),
        embeddings[test],
        classes=len(split.classes),
        probe=probe,
    )
    if result.scores is None:
        raise ValueError("no head of the probe could be trained")
    return classes[test], np.asarray(result.scores, dtype=np.float64)


def _probed(embeddings: NDArray[np.float32], hidden: list[BrainCase]) -> ScoredRows:
    rows: Array = np.column_stack(split_probe(embeddings, hidden)).astype(np.float64)
    return ScoredRows(rows, lambda some: ovr_auroc(some[:, 0].astype(int), some[:, 1:]))


def scans_of(case: BrainCase) -> dict[str, Scan]:
    """The case's scans as the template reads them."""
    return {key: Scan(scan.data.astype(np.float32), scan.affine) for key, scan in case.inputs.items()}


def _without_voxels(case: BrainCase) -> BrainCase:
    """The case without its scans, so that hundreds fit in memory."""
    return BrainCase({}, *list(vars(case).values())[1:])


if __name__ == "__main__":
    typer.run(main)
