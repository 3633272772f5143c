"""What is said of a leaderboard that shows published results: whose places they are, and what is absent and why."""

from collections.abc import Iterator, Sequence

from contract.published import PublishedOut
from server.leaderboard.made import MadeTrack
from server.published.models import PublishedResults
from server.words import moment

_ABSENT = (
    "Intervals, sets of places, distributions, groups, receipts and bundles are made of single cases. None were "
    "published, so they are absent: how sure a place is cannot be told from these values."
)
_WHY = "Published values are rounded as a rule, so that digits which were not published may have decided."
_ROUNDING = 1e-9  # 2.75 may be stored as a number just below
_MOST = 12
"""Teams that one sentence names."""


def published_out(results: PublishedResults | None, tracks: Sequence[MadeTrack]) -> PublishedOut | None:
    """What is to be said of published results and of the places that `tracks` gives them; None where there are none."""
    if results is None:
        return None
    return PublishedOut(
        source=results.source,
        imported_at=results.created_at,
        digest=results.digest,
        sentences=list(_sentences(results, tracks)),
    )


def _sentences(results: PublishedResults, tracks: Sequence[MadeTrack]) -> Iterator[str]:
    source = "" if results.source is None else f" from {results.source}"
    yield (
        f"Published results, imported {moment(results.created_at)}{source}: nothing was run here. Places and ranks are "
        "those that the rule of the challenge file gives to the published values."
    )
    for track in tracks:
        if track.unified:
            yield from _of_track(track)
    yield _ABSENT


def _of_track(track: MadeTrack) -> Iterator[str]:
    yield from _of_places(track)
    ranks = [*_means(track), *_ranks(track)]
    if rounded := [text for text, by_rounding in ranks if by_rounding]:
        yield f"{_in(track)}these ranks were published with fewer digits: {_listed(rounded)}."
    if others := [text for text, by_rounding in ranks if not by_rounding]:
        yield f"{_in(track)}these ranks were published as others than they are here: {_listed(others)}. {_WHY}"


def _in(track: MadeTrack) -> str:
    return f"In the {track.track} track "


def _of_places(track: MadeTrack) -> Iterator[str]:
    told = [one for one in track.unified if one.published_placement is not None and one.placement is not None]
    moved = [one for one in told if one.placement != one.published_placement]
    if moved:
        named = [f"{one.team} {one.published_placement}, here {one.placement}" for one in moved]
        yield f"{_in(track)}these places were published as others than they are here: {_listed(named)}. {_WHY}"
    elif told:
        yield f"{_in(track)}all places are as they were published."


def _means(track: MadeTrack) -> Iterator[tuple[str, bool]]:
    """The mean ranks that were published as another number, and whether rounding explains it."""
    for one in track.unified:
        if _differ(one.published_overall, one.overall):
            named = f"{one.team} {one.published_overall:g}, here {one.overall:.2f}"
            yield named, _rounds(one.published_overall, one.overall)


def _ranks(track: MadeTrack) -> Iterator[tuple[str, bool]]:
    for board in (made.out for made in track.boards):
        for entry in board.entries:
            if _differ(entry.published_rank, entry.rank):
                named = f"{entry.team} on {board.board} {entry.published_rank:g}, here {entry.rank:.3g}"
                yield named, _rounds(entry.published_rank, entry.rank)


def _differ(published: float | None, ours: float | None) -> bool:
    """Whether two ranks are others as they are shown, with two decimals."""
    return published is not None and ours is not None and f"{published:.2f}" != f"{ours:.2f}"


def _rounds(published: float | None, ours: float | None) -> bool:
    """Whether `published` is `ours` rounded to the digits that it has."""
    if published is None or ours is None:
        return False
    digits = len(f"{published:.12g}".partition(".")[2])
    return abs(published - ours) <= 0.5 * 0.1**digits + _ROUNDING


def _listed(named: Sequence[str]) -> str:
    more = len(named) - _MOST
    return "; ".join([*named[:_MOST], *([f"and {more:,} more"] if more > 0 else [])])
