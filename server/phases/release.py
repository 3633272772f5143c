"""Releasing a leaderboard: the list that is gone through first, the act itself, and taking it back."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from contract.leaderboard import CheckpointMark, LeaderboardOut, TrackOut
from contract.notices import NoticeKind
from contract.phases import CheckState, ReleaseCheck, ReleaseOut
from contract.problems import ErrorCode
from contract.statuses import EvaluationStatus
from server.accounts.principals import Organizer
from server.amendments.service import amend
from server.audit.service import seal
from server.challenges import service as challenges
from server.challenges.models import Challenge
from server.challenges.service import frozen_since, get_phase, is_sealed
from server.clock import now
from server.datasets.current import lock
from server.datasets.models import IN_FORCE, Dataset
from server.errors import Conflict
from server.evaluations.heads import signed
from server.evaluations.models import COUNTS, Evaluation
from server.leaderboard.checkpoints import told_of
from server.leaderboard.made import MadeTrack
from server.leaderboard.release import obstacles, released_at
from server.leaderboard.views import made_boards
from server.phases.commitments import check_labels
from server.settings import Settings
from server.teams.models import Team
from server.words import moment

_FINE = {
    "closed": "The phase is over.",
    "ended": "Every evaluation has ended.",
    "faults": "Nothing that the platform failed at is left.",
    "last attempts": "Every team's last attempt is scored.",
    "one base": "All that is scored is of one version of the cases and of the metrics.",
    "ties": "No places of prizes are shared.",
    "standing": "No team with values is disqualified or without a right to prizes.",
    "checkpoints": "The images of every team hold one verified checkpoint for all its tasks of a track.",
}
_RELEASED = NoticeKind.BOARD_RELEASED
_MOST = 12
"""Teams, evaluations or boards that one check names."""


def checklist(session: Session, challenge: Challenge, phase: str, *, settings: Settings) -> ReleaseOut:
    """Whether a phase's leaderboard is final, line by line, and who would win what; nothing is changed.

    Raises:
        NotFound: there is no such phase.
        Conflict: it has no leaderboard.
    """
    if get_phase(challenge.spec, phase).board == "none":
        raise Conflict(ErrorCode.NO_BOARD, f"Phase {phase!r} has no leaderboard that could be released.")
    at, made = now(session), made_boards(session, challenge, phase, live=True, wait=True)
    board = made.out
    left = obstacles(session, challenge, phase)
    checks = [check for name, found in left.items() for check in _checks(name, CheckState.ERROR, found)]
    for name, told in (
        ("last attempts", _last_attempts(session, challenge, phase)),
        ("one base", _otherwise(board)),
        ("ties", _ties(board)),
        ("standing", _standing(board)),
        *([("checkpoints", _checkpoints(made.tracks))] if challenge.spec.checkpoint else []),
    ):
        checks += _checks(name, CheckState.WARNING, told)
    since = released_at(session, challenge, phase)
    return ReleaseOut(
        challenge=challenge.slug,
        phase=phase,
        hidden=is_sealed(challenge, phase) or frozen_since(challenge, phase, at=at) is not None,
        released_at=since,
        take_back_until=_until(since, settings),
        checks=[*checks, *check_labels(session, challenge, phase, settings)],
        awards=list(_awards(board)),
        audit=None,
    )


def release(
    session: Session,
    organizer: Organizer,
    challenge: Challenge,
    phase: str,
    *,
    force: bool,
    why: str | None,
    settings: Settings,
) -> ReleaseOut:
    """Opens the leaderboard to everybody, as an amendment that tells the head of the audit chain with this act in it.

    Raises:
        Conflict: it is seen already, or is not final and nobody forces it with a reason.
    """
    lock(session, challenge.id)
    session.refresh(challenge, ["released"])
    checks = checklist(session, challenge, phase, settings=settings).checks
    early = [check.found for check in checks if check.state is CheckState.ERROR]
    challenges.release(session, challenge, phase, actor=organizer.actor, why=why if early else None)
    if early and not (force and why):
        raise Conflict(
            ErrorCode.BOARD_NOT_FINAL,
            f"{challenge.slug} {phase} is not final: {' '.join(early)} To open it all the same force it and give a "
            "reason; the board shows the reason.",
            reasons=early,
        )
    head = seal(session)
    what = f"{get_phase(challenge.spec, phase).title}: the leaderboard is released; audit head {head}"
    amend(session, challenge, what=what, why=why, by=organizer.actor, phase=phase, kind=_RELEASED)
    found = checklist(session, challenge, phase, settings=settings)
    return found.model_copy(update={"audit": signed(head, settings)})


def take_back(
    session: Session,
    organizer: Organizer,
    challenge: Challenge,
    phase: str,
    *,
    why: str | None,
    settings: Settings,
) -> ReleaseOut:
    """Shuts a released leaderboard again, as an amendment.

    Raises:
        Conflict: it is not released, or was longer ago than the minutes of grace and there is no reason.
    """
    lock(session, challenge.id)
    session.refresh(challenge, ["released"])
    until = _until(released_at(session, challenge, phase), settings)
    if phase in challenge.released and not why and (until is None or until <= now(session)):
        when = f" until {moment(until)}" if until else ""
        raise Conflict(
            ErrorCode.REASON_MISSING,
            f"A release is taken back without a reason only{when}, within its minutes of grace. Give a reason: "
            "everybody reads it.",
        )
    challenges.take_back(session, challenge, phase, actor=organizer.actor, why=why)
    what = f"{get_phase(challenge.spec, phase).title}: the release of the leaderboard is taken back"
    amend(session, challenge, what=what, why=why, by=organizer.actor, phase=phase, kind=_RELEASED)
    return checklist(session, challenge, phase, settings=settings)


def _until(since: datetime | None, settings: Settings) -> datetime | None:
    return None if since is None else since + timedelta(seconds=settings.release_grace_seconds)


def _checks(name: str, state: CheckState, found: Iterable[str]) -> list[ReleaseCheck]:
    told = list(found)
    if not told:
        return [ReleaseCheck(check=name, state=CheckState.OK, found=_FINE[name])]
    return [ReleaseCheck(check=name, state=state, found=sentence) for sentence in told]


def _last_attempts(session: Session, challenge: Challenge, phase: str) -> Iterator[str]:
    """Teams whose last attempt on a task was rejected, so that an earlier one or nothing counts."""
    group = (Evaluation.team_id, Evaluation.track, Evaluation.task)
    rows = session.execute(
        select(Team.name, Evaluation.track, Evaluation.task, Evaluation.status)
        .join(Team, Team.id == Evaluation.team_id)
        .join(Dataset, Dataset.id == Evaluation.dataset_id)
        .where(
            IN_FORCE,
            COUNTS,
            Evaluation.challenge_id == challenge.id,
            Evaluation.phase == phase,
            Evaluation.status != EvaluationStatus.CANCELLED,
            Team.disqualified.is_(None),
        )
        .ext(distinct_on(*group))
        .order_by(*group, Evaluation.created_at.desc(), Evaluation.id.desc())
    )
    found = [
        f"{team} ({task}, track {track})"
        for team, track, task, status in rows
        if status is EvaluationStatus.REJECTED
    ]
    if found:
        yield f"The last attempt was rejected, so an earlier one or nothing counts: {_some(sorted(found))}."


def _otherwise(board: LeaderboardOut) -> Iterator[str]:
    left = [
        f"{entry.team} on {column.board}, track {track.track} ({', '.join(entry.differs)})"
        for track in board.tracks
        for column in track.boards
        for entry in column.otherwise
    ]
    if left:
        yield f"Scored otherwise than what counts now, and so not ranked: {_some(left)}."


def _ties(board: LeaderboardOut) -> Iterator[str]:
    for track in board.tracks:
        for place in range(1, len(board.prizes) + 1):
            teams = [row.team for row in track.unified if row.eligible_placement == place]
            if len(teams) > 1:
                yield f"Track {track.track}: {_some(sorted(teams))} share place {place}."


def _standing(board: LeaderboardOut) -> Iterator[str]:
    for said, marked in (
        ("Disqualified", lambda row: row.disqualified),
        ("Without a right to prizes", lambda row: not (row.eligible or row.disqualified or row.baseline)),
    ):
        teams = {row.team for track in board.tracks for row in track.unified if marked(row)}
        if teams:
            yield f"{said}: {_some(sorted(teams))}."


def _checkpoints(tracks: Iterable[MadeTrack]) -> Iterator[str]:
    """Ranked teams whose images do not hold one pretrained checkpoint, and which of their tasks differ."""
    for track in tracks:
        marks = {row.team: row.checkpoint for row in track.unified if not (row.baseline or row.disqualified)}
        teams = {mark: [team for team in marks if marks[team] == mark] for mark in (*CheckpointMark, None)}
        differing = [f"{team} ({told_of(track.held[team])})" for team in teams[CheckpointMark.DIFFERING]]
        where = f"Track {track.track}:"
        if differing:
            yield f"{where} tasks hold different checkpoints, or not the declared one: {_some(differing)}."
        if none := teams[CheckpointMark.NOT_DECLARED]:
            yield f"{where} no pretrained checkpoint is declared by {_some(none)}."
        if unknown := [team for team in teams[None] if team in track.held]:
            yield f"{where} an older release checked images of {_some(unknown)}, and did not look for a checkpoint."


def _awards(board: LeaderboardOut) -> Iterator[str]:
    for track in board.tracks:
        yield from _awards_of(track)


def _awards_of(track: TrackOut) -> Iterator[str]:
    for row in track.unified:
        if row.prize:
            yield f"Track {track.track}: {row.team} wins {row.prize}, place {row.eligible_placement}."


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _MOST:,} more" if len(names) > _MOST else ""
    return ", ".join(names[:_MOST]) + more
