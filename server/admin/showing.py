"""All of one thing on one screen, whatever it is."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from contract.events import Subject
from contract.finding import FactOut, HappenedOut, ShownOut
from contract.ids import CaseRunId, EvaluationId, SubmissionId, UserId
from server.accounts.models import Account
from server.accounts.principals import User
from server.admin import runs
from server.admin.event_log import OF_INSTALLATION
from server.admin.finding import Found, Within, found_out, look, one
from server.admin.kinds import Wanted
from server.admin.runs import RunSheet
from server.admin.sheets import RELATED, SHEETS
from server.audit.looks import Look, looked
from server.events import Event
from server.organizers.access import observed

_MOST_EVENTS = 30
_IN_LOGS = frozenset({Subject.SUBMISSION, Subject.EVALUATION, Subject.CASE_RUN})


def show(session: Session, user: User, prefix: str) -> ShownOut:
    """What the asker may see whose id begins so; that the names of hidden cases were looked at is recorded.

    Raises:
        Forbidden: they observe no challenge.
        BadRequest, NotFound, Conflict: see `finding.one`.
    """
    within = observed(session, user)
    found = one(session, prefix, within=within)
    told = _sheet(session, found, within)
    if told.evaluation is not None or found.kind is Subject.CASE_RUN:
        looked(session, found.kind, found.id, Look.NAMES, actor=user.actor)
    hidden = within is not None and found.kind in OF_INSTALLATION
    (itself,) = found_out(session, [found])
    return ShownOut.of(
        itself,
        facts=[
            FactOut(head=head, said=_said(value))
            for head, value in told.sheet.facts.items()
            if value not in (None, "")
        ],
        evaluation=told.evaluation,
        related=found_out(session, _related(session, told.sheet.related, within)),
        happened=[] if hidden else _happened(session, told.events_of),
        participant=told.participant,
        acts=told.sheet.acts,
        logs=f"grep -rh {found.id} DATA/logs" if found.kind in _IN_LOGS else None,
    )


def _sheet(session: Session, found: Found, within: Within) -> RunSheet:
    if found.kind is Subject.SUBMISSION:
        return runs.submission(session, SubmissionId(found.id))
    if found.kind is Subject.EVALUATION:
        return runs.evaluation(session, EvaluationId(found.id))
    if found.kind is Subject.CASE_RUN:
        return runs.case(session, CaseRunId(found.id))
    return RunSheet(SHEETS[found.kind](session, found.id, within), None, [found.id])


def _said(value: Any) -> str:
    return f"{value:%Y-%m-%d %H:%M} UTC" if isinstance(value, datetime) else str(value)


def _related(session: Session, ids: Sequence[tuple[Subject, UUID]], within: Within) -> list[Found]:
    """The things of these ids that the asker may see."""
    wanted = {id_ for _, id_ in ids}
    found = look(session, Wanted(None, None, None, within, 5 * RELATED, ids=frozenset(wanted)))
    order = {id_: number for number, (_, id_) in enumerate(ids)}
    return sorted(
        (thing for thing in found if (thing.kind, thing.id) in ids), key=lambda thing: order[thing.id]
    )


def _happened(session: Session, ids: Sequence[UUID]) -> list[HappenedOut]:
    query = select(Event).where(Event.subject_id.in_(ids)).order_by(Event.id.desc()).limit(_MOST_EVENTS)
    rows = session.scalars(query).all()
    names = _names(session, {row.actor for row in rows})
    return [
        HappenedOut(at=row.created_at, actor=names.get(row.actor, row.actor), what=_what(row), why=row.why)
        for row in reversed(rows)
    ]


def _names(session: Session, actors: set[str]) -> Mapping[str, str]:
    ids = [UserId(UUID(actor.removeprefix("user:"))) for actor in actors if actor.startswith("user:")]
    rows = session.scalars(select(Account).where(Account.id.in_(ids))) if ids else ()
    return {f"user:{row.id}": f"{row.name} <{row.email}>" for row in rows}


def _what(row: Event) -> str:
    moved = "" if row.new is None else f"{row.old} → {row.new}" if row.old else row.new
    said = ", ".join(part for part in (moved, row.what, row.code) if part)
    return f"{row.subject}: {said}"
