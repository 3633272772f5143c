"""Datasets of FOMO26's kinds, and outputs of teams on them, as they lie in the store before they are scored."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import insert
from sqlalchemy.orm import Session

from benchmarks.support.images import image_of
from contract.statuses import CaseStatus, EvaluationStatus
from evaluator import outputs
from evaluator.outputs import LabelMap, Value
from evaluator.spec import Challenge as Spec
from evaluator.spec import Task, load_challenge, merge, parse_challenge
from server.blobs import FileStore
from server.challenges.models import Challenge
from server.challenges.service import apply
from server.datasets.models import Case, Dataset
from server.evaluations.models import CaseRun, Evaluation
from server.ids import new_id
from server.settings import Settings
from server.submissions.models import Submission
from server.teams.models import Team
from worker.embedded.data import CHECKOUT

_PHASE, _VERDICT = "validation", "valid"
_SMALL, _LARGE = (48, 48, 48), (256, 256, 256)
_WIDTH, _COHORTS = 768, ("cn", "ms")
_VARIANTS = 5
"""Label maps that teams share, for making each takes longer than scoring it."""


def challenge_of(cases: int) -> Spec:
    """FOMO26 with a probe that so many cases of two classes are enough for."""
    content = load_challenge(CHECKOUT / "challenges/fomo26/challenge.yaml").model_dump(mode="json")
    split = {"n_train": cases // 4, "n_val": cases // 20, "n_test": cases // 5}
    return parse_challenge(
        merge(content, {"boards": {name: {"probe": split} for name in ("task6", "task7")}})
    )


@dataclass
class Made:
    """The outputs of one task: truths by case, and what teams make of them."""

    task: Task
    cases: int
    stream: np.random.Generator = field(default_factory=lambda: np.random.default_rng(26))
    _maps: dict[tuple[int, int], bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._numbers = self.stream.integers(0, 2, self.cases).astype(float)
        self._centres = self.stream.normal(0, 0.3, (len(_COHORTS), _WIDTH))

    def references(self, folder: Path) -> None:
        """Writes references.csv and the label maps."""
        folder.mkdir(parents=True)
        rows = [self._row(case) for case in range(self.cases)]
        heading = "case,subject,label,cohort,sex,age,site"
        (folder / "references.csv").write_text("\n".join([heading, *rows]) + "\n", encoding="utf-8")
        if self.task.output.kind == "segmentation":
            for case in range(self.cases):
                (folder / f"sub-{case}.nii.gz").write_bytes(self._encoded(self._map(case, 0)))

    def _row(self, case: int) -> str:
        cohort, sex, age = _COHORTS[case % 2], "FM"[case // 2 % 2], 20 + case % 60
        return f"sub-{case},sub-{case},{self._numbers[case]:g},{cohort},{sex},{age},A"

    def outputs(self, team: int) -> Iterator[bytes]:
        """The canonical output of each case."""
        for case in range(self.cases):
            yield self._output(team, case)

    def _output(self, team: int, case: int) -> bytes:
        match self.task.output.kind:
            case "segmentation":
                key = 1 + team % _VARIANTS, case
                if key not in self._maps:
                    self._maps[key] = self._encoded(self._map(case, key[0]))
                return self._maps[key]
            case "embedding":
                vector = self._centres[case % 2] + self.stream.normal(0, 1, _WIDTH)
                return self._encoded(vector.astype(np.float32))
            case _:
                return self._encoded(
                    float(np.clip(self.stream.normal(0.3 + 0.4 * self._numbers[case], 0.3), 0, 1))
                )

    def _encoded(self, value: Value) -> bytes:
        return outputs.encode(self.task, value)

    def _map(self, case: int, moved: int) -> LabelMap:
        """A ball per label in an image of which one is large, moved by some voxels."""
        shape = _LARGE if case == 0 else _SMALL
        labels = np.zeros(shape, np.uint8, order="F")
        for label in (1, 2)[: len(getattr(self.task.output, "labels", ())) - 1]:
            labels[_ball(shape, label / 3, moved + case % 3)] = label
        return LabelMap(labels, np.eye(4))


def _ball(shape: tuple[int, ...], place: float, moved: int) -> NDArray[np.bool_]:
    steps = [np.arange(length) - length * place - moved * (axis == 0) for axis, length in enumerate(shape)]
    x, y, z = np.meshgrid(*(step**2 for step in steps), indexing="ij", sparse=True)
    return np.asarray(x + y + z <= (min(shape) / 8) ** 2)


def fill(session: Session, settings: Settings, *, teams: int, cases: int) -> None:
    """The challenge with a dataset per task, and an evaluation of each team on each, all of which wait for scores."""
    challenge, _ = apply(session, challenge_of(cases), actor="bench")
    ids = [_team(session, challenge, number) for number in range(teams)]
    for name, task in challenge.spec.tasks.items():
        made = Made(task, cases)
        dataset = _dataset(session, challenge, name, cases)
        made.references(settings.references / dataset.folder)
        for number, (team, image, submission) in enumerate(ids):
            digests = [_stored(settings, output) for output in made.outputs(number)]
            row = {"submission_id": submission, "team_id": team, "image_id": image, "task": name}
            _evaluation(session, challenge, dataset, row, digests)


def _team(session: Session, challenge: Challenge, number: int) -> tuple[Any, Any, Any]:
    team = Team(challenge_id=challenge.id, name=f"Team {number}", name_key=f"team {number}")
    session.add(team)
    session.flush()
    image = image_of(team.id, number)
    session.add(image)
    session.flush()
    submission = {"id": new_id(), "images": {}, "idempotency_key": "1", "challenge_id": challenge.id}
    submission |= {"team_id": team.id, "track": next(iter(challenge.spec.tracks)), "phase": _PHASE}
    session.execute(insert(Submission), [submission])
    return team.id, image.id, submission["id"]


def _dataset(session: Session, challenge: Challenge, task: str, cases: int) -> Dataset:
    scans = challenge.spec.tasks[task].all_inputs
    files = {scan.key: {"path": f"{scan.key}.nii.gz", "sha256": "0" * 64, "size": 1} for scan in scans}
    dataset = Dataset(
        challenge_id=challenge.id, phase=_PHASE, task=task, digest=f"sha256:{task}", folder=task
    )
    dataset.cases = [Case(ordinal=number, name=f"sub-{number}", files=files) for number in range(cases)]
    session.add(dataset)
    session.flush()
    return dataset


def _stored(settings: Settings, content: bytes) -> str:
    """As the store has it, but for its way to the disk, which would take longest."""
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    path = FileStore(settings.data / "blobs").path(digest)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return digest


def _evaluation(
    session: Session, challenge: Challenge, dataset: Dataset, row: dict[str, Any], digests: list[str]
) -> None:
    same: dict[str, Any] = {
        "challenge_id": challenge.id,
        "spec_version_id": challenge.current_version_id,
        "phase": _PHASE,
    }
    same |= {"dataset_id": dataset.id, "track": next(iter(challenge.spec.tracks)), "first_cases": 3}
    same |= {"needs_cpus": 1, "needs_memory": 1, "needs_gpus": 0, "needs_gpu_memory": 0}
    evaluation = {"id": new_id(), "status": EvaluationStatus.SCORING.value, **same, **row}
    session.execute(insert(Evaluation), [evaluation])
    runs = [
        {
            "id": new_id(),
            "evaluation_id": evaluation["id"],
            "case_id": case.id,
            "position": case.ordinal,
            "pseudonym": f"case-{case.ordinal:04}",
            "status": CaseStatus.DONE.value,
            "verdict": _VERDICT,
            "output": digest,
            "receipt": {},
        }
        for case, digest in zip(dataset.cases, digests, strict=True)
    ]
    session.execute(insert(CaseRun), runs)
