"""What of the template's scores comes from pretraining: the same heads on features of a trunk that was never trained.

`python -m benchmarks.support.baseline_ablation --data DATA --run RUN --cases 100 --seed 11 --seed 12 --seed 13` after
`python -m baseline_model.train pretrain`: heads by the same nested cross-validation, from the same labelled cases, seen
with each arm's features, on hidden cases of institutions that none of them has seen. Tasks 2 and 4 are in
`benchmarks.support.baseline_masks`.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from baseline_model.config import TrainConfig, read_config
from baseline_model.data import examples, read, unlabelled
from baseline_model.features import Norms, T1Features, diffusion_descriptor, head_parts, infarct_signs
from baseline_model.finetune import CLASSES, NUMBERS
from baseline_model.network import Trunk, describe
from baseline_model.selection import LabelledRows, choose
from baseline_model.tissue import tissue_maps
from baseline_model.train import pretrained
from baseline_model.volumes import HEAD, Scan, head_centre, normalise, onto_grid
from benchmarks.support.baseline_quality import scans_of, split_probe
from benchmarks.support.evaluated import Evaluated, dataset_difference, of_dataset
from demo.brains import BrainCase, make_case

Parts = Mapping[str, NDArray[np.float64]]
Hidden = Mapping[int, tuple[Parts, list[BrainCase]]]
METRICS = {"task1": "auroc", "task3": "mae", "task5": "auroc", "task6": "ovr_auroc"}
TRUNKS = ("random trunk", "pretrained trunk")
ARMS: dict[str, Callable[[Parts], Parts]] = {
    "tissue": lambda parts: {"tissue": parts["tissue"]},
    **{name: lambda parts, name=name: {"trunk": parts[name]} for name in TRUNKS},  # type: ignore[misc]
    **{
        f"tissue, {name}": lambda parts, name=name: {"tissue": parts["tissue"], "trunk": parts[name]}  # type: ignore[misc]
        for name in TRUNKS
    },
    "intensities": lambda parts: {"intensities": parts["intensities"]},
}


PAIRS = (
    ("pretrained trunk", "random trunk"),
    ("tissue, pretrained trunk", "tissue"),
    ("tissue, pretrained trunk", "tissue, random trunk"),
)
"""Arms whose answers to the same cases are compared."""


@dataclass(frozen=True)
class ArmResult:
    """One arm on one set of hidden cases, and what the labelled cases alone had promised."""

    task: str
    arm: str
    seed: int
    cases: int
    metric: str
    hidden: Evaluated
    chosen: str = ""
    promised: tuple[float, ...] = ()


@dataclass(frozen=True)
class ArmDifference:
    """How much more `one` has of a metric than `other` on the same hidden cases, the mean over their seeds."""

    task: str
    one: str
    other: str
    metric: str
    hidden: Evaluated


Answered = tuple[NDArray[Any], NDArray[np.float64]]
"""The truth of a set of hidden cases and an arm's answers to them."""


@dataclass(frozen=True)
class Lab:
    """What all arms share: the labelled cases, both trunks and the norms of each."""

    data: Path
    config: TrainConfig
    trunks: Mapping[str, Trunk]
    norms: Mapping[str, Norms]

    def rows(self, task: str, scans: Mapping[str, Scan]) -> dict[str, NDArray[np.float64]]:
        """Every part of a case that an arm may see."""
        found = {
            "intensities": _intensities({key: scans[key] for key in NUMBERS.get(int(task[-1]), ("t1w",))})
        }
        for name, parts in self._parts(task, scans):
            found |= {"tissue": parts["tissue"].double().numpy(), name: parts["trunk"].double().numpy()}
        return found

    def _parts(self, task: str, scans: Mapping[str, Scan]) -> Iterator[tuple[str, Mapping[str, Tensor]]]:
        if task == "task1":
            tissue = infarct_signs(scans)
            for name, trunk in self.trunks.items():
                yield name, {"tissue": tissue, "trunk": diffusion_descriptor(trunk, scans)}
            return
        for name, seen in _anatomies(self.trunks, scans["t1w"]).items():
            yield name, head_parts(task, seen, self.norms[name])


@torch.no_grad()
def _anatomies(trunks: Mapping[str, Trunk], scan: Scan) -> dict[str, T1Features]:
    """What each trunk says of a scan, whose tissue is measured once."""
    volume = onto_grid(scan, HEAD, head_centre(scan)).clamp(min=0)
    maps, seen = tissue_maps(volume), normalise(volume)[None, None]
    return {name: T1Features(maps, describe(trunk.encode(seen))[0]) for name, trunk in trunks.items()}


def main(
    data: Annotated[Path, typer.Option(help="Folder in the challenge's released layout.")],
    run: Annotated[Path, typer.Option(help="Folder of a finished pretraining.")],
    cases: Annotated[int, typer.Option(help="Hidden cases per task and seed.")] = 100,
    seed: Annotated[list[int] | None, typer.Option(help="Seed of the hidden cases; may be repeated.")] = None,
    task: Annotated[list[str] | None, typer.Option(help="Only these tasks.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write the figures here.")] = None,
) -> None:
    """Compare the arms on tasks 1, 3, 5 and 6."""
    torch.set_num_threads(1)
    lab, results = _lab(data, run), list[ArmResult | ArmDifference]()
    for name in task or ("task1", "task3", "task5", "task6"):
        found, differences = _compared(lab, name, seed or [11, 12, 13], cases)
        for result in found:
            row = f"{name} seed {result.seed} {result.arm:<24} {result.metric} {result.hidden}"
            print(row, f"| {result.chosen} {_list(result.promised)}", flush=True)
        print_differences(differences)
        results += [*found, *differences]
        if json_file is not None:
            json_file.write_text(json.dumps([asdict(one) for one in results], indent=1) + "\n")


def print_differences(differences: Sequence[ArmDifference]) -> None:
    """A line each."""
    for found in differences:
        print(f"{found.task} {found.one} minus {found.other}: {found.metric} {found.hidden}", flush=True)


def _list(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.3f}" for value in values)


def _lab(data: Path, run: Path) -> Lab:
    torch.manual_seed(0)
    trunks = {"random trunk": Trunk().eval(), "pretrained trunk": pretrained(run)}
    scans = [read(session["t1w"]) for session in unlabelled(data) if "t1w" in session]
    seen = [_anatomies(trunks, scan) for scan in scans]
    norms = {
        name: Norms.of(
            torch.stack([one[name].maps for one in seen]), torch.stack([one[name].descriptor for one in seen])
        )
        for name in trunks
    }
    return Lab(data, read_config(), trunks, norms)


def _compared(
    lab: Lab, task: str, seeds: list[int], cases: int
) -> tuple[list[ArmResult], list[ArmDifference]]:
    hidden = {seed: _hidden(lab, task, seed, cases) for seed in seeds}
    answers: dict[str, list[Answered]] = {arm: [] for arm in ARMS}
    results = list((_probed if task == "task6" else _headed)(lab, task, hidden, answers))
    metric = results[-1].metric
    return results, [
        ArmDifference(task, one, other, metric, _difference(metric, answers[one], answers[other]))
        for one, other in PAIRS
    ]


def _headed(
    lab: Lab, task: str, hidden: Hidden, answers: Mapping[str, list[Answered]]
) -> Iterator[ArmResult]:
    number = int(task[-1])
    labelled, metric = _labelled(lab, number), METRICS[task]
    for seed, (_, known) in hidden.items():
        mean = np.full(len(known), labelled.wanted.mean())
        value = of_dataset(metric, _truth(known), mean, classes=labelled.classes)
        yield ArmResult(task, "the mean of the labels", seed, len(known), metric, value)
    for arm, pick in ARMS.items():
        own = LabelledRows(pick(labelled.parts), labelled.wanted, labelled.subjects, labelled.classes)
        settings = lab.config.heads
        chosen = choose(own, folds=settings.folds, repeats=settings.repeats, seed=lab.config.seed)
        for seed, (parts, known) in hidden.items():
            rows = torch.from_numpy(np.hstack(list(pick(parts).values()))).float()
            found = chosen.head(rows).double().numpy()
            answers[arm].append((_truth(known), found if own.classes else found.clip(0, 110)))
            value = of_dataset(metric, *answers[arm][-1], classes=own.classes)
            yield ArmResult(task, arm, seed, len(known), metric, value, chosen.chosen, chosen.estimates)


def _difference(metric: str, one: list[Answered], other: list[Answered]) -> Evaluated:
    sets = [(truth, first, second) for (truth, first), (_, second) in zip(one, other, strict=True)]
    return dataset_difference(metric, sets, classes=metric != "mae")


def _truth(known: list[BrainCase]) -> NDArray[Any]:
    labels = [float(str(case.label)) for case in known]
    return np.array(labels, dtype=np.int64 if set(labels) <= {0, 1} else np.float64)


def _labelled(lab: Lab, number: int) -> LabelledRows:
    cases = examples(lab.data, number)
    rows = [lab.rows(f"task{number}", case.scans(NUMBERS[number])) for case in cases]
    parts = {name: np.stack([one[name] for one in rows]) for name in rows[0]}
    wanted = np.array([case.number() for case in cases])
    return LabelledRows(parts, wanted, [case.subject for case in cases], number in CLASSES)


def _hidden(lab: Lab, task: str, seed: int, cases: int) -> tuple[Parts, list[BrainCase]]:
    """Every part of every hidden case, and the cases without their scans."""
    rows, known = [], []
    for index in range(cases):
        case = make_case(task, "test", index, seed=seed)
        rows.append(lab.rows(task, scans_of(case)))
        known.append(BrainCase({}, *list(vars(case).values())[1:]))
    return {name: np.stack([one[name] for one in rows]) for name in rows[0]}, known


def _intensities(scans: Mapping[str, Scan]) -> NDArray[np.float64]:
    """The scans themselves, 24 mm coarse: what a linear model sees without anybody's knowledge of brains."""
    centre = head_centre(next(iter(scans.values())))
    volumes = torch.stack([normalise(onto_grid(scan, HEAD, centre)) for scan in scans.values()])
    return functional.avg_pool3d(volumes[None], 8)[0].flatten().double().numpy()


def _probed(
    lab: Lab, task: str, hidden: Hidden, answers: Mapping[str, list[Answered]]
) -> Iterator[ArmResult]:
    for seed, (parts, known) in hidden.items():
        for arm, pick in ARMS.items():
            vectors = np.hstack(list(pick(parts).values())).astype(np.float32)
            answers[arm].append(split_probe(vectors, known))
            value = of_dataset(METRICS[task], *answers[arm][-1], classes=True)
            yield ArmResult(task, arm, seed, len(answers[arm][-1][0]), METRICS[task], value)


if __name__ == "__main__":
    typer.run(main)
