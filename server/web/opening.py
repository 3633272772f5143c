"""Which track the pages of a leaderboard open with: the same one on all of them."""

from fastapi import Request
from sqlalchemy.orm import Session

from server.accounts.principals import User
from server.challenges.models import Challenge
from server.leaderboard.answers import board_for
from server.leaderboard.made import MadeTrack
from server.leaderboard.memory import Board
from server.leaderboard.service import require_visible


def opening_track(board: Board, named: str) -> MadeTrack:
    """The track that is named, else the first on which somebody has an entry, else the first."""
    tracks = board.made.tracks
    found = next((one for one in tracks if one.track == named), None)
    return found or next((one for one in tracks if one.unified), tracks[0])


def track_to_open(
    request: Request, session: Session, challenge: Challenge, phase: str, named: str, viewer: User | None
) -> str:
    """The same by its name, for pages that read no board; one that is named is not looked for.

    Raises:
        NotFound, Forbidden: the phase has no board that `viewer` may see.
    """
    if named:
        return named
    require_visible(session, challenge, phase, viewer)
    return opening_track(board_for(request, session, challenge, phase, viewer), named).track
