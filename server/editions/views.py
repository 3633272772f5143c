"""Editions as they leave."""

from datetime import datetime

from sqlalchemy.orm import Session

from contract.editions import EditionCause, EditionDifferencesOut, EditionOut
from contract.leaderboard import LeaderboardOut
from server.challenges.models import Challenge
from server.editions.differences import since
from server.editions.models import Edition
from server.editions.service import later_than
from server.pages import moment

_WORDS = {
    EditionCause.RELEASED: "release of {at}",
    EditionCause.CHANGED: "change of {at}",
    EditionCause.FOUND: "state of {at}",
}
_MOST_LATER = 200


def title_of(cause: EditionCause, at: datetime) -> str:
    """What an edition is called."""
    return _WORDS[cause].format(at=moment(at))


def edition_out(edition: Edition) -> EditionOut:
    """An edition without what it holds."""
    return EditionOut.of(edition, at=edition.created_at, title=title_of(edition.cause, edition.created_at))


def differences_out(
    session: Session,
    challenge: Challenge,
    edition: Edition,
    board: LeaderboardOut,
    track: str,
    *,
    offset: int,
    limit: int,
) -> EditionDifferencesOut:
    """The places of a track in an edition beside those of `board`, which is as the asker sees it."""
    now = next(one for one in board.tracks if one.track == track)
    found = since(session, challenge, edition, board, now)
    later = later_than(session, challenge, edition, most=_MOST_LATER)
    return EditionDifferencesOut(
        challenge=board.challenge,
        phase=board.phase,
        track=track,
        at=board.at,
        edition=edition_out(edition),
        later=[edition_out(one) for one in later],
        moved=found.moved,
        total=len(found.teams),
        offset=offset,
        boards=list(found.boards),
        teams=list(found.teams[offset : offset + limit]),
    )
