"""Editions are kept in the transaction that changes what a released leaderboard shows: none can be lost, none made up.

An act says that it happened (`server.challenges.acts`): a release, an amendment, a change of a team. Before its unit of
work commits the leaderboard is looked at as everybody will see it, and kept if it differs from the last edition.
"""

from collections.abc import Sequence

from sqlalchemy import DateTime, Uuid, any_, exists, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from contract.editions import EditionCause
from contract.ids import ChallengeId
from server.challenges.acts import BoardAct, noted_acts
from server.challenges.models import Challenge
from server.database import SessionFactory, unit_of_work
from server.datasets.current import lock
from server.editions.content import boards_of, digest_of, places_of
from server.editions.models import Edition
from server.editions.service import last_edition
from server.evaluations.models import Evaluation
from server.evaluations.ticks import is_shown
from server.leaderboard.made import MadeBoards
from server.leaderboard.views import made_boards
from server.published.service import phases_with_results
from server.teams.models import Team

_SCORED = "results were scored since the edition before"
_MOST_WORDS, _MOST_CAUSES = 500, 20


def keep_acts(session: Session) -> None:
    """Keeps what the acts of this unit of work have changed of released leaderboards; called before it commits."""
    if session.in_nested_transaction():
        return
    for challenge_id, acts in sorted(noted_acts(session).items()):
        session.flush()
        challenge = _locked(session, challenge_id)
        for phase in _kept_phases(session, challenge):
            mine = [act for act in acts if act.phase in (None, phase)]
            if mine:
                _keep(session, challenge, phase, mine)


def keep_found(sessions: SessionFactory) -> int:
    """Keeps the first edition of leaderboards that were released before editions were kept; of how many."""
    with unit_of_work(sessions) as session:
        lacking = list(_lacking(session))
    for challenge_id, phase in lacking:
        with unit_of_work(sessions) as session:
            challenge = _locked(session, challenge_id)
            if phase in _kept_phases(session, challenge) and not last_edition(session, challenge, phase):
                _keep(session, challenge, phase, [])
    return len(lacking)


def _lacking(session: Session) -> list[tuple[ChallengeId, str]]:
    kept = {(row.challenge_id, row.phase) for row in session.execute(_KEPT)}
    released = session.scalars(select(Challenge).where(func.jsonb_array_length(Challenge.released) > 0))
    return [
        (one.id, phase)
        for one in released
        for phase in one.released
        if (one.id, phase) not in kept and phase in _kept_phases(session, one)
    ]


_KEPT = select(Edition.challenge_id, Edition.phase).distinct()


def _locked(session: Session, challenge_id: ChallengeId) -> Challenge:
    return lock(session, challenge_id)


def _kept_phases(session: Session, challenge: Challenge) -> list[str]:
    """The phases whose leaderboard is released; one of published results is what its file says, and is not kept."""
    phases, published = challenge.spec.phases, phases_with_results(session) if challenge.released else set()
    return [
        name
        for name in challenge.released
        if name in phases and phases[name].board != "none" and (challenge.id, name) not in published
    ]


def _keep(session: Session, challenge: Challenge, phase: str, acts: Sequence[BoardAct]) -> None:
    made = made_boards(session, challenge, phase)
    board = made.out
    rows = session.execute(select(Team.name, Team.id).where(Team.challenge_id == challenge.id))
    ids = {name: str(team_id) for name, team_id in rows}
    places, boards = places_of(board, ids), boards_of(board, ids)
    digest, last = digest_of(places, boards), last_edition(session, challenge, phase)
    cause = _cause(acts, last)
    if last is not None and cause is EditionCause.CHANGED and last.digest == digest:
        return
    edition = Edition(
        challenge_id=challenge.id,
        phase=phase,
        number=1 if last is None else last.number + 1,
        cause=cause,
        what=_what(session, challenge, made, acts, last) if cause is EditionCause.CHANGED else [],
        version=board.version,
        digest=digest,
        places=places,
        boards=boards,
    )
    session.add(edition)
    session.flush()


def _cause(acts: Sequence[BoardAct], last: Edition | None) -> EditionCause:
    """What was shown before an act that comes before any edition, nobody knows any more."""
    if any(act.releases for act in acts):
        return EditionCause.RELEASED
    return EditionCause.FOUND if last is None else EditionCause.CHANGED


def _what(
    session: Session, challenge: Challenge, made: MadeBoards, acts: Sequence[BoardAct], last: Edition | None
) -> list[str]:
    """What everybody reads of it; and that results were scored meanwhile, which keep no edition of their own."""
    told = [act.what[:_MOST_WORDS] for act in acts if act.what is not None] or [act.kind for act in acts]
    told = list(dict.fromkeys(told))[:_MOST_CAUSES]
    if last is not None and _scored_since(session, challenge, made, last):
        told.append(_SCORED)
    return told


def _scored_since(session: Session, challenge: Challenge, made: MadeBoards, last: Edition) -> bool:
    """Whether the board shows a result that it did not show at the last edition: others are nobody's to know of."""
    shown = list({entry.int: entry for track in made.tracks for entry in track.evaluations}.values())
    then = literal(last.created_at, DateTime(timezone=True))
    hidden = challenge.spec.phases[last.phase].hidden
    later = ~is_shown(session, Evaluation.finished_at, at=then) if hidden else Evaluation.finished_at > then
    listed = Evaluation.id == any_(literal(shown, ARRAY(Uuid)))
    return session.scalar(select(exists().where(listed, later))) or False
