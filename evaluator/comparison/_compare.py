"""Everything there is to say about how sure one track's ranking is."""

from collections.abc import Mapping, Sequence

import numpy as np

from evaluator.comparison._entrants import Entrant
from evaluator.comparison._families import families
from evaluator.comparison._places import kendall_tau
from evaluator.comparison._published import (
    BoardComparison,
    CertainPlaces,
    LeftOut,
    ReorderedPair,
    RuleVariant,
    Stability,
    TrackComparison,
)
from evaluator.comparison._published_pairs import MetricTests
from evaluator.comparison._rank_sets import Pairs
from evaluator.comparison._tests import tested_column
from evaluator.comparison._track import Track
from evaluator.comparison._what_if import leave_one_out, rule_sensitivity
from evaluator.ranking import Ranks, Table
from evaluator.spec import Board, Ranking


def compare_track(
    ranking: Ranking, boards: Mapping[str, Board], entrants: Sequence[Entrant], *, level: float = 0.95
) -> TrackComparison:
    """Rank intervals, chances of places, groups, tests and what-ifs of one track; baselines take no part.

    Deterministic: every draw depends on the digests of the datasets alone.

    Raises:
        evaluator.ranking.RankingError: nobody to rank, reports of different datasets or made with different
            bootstraps, or a rule over single cases and reports without them.
    """
    track = Track.of(ranking, boards, entrants, level)
    drawn, tests = track.drawn(), board_tests(track, {})
    return TrackComparison(
        level=level,
        replicates=0 if track.paired is None else len(track.paired.values),
        datasets=dict(track.digests),
        overall=track.overall(drawn),
        leads=track.leads(),
        boards={
            name: BoardComparison(teams=track.board(name, drawn), tests=tests[name])
            for name in boards
            if name in track.digests
        },
        stability=_stability(track, drawn),
        prizes=track.prizes(),
        weight_space=track.weight_space(),
        leave_one_out=left_out(ranking, track.table),
        sensitivity=variants(ranking, track.table),
        warnings=track.warnings(),
        notes=track.notes(),
    )


def certain_places(
    ranking: Ranking, boards: Mapping[str, Board], entrants: Sequence[Entrant], *, level: float = 0.95
) -> CertainPlaces:
    """What of `compare_track` a leaderboard shows: sets of places, prizes and weights, in a fraction of the time.

    Raises:
        evaluator.ranking.RankingError: as `compare_track`.
    """
    track = Track.of(ranking, boards, entrants, level)
    return CertainPlaces(
        level=level,
        overall=track.overall(),
        boards={name: track.board(name) for name in boards if name in track.digests},
        prizes=track.prizes(),
        weight_space=track.weight_space(),
        warnings=track.warnings(),
        notes=track.notes(resamples=False),
    )


def board_tests(track: Track, listed: Mapping[str, Pairs]) -> dict[str, dict[str, MetricTests]]:
    """The tests of all metrics of the boards that have a report; of the pairs that are `listed` by board, or all."""
    columns = [
        (number, column) for number, column in enumerate(track.table.columns) if column.board in track.digests
    ]
    tested = {
        number: tested_column(
            track.ranking,
            track.boards[column.board],
            track.table,
            number,
            track.entrants,
            digest=track.digests[column.board],
            level=track.level,
        )
        for number, column in columns
    }
    by_column = {number: listed[column.board] for number, column in columns if column.board in listed}
    found: dict[str, dict[str, MetricTests]] = {name: {} for name in track.digests}
    published = families(track.ranking, track.table, tested, track.level, by_column)
    for number, column in columns:
        found[column.board][column.metric] = published[number]
    return found


def _stability(track: Track, drawn: Ranks | None) -> Stability | None:
    if drawn is None:
        return None
    ranks, level = track.ranks, track.level
    taus = kendall_tau(drawn.places, ranks.places)
    taus = taus[np.isfinite(taus)]
    if not len(taus):
        return None
    low, high = np.quantile(taus, [(1 - level) / 2, (1 + level) / 2])
    winners = ranks.places == 1
    kept = ((drawn.places == 1) == winners).all(axis=1).mean()
    return Stability(mean=float(taus.mean()), low=float(low), high=float(high), same_winner=float(kept))


def left_out(ranking: Ranking, table: Table) -> tuple[LeftOut, ...]:
    """The places without each team in turn."""
    return tuple(
        LeftOut(
            team=absence.team,
            places=absence.places,
            reordered=tuple(
                ReorderedPair(teams=pair.teams, before=pair.before, after=pair.after)
                for pair in absence.reordered
            ),
        )
        for absence in leave_one_out(ranking, table)
    )


def variants(ranking: Ranking, table: Table) -> tuple[RuleVariant, ...]:
    """The places under each other rule."""
    return tuple(
        RuleVariant(
            change=variant.change,
            tau=variant.tau if np.isfinite(variant.tau) else None,
            places={team: int(place) for team, place in zip(table.teams, variant.places, strict=True)},
        )
        for variant in rule_sensitivity(ranking, table)
    )
