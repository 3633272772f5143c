"""How sure places are is worked out and kept whenever scores have changed, for whoever may be shown a board.

That is everybody, and where a board is frozen the organizers too, who see it live. What a board follows from is asked
of the rows each time: a message that says that something has changed may be lost, and nothing else is.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from contract.ids import ChallengeId
from contract.statuses import EvaluationStatus
from evaluator.ranking import RankingError
from evaluator.spec import Challenge as Spec
from server.challenges.models import Challenge
from server.challenges.service import frozen_since
from server.clock import now
from server.database import SessionFactory, unit_of_work
from server.evaluations.models import COUNTS, Evaluation
from server.leaderboard import service
from server.leaderboard.bases import case_counts, digests_of, in_force
from server.leaderboard.certainty import key_of, ranked_attempts
from server.leaderboard.entrants import Entrants, behind_of, certain_of, entrants_of
from server.leaderboard.models import KeptCertainty, packed

_LOCK = 5_214_771_908  # of this advisory lock; any number that nothing else takes
_LONG = 5.0
"""Seconds from which on a track rests for as long as it took."""
_AGAIN_SECONDS = 600.0
_SPARE = 6
"""Rows of a track that are kept beside those of today: what is taken back is there at once."""

_FAILED: dict[str, float] = {}
"""By key, when working it out met a defect: that would be met again, so it is tried only now and then."""

_log = structlog.get_logger()


@dataclass(frozen=True)
class Sight:
    """One track of a board as somebody sees it. until: what scored later is not seen."""

    challenge_id: ChallengeId
    phase: str
    track: str
    until: datetime | None
    key: str


def work_out(sessions: SessionFactory, only: ChallengeId | None = None) -> int:
    """Works out what is not kept yet of the boards that there are, or of `only` a challenge; returns how much.

    One process does it at a time. A track that took long rests as long before its next turn, so that a phase in which
    evaluations end all the time leaves half of a core to what else there is.
    """
    with unit_of_work(sessions) as turn:
        if not turn.scalar(select(func.pg_try_advisory_xact_lock(_LOCK))):
            return 0
        done: set[str] = set()
        while sights := {one.key: one for one in _lacking(sessions, only) if one.key not in done}:
            for sight in sights.values():
                _try(sessions, sight)
            done |= sights.keys()
        return len(done)


def _try(sessions: SessionFactory, sight: Sight) -> None:
    try:
        _one(sessions, sight)
    except Exception as error:
        if isinstance(error, SQLAlchemyError):
            raise
        _FAILED[sight.key] = time.monotonic()
        _log.exception("certainty_not_worked_out", phase=sight.phase, track=sight.track)


def _lacking(sessions: SessionFactory, only: ChallengeId | None) -> list[Sight]:
    """What is seen now and not worked out, but for tracks that rest."""
    with unit_of_work(sessions) as session:
        seen = list(_sights(session, only))
        rows = session.scalars(
            select(KeptCertainty.key).where(
                KeptCertainty.key.in_([sight.key for sight in seen]),
                KeptCertainty.behind.is_not(None) | KeptCertainty.trouble.is_not(None),
            )
        )
        failed = {key for key, at in _FAILED.items() if time.monotonic() - at < _AGAIN_SECONDS}
        left_alone = failed.union(rows)
        resting = set(session.execute(_RESTING))
    return [
        sight
        for sight in seen
        if sight.key not in left_alone and (sight.challenge_id, sight.phase, sight.track) not in resting
    ]


_TRACK = (KeptCertainty.challenge_id, KeptCertainty.phase, KeptCertainty.track)
_RESTING = (
    select(*_TRACK)
    .where(
        KeptCertainty.seconds > _LONG,
        KeptCertainty.created_at + KeptCertainty.seconds * timedelta(seconds=1.5) > func.clock_timestamp(),
    )
    .distinct()
)
"""A row is made when the places are there, which is half of the time before the rest is."""


def _sights(session: Session, only: ChallengeId | None) -> Iterator[Sight]:
    """Every track of every board that anybody may see, with what is seen of it now."""
    at = now(session)
    scored = select(Evaluation.challenge_id, Evaluation.phase).where(
        COUNTS, Evaluation.status == EvaluationStatus.SCORED
    )
    mine = scored if only is None else scored.where(Evaluation.challenge_id == only)
    for challenge_id, phase in session.execute(mine.distinct()).all():
        challenge = session.get_one(Challenge, challenge_id)
        declared = challenge.spec.phases.get(phase)
        if declared is None or declared.board == "none":
            continue
        for until in dict.fromkeys((frozen_since(challenge, phase, at=at), None)):
            yield from _of_board(session, challenge, phase, until)


def _of_board(session: Session, challenge: Challenge, phase: str, until: datetime | None) -> Iterator[Sight]:
    force = in_force(session, challenge, phase, until=until)
    counted = service.attempts(session, challenge, phase, force, with_scores=False).counted
    for track in force.spec.tracks:
        if (key := key_of(force.spec, counted, track)) is not None:
            yield Sight(challenge.id, phase, track, until, key)


def _one(sessions: SessionFactory, sight: Sight) -> None:
    began = time.monotonic()
    with unit_of_work(sessions) as session:
        found = _material(session, sight)
    if found is None:
        return
    spec, entrants = found
    try:
        certain = certain_of(spec, entrants) if entrants.teams else None
    except RankingError as error:  # scores that were stored otherwise than today's; places need none of this
        _log.warning("places without sets", challenge=spec.challenge, reason=str(error))
        _keep(sessions, sight, trouble=str(error))
        return
    if certain is None:
        _keep(sessions, sight, trouble="No team has a value.")
        return
    _keep(sessions, sight, places=packed(certain))
    behind = behind_of(spec, entrants)
    _keep(sessions, sight, behind=packed(behind), seconds=time.monotonic() - began)
    _log.info("certainty_worked_out", challenge=spec.challenge, phase=sight.phase, track=sight.track)


def _material(session: Session, sight: Sight) -> tuple[Spec, Entrants] | None:
    """What the sight follows from; None where it is another one by now."""
    challenge = session.get_one(Challenge, sight.challenge_id)
    if sight.phase not in challenge.spec.phases:
        return None
    force = in_force(session, challenge, sight.phase, until=sight.until)
    counted = service.attempts(session, challenge, sight.phase, force).counted
    if key_of(force.spec, counted, sight.track) != sight.key:
        return None
    mine = ranked_attempts(force.spec, counted, sight.track)
    valued = any(score.value is not None for one in mine for score in one.scores.values())
    entrants = entrants_of(
        session,
        force.spec,
        mine if valued else [],
        digests=digests_of(session, force),
        cases=case_counts(session, force),
        with_cases=True,
    )
    return force.spec, entrants


def _keep(sessions: SessionFactory, sight: Sight, **found: object) -> None:
    """Keeps what was found of a sight, and forgets what nobody sees any more."""
    where = {"challenge_id": sight.challenge_id, "phase": sight.phase, "track": sight.track}
    row = {"key": sight.key, "seconds": 0.0, **where, **found}
    with unit_of_work(sessions) as session:
        session.execute(
            insert(KeptCertainty).values(row).on_conflict_do_update(index_elements=["key"], set_=found)
        )
        seen = [one.key for one in _sights(session, sight.challenge_id)]
        _forget(session, sight, [*seen, sight.key])


def _forget(session: Session, sight: Sight, seen: Sequence[str]) -> None:
    mine = (
        KeptCertainty.challenge_id == sight.challenge_id,
        KeptCertainty.phase == sight.phase,
        KeptCertainty.track == sight.track,
    )
    spare = (
        select(KeptCertainty.key)
        .where(*mine, KeptCertainty.key.not_in(seen))
        .order_by(KeptCertainty.created_at.desc())
        .limit(_SPARE)
    )
    session.execute(
        delete(KeptCertainty).where(*mine, KeptCertainty.key.not_in(seen), KeptCertainty.key.not_in(spare))
    )
