"""What ranked teams have no value for, in sentences: who is last on a board should know whether that is why."""

from collections.abc import Iterator, Mapping, Sequence

from evaluator.ranking import Row, Standing, Standings
from evaluator.spec import Board

_SHOWN = 200  # characters of a list


def lacking(boards: Mapping[str, Board], rows: Sequence[Row], standings: Standings) -> Iterator[str]:
    """A sentence for each ranked team without a value that another ranked team of its track has.

    Args:
        boards: the challenge's.
        rows: the scores that were ranked.
        standings: what came of them.
    """
    there = {(row.track, row.team, row.board, row.metric) for row in rows}
    for track, found in standings.tracks.items():
        ranked = [one for one in found if one.placement is not None]
        for one in ranked:
            absent = list(_absent(boards, track, one, ranked, there))
            if absent:
                listed = ", ".join(absent)
                cut = listed if len(listed) <= _SHOWN else f"{listed[:_SHOWN]}…"
                yield f"{track} track: {one.team} has no value for {cut}"


def _absent(
    boards: Mapping[str, Board],
    track: str,
    one: Standing,
    ranked: Sequence[Standing],
    there: set[tuple[str, str, str, str]],
) -> Iterator[str]:
    for name, board in boards.items():
        known = [key for key in board.metrics if any(other.values[name][key] is not None for other in ranked)]
        missing = [key for key in known if one.values[name][key] is None]
        if not any((track, one.team, name, key) in there for key in known) and known:
            yield f"all of {name} (nothing was given)"
        else:
            yield from (f"{key} of {name} ({_why(there, track, one, name, key)})" for key in missing)


def _why(there: set[tuple[str, str, str, str]], track: str, one: Standing, board: str, key: str) -> str:
    return "no number" if (track, one.team, board, key) in there else "nothing was given"
