"""A phase with many scored evaluations, without anything that ran."""

from datetime import UTC, datetime, timedelta

import numpy as np
from sqlalchemy import insert
from sqlalchemy.orm import Session

from benchmarks.support.images import image_of
from contract.statuses import EvaluationStatus
from evaluator.spec import Challenge as Spec
from evaluator.spec import load_challenge
from server.challenges.models import Challenge
from server.challenges.service import apply
from server.datasets.models import Case, Dataset
from server.evaluations.models import Evaluation
from server.evaluations.result_models import Score
from server.evaluations.scoring import bases
from server.ids import new_id
from server.images.models import Image
from server.submissions.models import Submission
from server.teams.models import Team
from worker.embedded.data import CHECKOUT

SLUG, PHASE = "fomo26", "validation"
_REPLICATES = 1_000
_LONG_AGO = timedelta(days=7)
"""Ends are held back for a while on hidden cases, and boards would be empty."""


def fill(session: Session, teams: int = 50, evaluations: int = 6_000, *, cases: int = 20) -> None:
    """Every team has scored each task as often as the others."""
    challenge, _ = apply(
        session, load_challenge(CHECKOUT / "challenges/fomo26/challenge.yaml"), actor="bench"
    )
    spec = challenge.spec
    datasets = {task: _cases(session, challenge, task, cases) for task in spec.tasks}
    rounds = evaluations // (teams * len(spec.tasks))
    dice = np.random.default_rng(0)
    for number in range(teams):
        team = Team(challenge_id=challenge.id, name=f"Team {number}", name_key=f"team {number}")
        session.add(team)
        session.flush()
        image = image_of(team.id, number)
        session.add(image)
        session.flush()
        for attempt in range(rounds):
            _submission(session, challenge, team, image, datasets, key=str(attempt), dice=dice)


def _cases(session: Session, challenge: Challenge, task: str, count: int) -> Dataset:
    dataset = Dataset(challenge_id=challenge.id, phase=PHASE, task=task, digest=f"sha256:{task}", folder=task)
    dataset.cases = [Case(ordinal=number, name=f"sub-{number}", files={}) for number in range(count)]
    session.add(dataset)
    session.flush()
    return dataset


def _submission(
    session: Session,
    challenge: Challenge,
    team: Team,
    image: Image,
    datasets: dict[str, Dataset],
    *,
    key: str,
    dice: np.random.Generator,
) -> None:
    spec, submission, began = challenge.spec, new_id(), datetime.now(UTC) - _LONG_AGO
    track = list(spec.tracks)[int(key) % len(spec.tracks)]
    shared = {"challenge_id": challenge.id, "team_id": team.id, "track": track, "phase": PHASE}
    images = dict.fromkeys(spec.tasks, image.digest)
    session.execute(
        insert(Submission), [{"id": submission, "images": images, "idempotency_key": key, **shared}]
    )
    rows = [
        {
            "id": new_id(),
            "submission_id": submission,
            "spec_version_id": challenge.current_version_id,
            "dataset_id": dataset.id,
            "image_id": image.id,
            "task": task,
            "first_cases": 3,
            "cleared": True,
            "needs_cpus": 1,
            "needs_memory": 1,
            "needs_gpus": 0,
            "needs_gpu_memory": 0,
            "status": EvaluationStatus.SCORED.value,
            "scored_with": bases(spec, task),
            "created_at": began,
            "finished_at": began,
            **shared,
        }
        for task, dataset in datasets.items()
    ]
    session.execute(insert(Evaluation), rows)
    scores = [score for row in rows for score in _scores(spec, row, dice)]
    session.execute(insert(Score), scores)


def _scores(spec: Spec, row: dict[str, object], dice: np.random.Generator) -> list[dict[str, object]]:
    return [
        {
            "id": new_id(),
            "evaluation_id": row["id"],
            "board": name,
            "metric": metric,
            "value": float(dice.random()),
            "low": 0.0,
            "high": 1.0,
            "reason": None,
            "replicates": bytes(8 * _REPLICATES),
        }
        for name, board in spec.boards_of(str(row["task"])).items()
        for metric in board.metrics
    ]
