"""What an edition holds, taken from the leaderboard as everybody sees it."""

import hashlib
from collections.abc import Mapping

from contract.leaderboard import BoardOut, EntryOut, LeaderboardOut, PlacesOut, TrackOut, UnifiedOut
from server.editions.models import BoardsThen, BoardThen, PlacesThen, PlaceThen, RankThen


def places_of(board: LeaderboardOut, ids: Mapping[str, str]) -> PlacesThen:
    """The places of every track; ids: of the teams, by their names."""
    tracks = {one.track: [_place(entry, ids) for entry in one.unified] for one in board.tracks if one.unified}
    return PlacesThen(tracks=tracks)


def boards_of(board: LeaderboardOut, ids: Mapping[str, str]) -> BoardsThen:
    """The ranks and values of every board that has an entry, as they are shown."""
    return BoardsThen(
        decimals=board.decimals,
        tracks={one.track: _boards(one, ids) for one in board.tracks if one.unified},
    )


def digest_of(places: PlacesThen, boards: BoardsThen) -> str:
    """The digest of the places, ranks and values. How sure they are is no part of it: it is worked out later."""
    bare = places.model_copy(
        update={
            "tracks": {
                track: [one._replace(low=None, high=None) for one in entries]
                for track, entries in places.tracks.items()
            }
        }
    )
    ranks = boards.model_copy(
        update={
            "tracks": {
                track: {name: _bare(one) for name, one in by_name.items()}
                for track, by_name in boards.tracks.items()
            }
        }
    )
    told = f"{bare.model_dump_json()}\n{ranks.model_dump_json()}"
    return "sha256:" + hashlib.sha256(told.encode()).hexdigest()


def _bare(board: BoardThen) -> BoardThen:
    entries = [one._replace(low=None, high=None) for one in board.entries]
    return board.model_copy(update={"entries": entries})


def _place(entry: UnifiedOut, ids: Mapping[str, str]) -> PlaceThen:
    return PlaceThen(ids[entry.team], entry.placement, entry.overall, *_span(entry.places))


def _boards(track: TrackOut, ids: Mapping[str, str]) -> dict[str, BoardThen]:
    return {one.board: _board(one, ids) for one in track.boards if one.entries}


def _board(board: BoardOut, ids: Mapping[str, str]) -> BoardThen:
    metrics = [metric.name for metric in board.metrics]
    return BoardThen(metrics=metrics, entries=[_rank(entry, metrics, ids) for entry in board.entries])


def _rank(entry: EntryOut, metrics: list[str], ids: Mapping[str, str]) -> RankThen:
    values = [entry.metrics[name].value for name in metrics]
    return RankThen(ids[entry.team], entry.rank, *_span(entry.places), values)


def _span(places: PlacesOut | None) -> tuple[int | None, int | None]:
    return (None, None) if places is None else (places.low, places.high)
