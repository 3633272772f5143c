"""The installation on one screen: a bounded number of statements, none of which reads a row per case."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from alembic.script import ScriptDirectory
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from contract.installation import (
    DiskStatus,
    ExpiringOut,
    InstallationOut,
    PhaseStatus,
    SlotsStatus,
    VersionsOut,
)
from contract.release import commit, release
from contract.statuses import EvaluationStatus
from evaluator.version import evaluator_version
from server.accounts.models import Account, ApiToken, TokenKind
from server.accounts.tokens import LIVE
from server.admin.storage import disk_now, sentence
from server.backups import last_backup
from server.blobs import why_away
from server.challenges.models import Challenge
from server.clock import now
from server.evaluations import scorers
from server.evaluations.errors import headline
from server.evaluations.models import COUNTS, Evaluation
from server.evaluations.status import HAS_CASES
from server.overview.progress import standing
from server.queue import losses
from server.queue.forecast import forecast
from server.queue.slots import SlotState, slot_states
from server.settings import Settings
from server.submissions.models import Submission
from server.teams.models import Team
from server.words import counted

_SOON, _DAY, _OLD_BACKUP = timedelta(days=14), timedelta(days=1), timedelta(days=2)
_MOST = 20
_MIGRATIONS = Path(__file__).parents[2] / "migrations"


def status(session: Session, settings: Settings) -> InstallationOut:
    """How everything stands now."""
    at = now(session)
    states = slot_states(session)
    slots = _slots(states)
    dying = losses.sentence(
        {(one.worker_id, one.slot): one for one in (state.lost for state in states) if one}
    )
    phases = _phases(session, at)
    lately = Evaluation.status == EvaluationStatus.ERRORED, Evaluation.finished_at > at - _DAY
    counts = (
        select(func.count()).select_from(Team),
        select(func.count()).select_from(Account),
        select(func.count()).where(Submission.created_at > at - _DAY),
        select(func.count()).where(*lately),
    )
    teams, persons, submissions, errored = session.execute(
        select(*(count.scalar_subquery() for count in counts))
    ).one()
    full = disk_now(settings)
    found = InstallationOut(
        at=at,
        to_do=[],
        phases=phases,
        teams=teams,
        people=persons,
        submissions_last_day=submissions,
        slots=slots,
        errored=errored,
        errors=headline(session),
        disk=DiskStatus(free=full.free, reserve=full.reserve, sentence=sentence(full)),
        backup_at=last_backup(settings.data),
        expiring=_expiring(session, at),
        versions=_versions(session),
    )
    unscored = list(scorers.sentences(scorers.unserved(session)))
    to_do = [*_without_blobs(settings), *_to_do(found, full.for_uploads > 0, dying, unscored)]
    return found.model_copy(update={"to_do": to_do})


def _without_blobs(settings: Settings) -> Iterator[str]:
    if (why := why_away(settings.blobs_place)) is not None:
        yield f"{why} Until it answers nothing is uploaded, run or scored; nothing is lost."


def _to_do(found: InstallationOut, room: bool, dying: str | None, unscored: Sequence[str]) -> Iterator[str]:
    versions = found.versions
    if versions.schema_needed not in (None, versions.schema_is):
        yield f"The database has the schema {versions.schema_is}, this code needs {versions.schema_needed}: migrate it."
    if not room:
        yield found.disk.sentence
    if not found.slots.working + found.slots.idle:
        yield from _without_slots(found.phases)
    yield from unscored
    if dying is not None:
        yield dying
    yield from found.slots.reasons
    if found.errors is not None:
        yield f"{found.errors}."
    if found.backup_at is None:
        yield "No backup is known: 'proctor-admin backup DIR' makes one."
    elif found.at - found.backup_at > _OLD_BACKUP:
        yield f"The last backup is {(found.at - found.backup_at).days} days old."
    if others := {name: count for name, count in versions.scored_with.items() if name != versions.evaluator}:
        told = ", ".join(f"{count:,} with {name}" for name, count in sorted(others.items()))
        yield f"The evaluator is {versions.evaluator}; what counts was scored {told}."
    for token in found.expiring:
        yield f"The token {token.name} of {token.owner} ends on {token.expires_at:%Y-%m-%d %H:%M} UTC."


def _without_slots(phases: Sequence[PhaseStatus]) -> Iterator[str]:
    """What it means that no slot takes work; nothing where no phase is open and nothing waits."""
    if waiting := sum(phase.cases for phase in phases):
        yield f"{counted(waiting, 'case is', 'cases are')} left to run, and no slot takes work."
    elif any(phase.state == "open" for phase in phases):
        yield "No slot takes work: what is submitted to an open phase waits."


def _slots(states: Sequence[SlotState]) -> SlotsStatus:
    words = [state.state for state in states]
    working = sum(state.takes_work and state.running > 0 for state in states)
    reasons = [
        f"Slot {state.slot.name} of {state.worker} {'is unfit: ' if why == state.slot.unfit else ''}{why}"
        for state in states
        if state.present and (why := state.slot.unfit or state.warning)
    ]
    return SlotsStatus(
        working=working,
        idle=sum(state.takes_work for state in states) - working,
        draining=words.count("draining") + words.count("drained"),
        unfit=words.count("unfit"),
        gone=words.count("gone"),
        present=sum(state.present for state in states),
        running=sum(state.present and state.running > 0 for state in states),
        reasons=reasons[:_MOST],
    )


def _phases(session: Session, at: datetime) -> list[PhaseStatus]:
    rows = session.execute(
        select(
            Evaluation.challenge_id,
            Evaluation.phase,
            func.sum(Evaluation.remaining),
            func.count(),
            func.min(Evaluation.created_at),
        )
        .where(COUNTS, Evaluation.status.in_(HAS_CASES))
        .group_by(Evaluation.challenge_id, Evaluation.phase)
    )
    waiting = {
        (challenge, phase): (int(cases), evaluations, oldest)
        for challenge, phase, cases, evaluations, oldest in rows
    }
    ends = (
        {(known.challenge, known.phase): known.ends for known in forecast(session).phases} if waiting else {}
    )
    found = []
    for challenge in session.scalars(select(Challenge).order_by(Challenge.slug)):
        for name, phase in challenge.spec.phases.items():
            cases, evaluations, oldest = waiting.get((challenge.id, name), (0, 0, None))
            state, coming, when = standing(phase, at, released=name in challenge.released)
            found.append(
                PhaseStatus(
                    challenge=challenge.slug,
                    phase=name,
                    state=state,
                    next=coming,
                    next_at=when,
                    cases=cases,
                    evaluations=evaluations,
                    oldest=oldest,
                    empty=ends.get((challenge.slug, name)),
                )
            )
    return found


def _expiring(session: Session, at: datetime) -> list[ExpiringOut]:
    """API tokens that end within two weeks; sessions end every day."""
    rows = session.execute(
        select(ApiToken.name, Account.name, ApiToken.expires_at)
        .join(Account, Account.id == ApiToken.user_id)
        .where(*LIVE, ApiToken.kind == TokenKind.API, ApiToken.expires_at < at + _SOON)
        .order_by(ApiToken.expires_at)
        .limit(_MOST)
    )
    return [ExpiringOut(name=name, owner=owner, expires_at=ends) for name, owner, ends in rows if ends]


def _versions(session: Session) -> VersionsOut:
    scored = select(Evaluation.evaluator_version, func.count()).where(
        COUNTS, Evaluation.status == EvaluationStatus.SCORED
    )
    counts = session.execute(scored.group_by(Evaluation.evaluator_version)).all()
    schema = session.scalar(text("SELECT to_regclass('alembic_version') IS NOT NULL"))
    return VersionsOut(
        release=release(),
        commit=_commit(),
        schema_is=session.scalar(text("SELECT version_num FROM alembic_version")) if schema else None,
        schema_needed=_needed(),
        evaluator=evaluator_version(),
        scored_with={name or "unknown": count for name, count in counts},
    )


@cache
def _commit() -> str | None:
    """Asked once: the code that a process runs stays what it is, whatever a checkout holds later."""
    return commit()


@cache
def _needed() -> str | None:
    """The schema that this code was written for; None where its migrations are not beside it."""
    return ScriptDirectory(str(_MIGRATIONS)).get_current_head() if _MIGRATIONS.is_dir() else None
