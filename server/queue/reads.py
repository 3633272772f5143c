"""What a run worker's token has read: a row per case whose inputs, and per image whose layers, were sent to it.

A row stays for as long as the installation does. It is what an admin looks at when a host was broken into.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, selectinload

from contract.ids import TokenId
from contract.problems import ErrorCode
from contract.statuses import CaseStatus
from server.challenges.models import Challenge
from server.datasets.models import Case, Dataset
from server.errors import NotNow
from server.evaluations.models import CaseRun, Evaluation
from server.queue.models import WorkerRead
from server.teams.models import Team

OFTEN = 8
"""How often one lease may read each of its files: a worker asks again where a connection breaks."""


def note(session: Session, run: CaseRun, subject: Literal["case", "image"], id_: UUID, size: int) -> None:
    """Notes a file of `size` bytes that is sent to the worker that holds `run`, whose row is locked.

    Raises:
        NotNow: this lease has read all that it may.
    """
    files = len(run.case.files) + len(run.evaluation.image.facts.layers) + 1
    if run.downloads >= OFTEN * files:
        why = f"This lease has read {run.downloads} files, {OFTEN} times as many as its case needs"
        raise NotNow(ErrorCode.READ_TOO_OFTEN, f"{why}. Hand the case back.", seconds=60)
    run.downloads += 1
    row = {"worker_id": run.worker_id, "subject": subject, "subject_id": id_, "files": 1, "size": size}
    session.execute(
        insert(WorkerRead)
        .values(row)
        .on_conflict_do_update(
            index_elements=["worker_id", "subject", "subject_id"],
            set_={
                "files": WorkerRead.files + 1,
                "size": WorkerRead.size + size,
                "last_at": func.now(),
            },
        )
    )


@dataclass(frozen=True)
class Total:
    """What a token has read of one kind: how many, how many files and bytes, and when first and last."""

    count: int = 0
    files: int = 0
    size: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None


@dataclass(frozen=True)
class TaskRead:
    """What a token has read of the cases of one task of one phase."""

    challenge: str
    phase: str
    task: str
    total: Total


def totals(session: Session) -> dict[tuple[TokenId, str], Total]:
    """What every token has read, by token and "case" or "image"."""
    rows = session.execute(
        select(WorkerRead.worker_id, WorkerRead.subject, *_SUMS).group_by(
            WorkerRead.worker_id, WorkerRead.subject
        )
    )
    return {(row.worker_id, row.subject): _total(row) for row in rows}


_SUMS = (
    func.count().label("number"),
    func.sum(WorkerRead.files).label("files"),
    func.sum(WorkerRead.size).label("size"),
    func.min(WorkerRead.first_at).label("first_at"),
    func.max(WorkerRead.last_at).label("last_at"),
)


def _total(row: Any) -> Total:
    return Total(row.number, int(row.files), int(row.size), row.first_at, row.last_at)


def by_task(session: Session, worker_id: TokenId) -> list[TaskRead]:
    """The cases that a token has read, by challenge, phase and task."""
    named = (Challenge.slug, Dataset.phase, Dataset.task)
    rows = session.execute(
        select(*named, *_SUMS)
        .join(Case, Case.id == WorkerRead.subject_id)
        .join(Dataset, Dataset.id == Case.dataset_id)
        .join(Challenge, Challenge.id == Dataset.challenge_id)
        .where(WorkerRead.worker_id == worker_id, WorkerRead.subject == "case")
        .group_by(*named)
        .order_by(*named)
    )
    return [TaskRead(row.slug, row.phase, row.task, _total(row)) for row in rows]


def read(session: Session, worker_id: TokenId, *, most: int) -> Sequence[WorkerRead]:
    """The cases and images that a token has read, by their ids, the first one first; `most` of them."""
    own = WorkerRead.worker_id == worker_id
    order = (WorkerRead.first_at, WorkerRead.subject, WorkerRead.subject_id)
    return session.scalars(select(WorkerRead).where(own).order_by(*order).limit(most)).all()


@dataclass(frozen=True)
class Answered:
    """An evaluation in which a token answered cases: how many of how many, and when first and last."""

    evaluation: Evaluation
    challenge: str
    team: str
    cases: int
    of: int
    first_at: datetime
    last_at: datetime


def answered(
    session: Session, worker_id: TokenId, *, since: datetime | None = None, until: datetime | None = None
) -> list[Answered]:
    """The evaluations whose present outputs are in part this token's: what to run again if it cannot be trusted."""
    mine = (CaseRun.worker_id == worker_id) & (CaseRun.status == CaseStatus.DONE)
    if since is not None:
        mine &= CaseRun.finished_at >= since
    if until is not None:
        mine &= CaseRun.finished_at < until
    counted = (
        select(
            CaseRun.evaluation_id,
            func.count().label("cases"),
            func.min(CaseRun.finished_at).label("first_at"),
            func.max(CaseRun.finished_at).label("last_at"),
        )
        .where(mine)
        .group_by(CaseRun.evaluation_id)
        .subquery()
    )
    total = select(func.count()).where(CaseRun.evaluation_id == Evaluation.id).scalar_subquery()
    rows = session.execute(
        select(
            Evaluation,
            Challenge.slug,
            Team.name,
            counted.c.cases,
            total,
            counted.c.first_at,
            counted.c.last_at,
        )
        .join(counted, counted.c.evaluation_id == Evaluation.id)
        .join(Challenge, Challenge.id == Evaluation.challenge_id)
        .join(Team, Team.id == Evaluation.team_id)
        .order_by(Evaluation.created_at, Evaluation.id)
        .options(selectinload(Evaluation.spec_version))
    )
    return [Answered(*row) for row in rows]
