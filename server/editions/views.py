"""Editions as they leave."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from contract.editions import EditionCause, EditionDifferencesOut, EditionOut
from contract.leaderboard import LeaderboardOut
from contract.problems import ErrorCode
from server.challenges.models import Challenge
from server.editions.differences import Teams, named_teams, since
from server.editions.models import BoardThen, Edition, PlaceThen
from server.editions.service import later_than
from server.errors import Unprocessable
from server.words import moment

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


def whole_out(edition: Edition, teams: Teams) -> dict[str, Any]:
    """An edition with its places and boards, as JSON; a team that is no longer listed has no name and no values."""
    tracks = {
        track: _track(then, edition.boards.tracks.get(track, {}), named_teams(teams, then))
        for track, then in edition.places.tracks.items()
    }
    return {**edition_out(edition).model_dump(mode="json"), "tracks": tracks}


def _track(
    then: Sequence[PlaceThen], boards: Mapping[str, BoardThen], names: Mapping[str, str]
) -> dict[str, Any]:
    places = [
        {**one._asdict(), "team": names[one.team]}
        if one.team in names
        else {"team": None, "place": one.place}
        for one in then
    ]
    return {
        "places": places,
        "boards": {
            name: {
                "metrics": board.metrics,
                "entries": [
                    {**one._asdict(), "team": names[one.team]} for one in board.entries if one.team in names
                ],
            }
            for name, board in boards.items()
        },
    }


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
    now = next((one for one in board.tracks if one.track == track), None)
    if now is None:  # another file has come since it was asked for
        raise Unprocessable(ErrorCode.UNKNOWN_TRACK, f"The leaderboard has no track {track!r} any more.")
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
