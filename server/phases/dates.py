"""Opening, closing, extending and postponing a phase: a new version of the challenge file with other dates."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from pydantic import ValidationError
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from contract.problems import ErrorCode
from contract.statuses import UploadStatus
from evaluator.spec import Challenge as Spec
from evaluator.spec import Phase, wrong_year
from server.accounts.principals import Organizer
from server.challenges.models import Challenge
from server.challenges.service import get_phase
from server.clock import now
from server.datasets.models import IN_FORCE, Dataset
from server.errors import Conflict, Unprocessable
from server.evaluations.models import Evaluation
from server.evaluations.status import ACTIVE
from server.plans import service as plans
from server.plans.amending import date_words
from server.plans.diff import state
from server.plans.service import Planned
from server.settings import Settings
from server.teams.models import Team
from server.uploads.models import Upload
from server.words import moment

Date = datetime | Literal["now"] | None
_WRITTEN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d")
"""A date as the challenge file has it."""


@dataclass(frozen=True)
class Dated:
    """A phase with other dates, and the file that says so."""

    name: str
    phase: Phase
    spec: Spec
    planned: Planned
    sentences: list[str]


def plan_dates(
    session: Session,
    challenge: Challenge,
    name: str,
    *,
    opens: Date = None,
    closes: Date = None,
    extend: int | None = None,
    settings: Settings,
) -> Dated:
    """What other dates would mean; nothing is changed.

    opens, closes: a time that is to come, or "now"; None leaves it. extend: seconds to add to the end that there is.

    Raises:
        NotFound: there is no such phase.
        Unprocessable: nothing is asked for, or two ends.
        Conflict: the phase cannot have these dates, or has them already.
    """
    at, old, spec = now(session), get_phase(challenge.spec, name), challenge.spec
    wanted = _wanted(old, name, opens=opens, closes=closes, extend=extend, at=at)
    phase = _dated(old, name, wanted)
    if (old.opens, old.closes) == (phase.opens, phase.closes):
        raise Conflict(ErrorCode.PHASE_UNCHANGED, f"Phase {name!r} has these dates already.")
    changed = spec.model_copy(update={"phases": {**spec.phases, name: phase}})
    planned = plans.plan(session, changed, settings=settings, act_on=name)
    sentences = list(_sentences(session, challenge, name, old, phase, at))
    return Dated(name, phase, changed, planned, sentences)


def set_dates(
    session: Session, organizer: Organizer, dated: Dated, *, why: str, version: str | None = None
) -> None:
    """Makes the planned dates those of the phase, as an amendment with its reason.

    version: the digest of the challenge that the plan named.

    Raises:
        Conflict: another version of the challenge came meanwhile.
    """
    if version not in (None, dated.planned.present):
        message = "The challenge has been changed since this was planned: look at the plan again."
        raise Conflict(ErrorCode.CHALLENGE_CHANGED, message)
    plans.apply_planned(
        session,
        dated.spec,
        dated.planned,
        actor=organizer.actor,
        confirmed=True,
        why=why,
        act_on=dated.name,
    )


def _wanted(
    old: Phase, name: str, *, opens: Date, closes: Date, extend: int | None, at: datetime
) -> dict[str, datetime]:
    """The dates that are to be others, by field."""
    if opens is None and closes is None and extend is None:
        raise Unprocessable(ErrorCode.PHASE_DATES, "Say what is to change: opens, closes or extend.")
    if closes is not None and extend is not None:
        raise Unprocessable(ErrorCode.PHASE_DATES, "Say either closes or extend, which is another end, too.")
    if opens == "now" and old.is_open(at):
        raise Conflict(ErrorCode.PHASE_UNCHANGED, f"Phase {name!r} {state(old, at)}.")
    if opens == "now" and old.has_opened(at) and closes is None and extend is None:
        message = f"Phase {name!r} {state(old, at)}: give a later end, and it is open again until then."
        raise Conflict(ErrorCode.PHASE_DATES, message)
    if closes == "now" and not old.is_open(at):
        raise Conflict(ErrorCode.PHASE_DATES, f"Phase {name!r} {state(old, at)}; only an open one is closed.")
    found = {}
    for field, date in (("opens", opens), ("closes", closes)):
        if date is not None:
            found[field] = at.replace(microsecond=0) if date == "now" else _to_come(field, date, at)
    if extend is not None:
        if old.closes is None:
            raise Conflict(
                ErrorCode.PHASE_DATES, f"Phase {name!r} has no end that could be later: give closes."
            )
        found["closes"] = _to_come("closes", old.closes + timedelta(seconds=extend), at)
    return found


def _to_come(field: str, date: datetime, at: datetime) -> datetime:
    wrong = wrong_year(date.year)
    if date <= at:
        said = moment(date) if wrong is None else date.isoformat()
        message = f"{field} would be {said}, which is over. Give a time to come, or now."
        raise Conflict(ErrorCode.PHASE_DATES, message)
    if wrong is not None:
        raise Conflict(ErrorCode.PHASE_DATES, f"{field} would be in the year {date.year}, and {wrong}.")
    return date


def _dated(old: Phase, name: str, dates: dict[str, datetime]) -> Phase:
    try:
        return Phase.model_validate(old.model_dump() | dates)
    except ValidationError as error:
        said = error.errors()[0]["msg"].removeprefix("Value error, ")
        said = _WRITTEN.sub(lambda found: moment(datetime.fromisoformat(found[0])), said)
        raise Conflict(ErrorCode.PHASE_DATES, f"Phase {name!r} cannot have these dates: {said}.") from None


def _sentences(
    session: Session, challenge: Challenge, name: str, old: Phase, new: Phase, at: datetime
) -> Iterator[str]:
    for field in ("opens", "closes"):
        if getattr(old, field) != getattr(new, field):
            yield f"Phase {name} {date_words(field, getattr(old, field), getattr(new, field))}."
    if old.is_open(at) != new.is_open(at):
        yield "It is open then." if new.is_open(at) else "It is closed then."
    if new.is_open(at) and not old.is_open(at):
        yield from _without_cases(session, challenge, name)
    if old.is_open(at) and not new.is_open(at):
        yield from _cut_off(session, challenge, name, new)
    if old.hidden and name in challenge.released and new.is_open(at):
        yield "Its leaderboard is released: everybody sees every score as soon as it is made."
    yield "The challenge page shows this as an amendment, with your reason."


def _without_cases(session: Session, challenge: Challenge, name: str) -> Iterator[str]:
    """What nobody can submit to yet, where a phase opens at once."""
    query = select(Dataset.task).where(IN_FORCE, Dataset.challenge_id == challenge.id, Dataset.phase == name)
    there = set(session.scalars(query))
    missing = [task for task in challenge.spec.tasks if task not in there]
    if missing:
        which = f"of {', '.join(missing)}" if there else "of any task"
        yield f"It has no cases {which} yet, so nobody can submit there before they are imported."


def _cut_off(session: Session, challenge: Challenge, name: str, new: Phase) -> Iterator[str]:
    """What is under way where a phase closes at once."""
    running = session.scalar(
        select(func.count())
        .select_from(Evaluation)
        .where(
            Evaluation.challenge_id == challenge.id, Evaluation.phase == name, Evaluation.status.in_(ACTIVE)
        )
    )
    arriving = session.scalar(
        select(func.count())
        .select_from(Upload)
        .join(Team, Team.id == Upload.team_id)
        .where(
            Team.challenge_id == challenge.id,
            Upload.status.in_([UploadStatus.RECEIVING, UploadStatus.CHECKING]),
            Upload.expires_at > func.now(),
        )
    )
    yield f"Evaluations of it that wait or run: {running or 0}; they go on to their end."
    if new.grace_seconds and new.closes:
        until = new.closes + timedelta(seconds=new.grace_seconds)
        yield f"Uploads under way: {arriving or 0}; they may be submitted until {moment(until)}."
    else:
        yield f"Uploads under way: {arriving or 0}; they may finish, and come too late for this phase."
