"""What stands behind the places of a track, bounded so that it can be kept for 500 teams on seven boards."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from evaluator.comparison._compare import board_tests, left_out, variants
from evaluator.comparison._entrants import Entrant
from evaluator.comparison._places import Places, kendall_tau
from evaluator.comparison._published import LeftOut, RuleVariant
from evaluator.comparison._published_pairs import MetricTests, RankLead
from evaluator.comparison._rank_sets import Pairs
from evaluator.comparison._track import Track
from evaluator.comparison._what_if import without_each_board
from evaluator.frozen import Model
from evaluator.ranking import Values
from evaluator.spec import Board, Ranking

MOST_WHOLE = 50
"""Teams of whom every pair is listed, and each is left out in turn: as many as a report lists pairs of."""
_FIRST = 20
_SOME = (
    f"Of more than {MOST_WHOLE} teams these pairs are listed: those of the first {_FIRST}, of teams next to each "
    "other, and of each with the first, over all boards and on each board. All pairs are corrected for."
)


class WithoutBoard(Model):
    """The places if a board had no weight, and Kendall's tau-b with the places under the challenge's own weights."""

    board: str
    tau: float | None
    places: dict[str, int]


class PlacesBehind(Model):
    """What stands behind the places of a track; the fields are those of `TrackComparison`, and without_board.

    Of more than 50 teams only those pairs are listed that somebody asks for: of the first 20, of neighbours,
    and of each with the first; `pairs` says so, and is None where all are. Of so many none is left out in turn.
    """

    level: float
    datasets: dict[str, str]
    leads: tuple[RankLead, ...]
    tests: dict[str, dict[str, MetricTests]]
    pairs: str | None
    without_board: tuple[WithoutBoard, ...]
    leave_one_out: tuple[LeftOut, ...]
    sensitivity: tuple[RuleVariant, ...]
    notes: tuple[str, ...]


def places_behind(
    ranking: Ranking, boards: Mapping[str, Board], entrants: Sequence[Entrant], *, level: float = 0.95
) -> PlacesBehind:
    """Tests between teams, and what other weights, rules and teams would make of the places; baselines take no part.

    Raises:
        evaluator.ranking.RankingError: as `compare_track`.
    """
    track = Track.of(ranking, boards, entrants, level)
    whole = len(track.table.teams) <= MOST_WHOLE
    overall = None if whole else _listed(track.ranks.overall)
    by_board = {} if whole else dict(zip(boards, map(_listed, track.ranks.boards), strict=True))
    return PlacesBehind(
        level=level,
        datasets=dict(track.digests),
        leads=track.leads(overall),
        tests=board_tests(track, by_board),
        pairs=None if whole else _SOME,
        without_board=tuple(_without(track)),
        leave_one_out=left_out(ranking, track.table) if whole else (),
        sensitivity=variants(ranking, track.table),
        notes=track.notes(resamples=False),
    )


def _listed(means: Values) -> Pairs:
    """Which pairs somebody asks for among many teams with these mean ranks, (teams, teams)."""
    listed = np.zeros((len(means), len(means)), dtype=np.bool_)
    order = _best_first(means)
    listed[np.ix_(order[:_FIRST], order[:_FIRST])] = True
    listed[order[:1], order] = True
    listed[order[:-1], order[1:]] = True
    either: Pairs = listed | listed.T
    return either


def _best_first(means: Values) -> Places:
    """The numbers of the teams that have a mean rank."""
    order = np.argsort(means, kind="stable")
    return order[np.isfinite(means[order])]


def _without(track: Track) -> Iterator[WithoutBoard]:
    for board, places in without_each_board(track.ranking, track.table).items():
        tau = float(kendall_tau(places[None], track.ranks.places)[0])
        yield WithoutBoard(
            board=board,
            tau=tau if np.isfinite(tau) else None,
            places=dict(zip(track.table.teams, places.tolist(), strict=True)),
        )
