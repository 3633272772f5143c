"""Everything there is to say about how sure one track's ranking is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evaluator.comparison._entrants import (
    Entrant,
    Paired,
    bootstraps_of,
    datasets_of,
    paired_replicates,
    rows_of,
)
from evaluator.comparison._places import (
    Places,
    ahead,
    kendall_tau,
    probability_of_top,
    rank_intervals,
    tie_groups,
    told_apart,
)
from evaluator.comparison._published import (
    BoardComparison,
    LeftOut,
    ReorderedPair,
    RuleVariant,
    Stability,
    TeamPlace,
    TrackComparison,
)
from evaluator.comparison._resamples import case_counts, rank_resamples
from evaluator.comparison._tests import metric_tests
from evaluator.comparison._what_if import leave_one_out, rule_sensitivity
from evaluator.ranking import RankingError, Ranks, Table, Values, whole_places
from evaluator.spec import Board, Ranking

_CASES_ALONE = (
    "The rule is over single cases: for the intervals, cases were drawn as if each were its own subject."
)
_NO_REPLICATES = (
    "The scores hold no replicates, so there are no intervals of places and no groups: "
    "a bootstrap needs two subjects in some stratum."
)


@dataclass(frozen=True)
class _Track:
    """One track, ranked in full and in every replicate; `drawn` is None without replicates.

    varies: the boards of which some metric has replicates; the places of others are the same in each.
    """

    ranking: Ranking
    table: Table
    ranks: Ranks
    drawn: Ranks | None
    varies: frozenset[str]
    entrants: Sequence[Entrant]
    level: float


def compare_track(
    ranking: Ranking, boards: Mapping[str, Board], entrants: Sequence[Entrant], *, level: float = 0.95
) -> TrackComparison:
    """Rank intervals, chances of places, groups, tests and what-ifs of one track; baselines take no part.

    Deterministic: every draw depends on the digests of the datasets alone.

    Raises:
        evaluator.ranking.RankingError: nobody to rank, reports of different datasets or made with different
            bootstraps, or a rule over single cases and reports without them.
    """
    digests = datasets_of(entrants)
    bootstraps_of(entrants)
    table = Table.of(boards, rows_of("", entrants))
    if not table.teams:
        raise RankingError("no team has a value, so there is nothing to compare")
    paired = paired_replicates(table, entrants)
    track = _Track(
        ranking,
        table,
        table.ranks(ranking),
        _drawn(ranking, table, paired, digests),
        _varying(entrants),
        entrants,
        level,
    )
    return TrackComparison(
        level=level,
        replicates=0 if paired is None else len(paired.values),
        datasets=digests,
        overall=_overall(track),
        boards={
            name: _board(track, number, name, boards[name], digests[name])
            for number, name in enumerate(boards)
            if name in digests
        },
        stability=_stability(track),
        leave_one_out=_left_out(ranking, table),
        sensitivity=_variants(ranking, table),
        notes=_notes(ranking, paired, table),
    )


def _varying(entrants: Sequence[Entrant]) -> frozenset[str]:
    return frozenset(
        board
        for entrant in entrants
        for board, report in entrant.reports.items()
        if any(metric.replicates for metric in report.metrics.values())
    )


def _drawn(ranking: Ranking, table: Table, paired: Paired | None, digests: Mapping[str, str]) -> Ranks | None:
    if paired is None:
        return None
    counts = case_counts(table, len(paired.values), digests) if ranking.needs_cases else {}
    return rank_resamples(ranking, table, paired.values, counts)


def _overall(track: _Track) -> tuple[TeamPlace, ...]:
    drawn = None if track.drawn is None else (track.drawn.places, track.drawn.overall)
    return _places(track, list(range(len(track.table.teams))), track.ranks.places, track.ranks.overall, drawn)


def _board(track: _Track, number: int, name: str, board: Board, digest: str) -> BoardComparison:
    table, ranking = track.table, track.ranking
    mine = [number for number, column in enumerate(table.columns) if column.board == name]
    has_board = np.isfinite(table.values[mine]).any(axis=0)
    full = np.where(has_board, track.ranks.boards[number], np.nan)
    drawn = None
    if track.drawn is not None and name in track.varies:
        ranks = np.where(has_board, track.drawn.boards[:, number], np.nan)
        drawn = (whole_places(ranks, ranking), ranks)
    return BoardComparison(
        teams=_places(track, np.flatnonzero(has_board).tolist(), whole_places(full, ranking), full, drawn),
        tests={
            table.columns[column].metric: metric_tests(
                ranking, board, table, column, track.entrants, digest=digest, level=track.level
            )
            for column in mine
        },
    )


def _places(
    track: _Track, shown: list[int], places: Places, overall: Values, drawn: tuple[Places, Values] | None
) -> tuple[TeamPlace, ...]:
    """The teams `shown`, best first; drawn: places and what they come from in every replicate."""
    teams = track.table.teams
    chosen = sorted(shown, key=lambda team: (places[team], teams[team]))
    if drawn is None:
        return tuple(TeamPlace(team=teams[number], place=int(places[number])) for number in chosen)
    low, high = rank_intervals(drawn[0], track.level)
    first, top3 = probability_of_top(drawn[0], 1), probability_of_top(drawn[0], 3)
    groups = tie_groups(overall, told_apart(ahead(drawn[1]), track.level))
    return tuple(
        TeamPlace(
            team=teams[number],
            place=int(places[number]),
            low=int(low[number]),
            high=int(high[number]),
            first=float(first[number]),
            top3=float(top3[number]),
            group=int(groups[number]),
        )
        for number in chosen
    )


def _stability(track: _Track) -> Stability | None:
    if track.drawn is None:
        return None
    drawn, ranks, level = track.drawn, track.ranks, track.level
    taus = kendall_tau(drawn.places, ranks.places)
    taus = taus[np.isfinite(taus)]
    if not len(taus):
        return None
    low, high = np.quantile(taus, [(1 - level) / 2, (1 + level) / 2])
    winners = ranks.places == 1
    kept = ((drawn.places == 1) == winners).all(axis=1).mean()
    return Stability(mean=float(taus.mean()), low=float(low), high=float(high), same_winner=float(kept))


def _left_out(ranking: Ranking, table: Table) -> tuple[LeftOut, ...]:
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


def _variants(ranking: Ranking, table: Table) -> tuple[RuleVariant, ...]:
    return tuple(
        RuleVariant(
            change=variant.change,
            tau=variant.tau if np.isfinite(variant.tau) else None,
            places={team: int(place) for team, place in zip(table.teams, variant.places, strict=True)},
        )
        for variant in rule_sensitivity(ranking, table)
    )


def _notes(ranking: Ranking, paired: Paired | None, table: Table) -> tuple[str, ...]:
    notes = []
    if paired is None:
        notes.append(_NO_REPLICATES)
    elif paired.fixed:
        notes.append(f"Without replicates, and fixed in every one: {', '.join(paired.fixed)}.")
    if paired is not None and ranking.needs_cases and table.cases:
        notes.append(_CASES_ALONE)
    return tuple(notes)
