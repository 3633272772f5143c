"""Everything there is to say about how sure one track's ranking is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluator.comparison._entrants import (
    Entrant,
    Paired,
    bootstraps_of,
    datasets_of,
    paired_replicates,
    rows_of,
)
from evaluator.comparison._errors import Errors, errors_of
from evaluator.comparison._places import (
    Places,
    kendall_tau,
    probability_of_top,
    rank_intervals,
    tie_groups,
)
from evaluator.comparison._prizes import decide
from evaluator.comparison._published import (
    BoardComparison,
    LeftOut,
    ReorderedPair,
    RuleVariant,
    Stability,
    TeamPlace,
    TrackComparison,
)
from evaluator.comparison._rank_sets import RankSets
from evaluator.comparison._resamples import case_counts, resampled_values
from evaluator.comparison._sure import SurePlaces, sure_places
from evaluator.comparison._tests import metric_tests
from evaluator.comparison._weights import weight_space
from evaluator.comparison._what_if import leave_one_out, rule_sensitivity
from evaluator.ranking import (
    Column,
    RankingError,
    Ranks,
    Table,
    Values,
    rank_values,
    ranked_columns,
    whole_places,
)
from evaluator.spec import Board, Ranking

_CASES_ALONE = (
    "The rule is over single cases: for the intervals, cases were drawn as if each were its own subject."
)
_NO_REPLICATES = (
    "The scores hold no replicates, so no ranking is repeated on resamples: "
    "a bootstrap needs two subjects in some stratum."
)
_UNKNOWN = (
    "No places can be excluded where one of these counts, for reports do not say how far it moves (neither influence "
    "values nor replicates): {}. Score again to have both kept."
)
_RESAMPLED = (
    "Which places can be excluded comes from the resamples, and not from influence values, for: {}. Some metric on "
    "those cases has no influence values, or seeds are drawn with the cases."
)


@dataclass(frozen=True)
class _Track:
    """One track, ranked in full and in every replicate; `drawn` is None without replicates.

    sure: which places cannot be excluded. varies: the boards of which some metric has replicates; the places of others
    are the same in each.
    """

    ranking: Ranking
    table: Table
    ranks: Ranks
    sure: SurePlaces
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
    resampled = _resampled(ranking, table, paired, digests)
    errors = errors_of(ranking, table, entrants, digests, resampled)
    ranks = table.ranks(ranking)
    track = _Track(
        ranking,
        table,
        ranks,
        sure_places(ranking, table, ranks, errors, level),
        None
        if resampled is None
        else rank_values(ranking, ranked_columns(ranking, table.columns), resampled),
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
        prizes=decide(ranking, table, ranks, track.sure.overall, entrants, digests),
        weight_space=_weight_space(ranking, table, ranks),
        leave_one_out=_left_out(ranking, table),
        sensitivity=_variants(ranking, table),
        notes=_notes(ranking, paired, table, errors),
    )


def _varying(entrants: Sequence[Entrant]) -> frozenset[str]:
    return frozenset(
        board
        for entrant in entrants
        for board, report in entrant.reports.items()
        if any(found.replicates for found in report.metrics.values())
    )


def _resampled(
    ranking: Ranking, table: Table, paired: Paired | None, digests: Mapping[str, str]
) -> Values | None:
    """What the rule ranks in each replicate, (replicates, columns, teams)."""
    if paired is None:
        return None
    counts = case_counts(table, len(paired.values), digests) if ranking.needs_cases else {}
    return resampled_values(ranking, table, paired.values, counts)


def _overall(track: _Track) -> tuple[TeamPlace, ...]:
    drawn = None if track.drawn is None else track.drawn.places
    shown = list(range(len(track.table.teams)))
    return _places(track, shown, track.ranks.places, track.ranks.overall, track.sure.overall, drawn)


def _board(track: _Track, number: int, name: str, board: Board, digest: str) -> BoardComparison:
    table, ranking = track.table, track.ranking
    mine = [number for number, column in enumerate(table.columns) if column.board == name]
    has_board = np.isfinite(table.values[mine]).any(axis=0)
    full = np.where(has_board, track.ranks.boards[number], np.nan)
    drawn = None
    if track.drawn is not None and name in track.varies:
        drawn = whole_places(np.where(has_board, track.drawn.boards[:, number], np.nan), ranking)
    shown = np.flatnonzero(has_board).tolist()
    return BoardComparison(
        teams=_places(track, shown, whole_places(full, ranking), full, track.sure.boards[name], drawn),
        tests={
            table.columns[column].metric: metric_tests(
                ranking, board, table, column, track.entrants, digest=digest, level=track.level
            )
            for column in mine
        },
    )


def _places(
    track: _Track,
    shown: list[int],
    places: Places,
    overall: Values,
    sets: RankSets | None,
    drawn: Places | None,
) -> tuple[TeamPlace, ...]:
    """The teams `shown`, best first; drawn: their places in every replicate."""
    teams = track.table.teams
    sure = [{} for _ in teams] if sets is None else _sure(overall, sets)
    resampled = [{} for _ in teams] if drawn is None else _resampled_places(drawn, track.level)
    return tuple(
        TeamPlace(team=teams[number], place=int(places[number]), **sure[number], **resampled[number])
        for number in sorted(shown, key=lambda team: (places[team], teams[team]))
    )


def _sure(overall: Values, sets: RankSets) -> list[dict[str, Any]]:
    """What the sets say of each team."""
    groups = tie_groups(overall, sets.apart)
    return [
        {
            "low": low,
            "high": high,
            "alone_low": alone_low,
            "alone_high": alone_high,
            "winner": low == 1,
            "among_three": "surely" if high <= 3 else "possibly" if low <= 3 else "no",
            "group": group,
        }
        for low, high, alone_low, alone_high, group in np.stack(
            [sets.low, sets.high, sets.alone_low, sets.alone_high, groups], axis=1
        ).tolist()
    ]


def _resampled_places(drawn: Places, level: float) -> list[dict[str, Any]]:
    """Where each team stands in the resamples."""
    low, high = rank_intervals(drawn, level)
    first, top3 = probability_of_top(drawn, 1), probability_of_top(drawn, 3)
    found = zip(low.tolist(), high.tolist(), first.tolist(), top3.tolist(), strict=True)
    return [
        {"range_low": one, "range_high": other, "first": best, "top3": among}
        for one, other, best, among in found
    ]


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


def _weight_space(ranking: Ranking, table: Table, ranks: Ranks) -> dict[str, float]:
    names = dict.fromkeys(column.board for column in table.columns)
    shares = weight_space(np.array([ranking.weights.get(name, 0.0) for name in names]), ranks.boards)
    return dict(zip(table.teams, shares.tolist(), strict=True))


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


def _notes(ranking: Ranking, paired: Paired | None, table: Table, errors: Errors) -> tuple[str, ...]:
    notes = []
    if paired is None:
        notes.append(_NO_REPLICATES)
    elif paired.fixed:
        notes.append(f"Without replicates, and fixed in every one: {', '.join(paired.fixed)}.")
    if errors.unknown:
        notes.append(_UNKNOWN.format(_listed(errors.unknown)))
    if errors.resampled and not ranking.needs_cases:
        notes.append(_RESAMPLED.format(_listed(errors.resampled)))
    if paired is not None and ranking.needs_cases and table.cases:
        notes.append(_CASES_ALONE)
    return tuple(notes)


def _listed(columns: Sequence[Column]) -> str:
    return ", ".join(f"{column.metric} of {column.board}" for column in columns)
