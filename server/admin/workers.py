"""Run workers' tokens as admins see them: what each has done and read, and all of it put back when one is revoked."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from contract.admin import (
    AnsweredOut,
    ReadOut,
    RevokedOut,
    TaskReadOut,
    TotalOut,
    WorkerReads,
    WorkerRow,
)
from contract.ids import TokenId, UserId
from contract.problems import ErrorCode
from contract.statuses import EvaluationStanding, EvaluationStatus
from server import events
from server.accounts import tokens
from server.accounts.models import ApiToken, TokenKind
from server.errors import NotFound
from server.queue import leases, reads, slots
from server.queue.slots import SlotState
from server.settings import Settings

MOST_READS = 10_000
"""Cases and images that one answer lists by their ids."""


@dataclass(frozen=True)
class _Sums:
    """What the slots of one token did together."""

    slots_present: int
    running: int
    finished: int
    handed_back: int
    abandoned: int
    faulted: int
    seen_at: datetime | None
    warnings: list[str]


def workers(session: Session, *, retired: bool = False, only: TokenId | None = None) -> list[WorkerRow]:
    """Every run worker's token, the revoked ones too and those put away if asked for, oldest first; or `only` one."""
    query = select(ApiToken).where(ApiToken.kind == TokenKind.WORKER).order_by(ApiToken.id)
    if only is not None:
        query = query.where(ApiToken.id == only)
    elif not retired:
        query = query.where(ApiToken.retired_at.is_(None))
    by_token: dict[TokenId, list[SlotState]] = {}
    for state in slots.slot_states(session):
        by_token.setdefault(state.slot.worker_id, []).append(state)
    totals = reads.totals(session)
    return [
        _row(
            token,
            _sums(by_token.get(token.id, [])),
            totals.get((token.id, "case"), reads.Total()),
            totals.get((token.id, "image"), reads.Total()),
        )
        for token in session.scalars(query)
    ]


def worker(session: Session, worker_id: TokenId) -> WorkerRow:
    """The token of one run worker.

    Raises:
        NotFound: there is no such worker.
    """
    found = workers(session, only=worker_id)
    if not found:
        raise _unknown()
    return found[0]


def _sums(states: Iterable[SlotState]) -> _Sums:
    of = list(states)
    return _Sums(
        slots_present=sum(state.present for state in of),
        running=sum(state.running for state in of),
        finished=sum(state.slot.finished for state in of),
        handed_back=sum(state.slot.handed_back for state in of),
        abandoned=sum(state.slot.abandoned for state in of),
        faulted=sum(state.slot.faulted for state in of),
        seen_at=max((state.slot.seen_at for state in of), default=None),
        warnings=[f"{state.slot.name}: {said}" for state in of if (said := state.strange)],
    )


def _row(token: ApiToken, did: _Sums, cases: reads.Total, images: reads.Total) -> WorkerRow:
    return WorkerRow.of(
        token,
        did,
        most_slots=token.slots,
        old_token_until=token.old_hash_until if _is_ahead(token) else None,
        cases_read=_total(cases),
        images_read=_total(images),
    )


def _is_ahead(token: ApiToken) -> bool:
    return token.old_hash_until is not None and token.old_hash_until > datetime.now(UTC)


def _total(total: reads.Total) -> TotalOut:
    return TotalOut.of(total, bytes=total.size)


def worker_named(session: Session, name: str) -> ApiToken:
    """The token of the run worker called `name`, or with this id; of several of the name the newest.

    Raises:
        NotFound: there is none.
    """
    known = select(ApiToken).where(ApiToken.kind == TokenKind.WORKER)
    found = session.scalar(known.where(ApiToken.name == name).order_by(ApiToken.id.desc()).limit(1))
    found = found or next((token for token in session.scalars(known) if str(token.id) == name), None)
    if found is None:
        raise NotFound(
            ErrorCode.UNKNOWN_WORKER, f"There is no run worker {name!r}; 'proctor-admin workers' lists them."
        )
    return found


def reads_of(session: Session, worker_id: TokenId) -> WorkerReads:
    """What a token has read: by task, and each case and image by its id.

    Raises:
        NotFound: there is no such worker.
    """
    _require(session, worker_id)
    return WorkerReads(
        tasks=[
            TaskReadOut.of(task, task.total, bytes=task.total.size)
            for task in reads.by_task(session, worker_id)
        ],
        read=[
            ReadOut.of(read, id=read.subject_id, bytes=read.size)
            for read in reads.read(session, worker_id, most=MOST_READS)
        ],
    )


def answered_by(
    session: Session, worker_id: TokenId, *, since: datetime | None = None, until: datetime | None = None
) -> list[AnsweredOut]:
    """The evaluations in which a token answered cases (from `since`, before `until`) whose outputs are still in use.

    Raises:
        NotFound: there is no such worker.
    """
    _require(session, worker_id)
    return [
        answered_out(answered) for answered in reads.answered(session, worker_id, since=since, until=until)
    ]


def answered_out(answered: reads.Answered) -> AnsweredOut:
    """An evaluation in which a worker answered cases, with the boards that it is on."""
    evaluation = answered.evaluation
    counts = (
        evaluation.standing is EvaluationStanding.IN_FORCE and evaluation.status is EvaluationStatus.SCORED
    )
    return AnsweredOut.of(
        answered,
        evaluation,
        evaluation=evaluation.id,
        submission=evaluation.submission_id,
        cases_of=answered.of,
        boards=list(evaluation.spec_version.spec.boards_of(evaluation.task)) if counts else [],
    )


def revoke(
    session: Session, worker_id: TokenId, *, actor: str, settings: Settings, since: datetime | None = None
) -> RevokedOut:
    """Shuts a run worker out and puts back what it holds; names what it answered. A second time only names it.

    Raises:
        NotFound: there is no such worker.
    """
    tokens.revoke_worker(session, worker_id, actor=actor)
    put_back = leases.take_back(session, worker_id, actor=actor, settings=settings)
    if put_back:
        what = f"{put_back} cases put back into the queue"
        events.record(session, "worker", worker_id, actor=actor, what=what, why="its token was revoked")
    session.flush()
    return RevokedOut(put_back=put_back, answered=answered_by(session, worker_id, since=since))


def revoke_made_by(session: Session, user_id: UserId, *, actor: str, settings: Settings) -> int:
    """Shuts out the run workers whose tokens this admin made over HTTP; how many."""
    made = select(ApiToken.id).where(ApiToken.made_by == user_id, ApiToken.revoked_at.is_(None))
    found = session.scalars(made.order_by(ApiToken.id)).all()
    for token in found:
        revoke(session, token, actor=actor, settings=settings)
    return len(found)


def _require(session: Session, worker_id: TokenId) -> None:
    own = ApiToken.id == worker_id, ApiToken.kind == TokenKind.WORKER
    if not session.scalar(select(func.count()).where(*own)):
        raise _unknown()


def _unknown() -> NotFound:
    return NotFound(ErrorCode.UNKNOWN_WORKER, "There is no such run worker. GET /admin/workers lists them.")
