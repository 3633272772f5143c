"""What an admin does with run workers: has them drain, resumes them, puts them away, and doubts what they answered."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from contract.ids import TokenId
from contract.problems import ErrorCode
from contract.reevaluations import ReevaluationMode, ReevaluationOrder, ReevaluationScope
from contract.statuses import CaseStatus, EvaluationStanding
from server import events
from server.accounts import tokens
from server.accounts.models import ApiToken
from server.accounts.principals import Admin, Organizer
from server.challenges.models import Challenge
from server.errors import Conflict, NotFound
from server.evaluations.models import CaseRun
from server.evaluations.worker_models import WorkerSlot
from server.queue import reads
from server.reevaluations import service as reevaluations
from server.reevaluations.coverage import Coverage
from server.reevaluations.models import Reevaluation
from server.settings import Settings


def drain(session: Session, worker_id: TokenId, *, slot: str | None, why: str | None, actor: str) -> None:
    """Leases a worker, or one of its slots, nothing more; it finishes what it holds. A second time does nothing.

    Raises:
        NotFound: there is no such worker, or it has no such slot.
        Conflict: its token was revoked.
    """
    _set(session, worker_id, slot, drains=True, why=why, actor=actor)


def resume(session: Session, worker_id: TokenId, *, slot: str | None, why: str | None, actor: str) -> None:
    """Leases it cases again; `slot`: only this one, which drains on where all of its worker does.

    Raises:
        NotFound, Conflict: as for `drain`.
    """
    _set(session, worker_id, slot, drains=False, why=why, actor=actor)


def _set(
    session: Session, worker_id: TokenId, slot: str | None, *, drains: bool, why: str | None, actor: str
) -> None:
    token = tokens.worker_row(session, worker_id)
    if token.revoked_at is not None:
        detail = f"The token of {token.name} was revoked: it is leased nothing anyway."
        raise Conflict(ErrorCode.WORKER_REVOKED, detail)
    since = func.now() if drains else None
    slots = update(WorkerSlot).where(
        WorkerSlot.worker_id == worker_id,
        WorkerSlot.draining_since.is_(None) if drains else WorkerSlot.draining_since.is_not(None),
    )
    named = slots.values(draining_since=since, seen_at=WorkerSlot.seen_at).returning(WorkerSlot.name)
    if slot is not None:
        _require_slot(session, token, slot)
        changed = bool(session.execute(named.where(WorkerSlot.name == slot)).all())
    else:
        changed = (token.draining_since is None) == drains
        if drains and changed:
            token.draining_since = func.now()
        elif not drains:  # a slot that drains by itself is of the worker that is resumed
            token.draining_since = None
            changed = bool(session.execute(named).all()) or changed
    if changed:
        whole = "" if slot is None else f"slot {slot} "
        what = f"{whole}{'drains' if drains else 'resumed'}"
        events.record(session, "worker", worker_id, actor=actor, what=what, why=why)
    session.flush()


def _require_slot(session: Session, token: ApiToken, slot: str) -> None:
    own = select(WorkerSlot.name).where(WorkerSlot.worker_id == token.id).order_by(WorkerSlot.name)
    names = session.scalars(own.limit(100)).all()
    if slot not in names:
        there = ", ".join(names[:10]) or "none so far"
        raise NotFound(ErrorCode.UNKNOWN_SLOT, f"{token.name} has no slot {slot!r}. It has: {there}.")


def retire(session: Session, worker_id: TokenId, *, why: str | None, actor: str) -> None:
    """Puts away a worker that holds nothing: its token ends, and lists leave it out; what it did stays.

    Raises:
        NotFound: there is no such worker.
        Conflict: it holds cases.
    """
    token = tokens.worker_row(session, worker_id)
    if token.retired_at is not None:
        return
    held = select(func.count()).where(CaseRun.worker_id == worker_id, CaseRun.status == CaseStatus.RUNNING)
    if count := session.scalar(held):
        raise Conflict(
            ErrorCode.WORKER_HOLDS_CASES,
            f"{token.name} holds {count} cases. Have it drain until it holds none, or revoke its token: that "
            "puts them back into the queue.",
        )
    tokens.revoke_worker(session, worker_id, actor=actor)
    token.retired_at = func.now()
    events.record(session, "worker", worker_id, actor=actor, what="retired", why=why)
    session.flush()


@dataclass
class Suspicion:
    """What a worker answered in a span, and the re-evaluations that were drafted of it.

    `others`: why of some challenges none was.
    """

    answered: Sequence[reads.Answered]
    drafts: list[tuple[Challenge, Reevaluation, Coverage]] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


def suspect(
    session: Session,
    admin: Admin,
    worker_id: TokenId,
    *,
    since: datetime | None,
    until: datetime | None,
    mode: ReevaluationMode,
    why: str,
    settings: Settings,
) -> Suspicion:
    """Has a worker drain, and drafts in each challenge a re-evaluation of what counts and holds answers of its.

    `since`, `until`: when the cases ended that are doubted.

    Raises:
        NotFound: there is no such worker.
    """
    token = tokens.worker_row(session, worker_id)
    if token.revoked_at is None:
        drain(session, worker_id, slot=None, why=why, actor=admin.actor)
    found = Suspicion(reads.answered(session, worker_id, since=since, until=until))
    concerned = {
        answered.evaluation.challenge_id
        for answered in found.answered
        if answered.evaluation.standing is EvaluationStanding.IN_FORCE
    }
    order = ReevaluationOrder(
        mode=mode,
        why=why,
        scope=ReevaluationScope(hosts=(str(worker_id),), ran_since=since, ran_until=until),
    )
    challenges = select(Challenge).where(Challenge.id.in_(concerned)).order_by(Challenge.slug)
    for challenge in session.scalars(challenges).all():
        organizer = Organizer.of(admin, challenge.id)
        try:
            with session.begin_nested():
                drafted = reevaluations.draft(
                    session, organizer, challenge, order, settings=settings, code=None
                )
        except Conflict as conflict:
            found.others.append(f"{challenge.slug}: {conflict.detail}")
        else:
            found.drafts.append((challenge, *drafted))
    return found
