"""What of the template's masks comes from pretraining: `benchmarks.support.baseline_ablation` for tasks 2 and 4.

`python -m benchmarks.support.baseline_masks --data DATA --run RUN --cases 40 --seed 11 --seed 12 --seed 13`: networks
of one shape, trained for as many steps on the same windows of the same labelled cases. The trunk starts pretrained or
random and is trained on with the head, stays as pretraining left it, or says nothing; beside logistic regression on
the intensities of each voxel. An empty mask gets 0.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from baseline_model.config import TrainConfig, read_config
from baseline_model.data import examples, read_mask
from baseline_model.features import segmentation_volumes
from baseline_model.inference import CPU, onto_scan, segment
from baseline_model.network import DETAIL, MaskNetwork, Trunk
from baseline_model.segmentation import (
    MENINGIOMA,
    NERVE,
    MaskTask,
    grid_labels,
    labelled_volumes,
    trained_network,
)
from baseline_model.train import pretrained
from baseline_model.volumes import Scan
from benchmarks.support.baseline_ablation import ArmDifference, ArmResult, print_differences
from benchmarks.support.baseline_quality import scans_of
from benchmarks.support.evaluated import case_difference, of_cases
from demo.brains import make_case
from evaluator.metrics.overlap import dice

TASKS = {"task2": MENINGIOMA, "task4": NERVE}
ARMS = ("intensities", "voxels alone", "frozen trunk", "random trunk", "pretrained trunk")
SAMPLED = 4000  # voxels of a case that the logistic regression is fitted to
Segmenter = Callable[[Mapping[str, Scan]], NDArray[Any]]


class SilentTrunk(Trunk):
    """A trunk that says nothing of any scan."""

    def decode(self, maps: list[Tensor]) -> Tensor:
        """Zeros in the shape of a trunk's features."""
        return torch.zeros(len(maps[0]), DETAIL, *maps[0].shape[2:])


def main(
    data: Annotated[Path, typer.Option(help="Folder in the challenge's released layout.")],
    run: Annotated[Path, typer.Option(help="Folder of a finished pretraining.")],
    cases: Annotated[int, typer.Option(help="Hidden cases per task and seed.")] = 40,
    seed: Annotated[list[int] | None, typer.Option(help="Seed of the hidden cases; may be repeated.")] = None,
    task: Annotated[list[str] | None, typer.Option(help="Only these tasks.")] = None,
    arm: Annotated[list[str] | None, typer.Option(help=f"Only these of: {', '.join(ARMS)}.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write the figures here.")] = None,
) -> None:
    """Compare the arms on tasks 2 and 4."""
    torch.set_num_threads(1)
    results: list[ArmResult | ArmDifference] = []
    for name in task or TASKS:
        arms = {one: _made(one, TASKS[name], data, run, read_config()) for one in arm or ARMS}
        found: dict[str, list[NDArray[np.float64]]] = {one: [] for one in arms}
        for number in seed or [11, 12, 13]:
            for one, values in _overlaps(arms, name, number, cases).items():
                found[one].append(values)
                result = ArmResult(name, one, number, cases, "mean DSC", of_cases("dice", values))
                print(f"{name} seed {number} {one:<24} mean DSC {result.hidden}", flush=True)
                results.append(result)
        differences = list(_differences(name, {one: np.concatenate(some) for one, some in found.items()}))
        print_differences(differences)
        results += differences
        if json_file is not None:
            json_file.write_text(json.dumps([asdict(one) for one in results], indent=1) + "\n")


def _differences(task: str, found: Mapping[str, NDArray[np.float64]]) -> Iterator[ArmDifference]:
    for other in ("random trunk", "frozen trunk", "voxels alone"):
        if other in found and "pretrained trunk" in found:
            value = case_difference(found["pretrained trunk"], found[other])
            yield ArmDifference(task, "pretrained trunk", other, "mean DSC", value)


def _made(arm: str, task: MaskTask, data: Path, run: Path, config: TrainConfig) -> Segmenter:
    if arm == "intensities":
        return _of_intensities(task, data)
    torch.manual_seed(0)
    trunks: dict[str, Callable[[], Trunk]] = {
        "voxels alone": SilentTrunk,
        "frozen trunk": lambda: pretrained(run).requires_grad_(False),
        "random trunk": Trunk,
        "pretrained trunk": partial(pretrained, run),
    }
    folder = run if arm == "pretrained trunk" else run / arm.replace(" ", "-")
    state = folder / f"task{task.number}.pt"
    made = trained_network(task, labelled_volumes(task, data, config), trunks[arm](), config, state)
    return partial(_segmented, made, task)


def _segmented(network: MaskNetwork, task: MaskTask, scans: Mapping[str, Scan]) -> NDArray[Any]:
    with torch.inference_mode():
        return segment(network, scans, task.keys, task.grid, CPU)


def _of_intensities(task: MaskTask, data: Path) -> Segmenter:
    """Logistic regression on each voxel by itself; a label stands where its chance is over what suits it best."""
    stream, rows, labels = np.random.default_rng(0), [], []
    for case in examples(data, task.number):
        volumes, centre = segmentation_volumes(case.scans(task.keys), task.keys, task.grid)
        chosen = stream.choice(volumes[0].numel(), SAMPLED, replace=False)
        rows.append(torch.stack([volume.flatten() for volume in volumes], dim=1).numpy()[chosen])
        labels.append(grid_labels(read_mask(case.label), task, centre).flatten().numpy()[chosen])
    seen, wanted = np.vstack(rows), np.concatenate(labels)
    model = LogisticRegression(max_iter=1000).fit(seen, wanted)
    borders = [_border(model.predict_proba(seen)[:, n], wanted == n) for n in range(1, task.labels + 1)]

    def answer(scans: Mapping[str, Scan]) -> NDArray[Any]:
        volumes, centre = segmentation_volumes(scans, task.keys, task.grid)
        found = model.predict_proba(torch.stack([volume.flatten() for volume in volumes], dim=1).numpy())
        over = np.stack([found[:, n + 1] / (2 * border) for n, border in enumerate(borders)]).clip(0, 1)
        chances = torch.from_numpy(over).float().reshape(task.labels, *task.grid.shape)
        return onto_scan(chances, task.grid, centre, scans[task.keys[0]])

    return answer


def _border(chances: NDArray[Any], wanted: NDArray[Any]) -> float:
    """The chance above which voxels overlap most with those that are wanted."""
    tried = np.unique(np.quantile(chances, np.linspace(0.5, 0.9995, 60)))
    return float(max(tried, key=lambda one: dice(chances >= one, wanted)))


def _overlaps(
    arms: Mapping[str, Segmenter], name: str, seed: int, cases: int
) -> dict[str, NDArray[np.float64]]:
    """Per arm the overlap of each case, the mean of its labels."""
    values: dict[str, list[float]] = {arm: [] for arm in arms}
    for index in range(cases):
        case = make_case(name, "test", index, seed=seed)
        scans, wanted = scans_of(case), case.seg
        assert wanted is not None
        for arm, answer in arms.items():
            made = answer(scans)
            labels = range(1, TASKS[name].labels + 1)
            values[arm].append(float(np.mean([dice(made == label, wanted == label) for label in labels])))
    return {arm: np.array(found) for arm, found in values.items()}


if __name__ == "__main__":
    typer.run(main)
