"""What a re-evaluation made beside what, and the digest of all that counts together with that."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from contract.ids import DatasetId, EvaluationId, TeamId
from contract.statuses import EvaluationStanding, EvaluationStatus
from server.challenges.models import Challenge
from server.datasets.models import IN_FORCE, Dataset
from server.evaluations.models import COUNTS, Evaluation
from server.plans.service import Planned
from server.reevaluations.models import Reevaluation
from server.teams.models import Team

DECIDED = (EvaluationStatus.SCORED, EvaluationStatus.REJECTED)
"""States of an evaluation that may take another one's place, and of those whose place may be taken."""


@dataclass(frozen=True)
class Pair:
    """An evaluation and the one made beside it, where both stand, and whether the new one comes into force."""

    old: EvaluationId
    new: EvaluationId
    repetition: int
    old_status: EvaluationStatus
    new_status: EvaluationStatus
    old_standing: EvaluationStanding
    new_standing: EvaluationStanding
    team_id: TeamId
    phase: str
    track: str
    task: str
    old_dataset: DatasetId
    new_dataset: DatasetId
    spends: bool

    @property
    def comes(self) -> bool:
        """Whether the new one takes the old one's place when its re-evaluation is applied; a repetition never does."""
        return (
            self.repetition == 1
            and self.new_status in DECIDED
            and self.new_standing is EvaluationStanding.BESIDE
            and self.old_standing is EvaluationStanding.IN_FORCE
        )


def pairs(session: Session, reevaluation: Reevaluation, *, hold: bool = False) -> list[Pair]:
    """Every evaluation that it made with the one beside which it was made; with `hold` both are locked."""
    old = aliased(Evaluation)
    columns: tuple[Any, ...] = (
        old.id,
        Evaluation.id,
        Evaluation.repetition,
        old.status,
        Evaluation.status,
        old.standing,
        Evaluation.standing,
        Evaluation.team_id,
        Evaluation.phase,
        Evaluation.track,
        Evaluation.task,
        old.dataset_id,
        Evaluation.dataset_id,
        old.spends,
    )
    query = (
        select(*columns)
        .join(old, old.id == Evaluation.replaces_id)
        .where(Evaluation.reevaluation_id == reevaluation.id)
        .order_by(old.created_at, old.id, Evaluation.repetition)
    )
    return [Pair(*row) for row in session.execute(query.with_for_update(key_share=True) if hold else query)]


def digest(session: Session, reevaluation: Reevaluation, planned: Planned | None) -> str:
    """Of everything that decides on what boards of its challenge show, and on what applying it would make of them.

    That is what counts, was decided and whose it is, the teams' standing, the cases and the file in force, its own
    evaluations, and what of its file (`planned`) has to be meant. What is under way counts once it has ended.
    """
    challenge = reevaluation.challenge_id
    counting = select(Evaluation.id, Evaluation.status, Evaluation.team_id).where(
        COUNTS, Evaluation.challenge_id == challenge, Evaluation.status.in_(DECIDED)
    )
    standing = Team.eligible, Team.is_baseline, Team.disqualified.is_not(None), Team.hidden
    content = {
        "counts": _rows(session.execute(counting.order_by(Evaluation.id))),
        "teams": _rows(
            session.execute(
                select(Team.id, *standing).where(Team.challenge_id == challenge).order_by(Team.id)
            )
        ),
        "datasets": _rows(
            session.execute(
                select(Dataset.id).where(IN_FORCE, Dataset.challenge_id == challenge).order_by(Dataset.id)
            )
        ),
        "version": str(session.scalar(select(Challenge.current_version_id).where(Challenge.id == challenge))),
        "made": [[str(pair.new), pair.new_status, pair.comes] for pair in pairs(session, reevaluation)],
        "target": [str(reevaluation.target_version_id), *reevaluation.target_datasets],
        "asked": [] if planned is None else planned.questions,
    }
    return "sha256:" + hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _rows(rows: Iterable[Sequence[Any]]) -> list[list[str]]:
    return [[str(cell) for cell in row] for row in rows]
