"""One track with all that is known of how sure its places are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Self

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
from evaluator.comparison._places import Places, probability_of_top, rank_intervals, tie_groups
from evaluator.comparison._prizes import decide
from evaluator.comparison._published import PrizeDecision, TeamPlace
from evaluator.comparison._published_pairs import RankLead
from evaluator.comparison._rank_sets import Pairs, RankSets
from evaluator.comparison._resamples import case_counts, resampled_values
from evaluator.comparison._seeds import probes_agree
from evaluator.comparison._sure import SurePlaces, sure_places
from evaluator.comparison._warnings import PlaceWarning, concerning, warnings_of
from evaluator.comparison._weights import weight_space
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
_SITES_APART = (
    "Whole sites are drawn on boards of several datasets, of each for itself: hospitals that gave cases to more than "
    "one move these boards together, and the places over all boards are then less sure than is said."
)


@dataclass(frozen=True)
class Track:
    """One track, ranked in full and in every replicate.

    resampled: (replicates, columns, teams) what the rule ranks in each replicate, None without replicates. sure: which
    places cannot be excluded.
    """

    ranking: Ranking
    boards: Mapping[str, Board]
    table: Table
    ranks: Ranks
    digests: Mapping[str, str]
    paired: Paired | None
    resampled: Values | None
    errors: Errors
    sure: SurePlaces
    entrants: Sequence[Entrant]
    level: float

    @classmethod
    def of(
        cls, ranking: Ranking, boards: Mapping[str, Board], entrants: Sequence[Entrant], level: float
    ) -> Self:
        """The track of some teams; baselines take no part.

        Raises:
            evaluator.ranking.RankingError: nobody to rank, reports of different datasets or made with different
                bootstraps or seeds, or a rule over single cases and reports without them.
        """
        digests = datasets_of(entrants)
        bootstraps_of(entrants)
        probes_agree(entrants)
        table = Table.of(boards, rows_of("", entrants))
        if not table.teams:
            raise RankingError("no team has a value, so there is nothing to compare")
        paired = paired_replicates(table, entrants)
        resampled = _resampled(ranking, table, paired, digests)
        errors = errors_of(ranking, table, entrants, digests, resampled)
        ranks = table.ranks(ranking)
        sure = sure_places(ranking, table, ranks, errors, level)
        return cls(ranking, boards, table, ranks, digests, paired, resampled, errors, sure, entrants, level)

    def drawn(self) -> Ranks | None:
        """The ranks in every replicate."""
        if self.resampled is None:
            return None
        return rank_values(self.ranking, ranked_columns(self.ranking, self.table.columns), self.resampled)

    def overall(self, drawn: Ranks | None = None) -> tuple[TeamPlace, ...]:
        """The places over all boards, best first; with `drawn` also where the teams stand in the replicates."""
        shown = list(range(len(self.table.teams)))
        places = None if drawn is None else drawn.places
        return self._places(shown, self.ranks.places, self.ranks.overall, self.sure.overall, places)

    def board(self, name: str, drawn: Ranks | None = None) -> tuple[TeamPlace, ...]:
        """The places of the teams that have something on a board, best first; `drawn` as in `overall`."""
        number = list(self.boards).index(name)
        mine = [number for number, column in enumerate(self.table.columns) if column.board == name]
        has_board = np.isfinite(self.table.values[mine]).any(axis=0)
        full = np.where(has_board, self.ranks.boards[number], np.nan)
        places = None
        if drawn is not None and self._varies(name):
            places = whole_places(np.where(has_board, drawn.boards[:, number], np.nan), self.ranking)
        shown = np.flatnonzero(has_board).tolist()
        return self._places(shown, whole_places(full, self.ranking), full, self.sure.boards[name], places)

    def leads(self, listed: Pairs | None = None) -> tuple[RankLead, ...]:
        """By how much each team is ahead of each behind it in the mean ranks over all boards, best first.

        listed: (teams, teams) which pairs are told of; all if None.
        """
        means, teams, places = self.ranks.overall, self.table.teams, self.ranks.places
        known = np.flatnonzero(np.isfinite(means)).tolist()
        ranked = sorted(known, key=lambda team: (places[team], teams[team]))
        bounds = None if self.sure.overall is None or self.sure.by_value else self.sure.overall.leads(means)
        most = len(teams) - 1
        return tuple(
            RankLead(
                teams=(teams[one], teams[other]),
                lead=float(means[other] - means[one]),
                low=_end(bounds and bounds[0], one, other, most),
                high=_end(bounds and bounds[1], one, other, most),
            )
            for one, other in combinations(ranked, 2)
            if listed is None or listed[one, other]
        )

    def _varies(self, board: str) -> bool:
        """Whether some metric of a board has replicates; else the places are the same in each."""
        reports = (entrant.reports[board] for entrant in self.entrants if board in entrant.reports)
        return any(metric.replicates for report in reports for metric in report.metrics.values())

    def _places(
        self,
        shown: list[int],
        places: Places,
        overall: Values,
        sets: RankSets | None,
        drawn: Places | None,
    ) -> tuple[TeamPlace, ...]:
        teams = self.table.teams
        sure = [{} for _ in teams] if sets is None else _sure(overall, sets)
        resampled = [{} for _ in teams] if drawn is None else _resampled_places(drawn, self.level)
        return tuple(
            TeamPlace(team=teams[number], place=int(places[number]), **sure[number], **resampled[number])
            for number in sorted(shown, key=lambda team: (places[team], teams[team]))
        )

    def prizes(self) -> PrizeDecision | None:
        """Who wins what, and how sure that is."""
        found = decide(self.ranking, self.table, self.ranks, self.sure.overall, self.entrants, self.digests)
        if found is None:
            return None
        warned = concerning(self.warnings(), [award.team for award in found.awards])
        return found.model_copy(update={"warnings": warned if found.awards else ()})

    def warnings(self) -> tuple[PlaceWarning, ...]:
        """What takes meaning from the places."""
        scored = {name: board for name, board in self.boards.items() if name in self.digests}
        return warnings_of(scored, self.table.teams, self.entrants)

    def weight_space(self) -> dict[str, float]:
        """Share of the weights around the declared ones under which each team is first."""
        names = dict.fromkeys(column.board for column in self.table.columns)
        weights = np.array([self.ranking.weights.get(name, 0.0) for name in names])
        return dict(zip(self.table.teams, weight_space(weights, self.ranks.boards).tolist(), strict=True))

    def notes(self, *, resamples: bool = True) -> tuple[str, ...]:
        """What is to be said of the places; resamples: of those in the resamples, too."""
        found = []
        if resamples and self.paired is None:
            found.append(_NO_REPLICATES)
        if resamples and self.paired is not None and self.paired.fixed:
            found.append(f"Without replicates, and fixed in every one: {self._titles(self.paired.fixed)}.")
        if self.errors.unknown:
            found.append(_UNKNOWN.format(self._titles(self.errors.unknown)))
        if self.errors.resampled and not self.ranking.needs_cases:
            found.append(_RESAMPLED.format(self._titles(self.errors.resampled)))
        if self.paired is not None and self.ranking.needs_cases and self.table.cases:
            found.append(_CASES_ALONE)
        drawn = bootstraps_of(self.entrants)
        if len({self.digests[name] for name, how in drawn.items() if how.unit == "site"}) > 1:
            found.append(_SITES_APART)
        return tuple(found)

    def _titles(self, columns: Sequence[Column]) -> str:
        return ", ".join(
            f"{self.boards[column.board].metrics[column.metric].title or column.metric} of {column.board}"
            for column in columns
        )


def _resampled(
    ranking: Ranking, table: Table, paired: Paired | None, digests: Mapping[str, str]
) -> Values | None:
    """What the rule ranks in each replicate, (replicates, columns, teams)."""
    if paired is None:
        return None
    counts = case_counts(table, len(paired.values), digests) if ranking.needs_cases else {}
    return resampled_values(ranking, table, paired.values, counts)


def _end(ends: Values | None, one: int, other: int, most: float) -> float | None:
    """The end for a pair, within what mean ranks can differ by; None where draws are too few to say."""
    if ends is None or not np.isfinite(ends[one, other]):
        return None
    return float(np.clip(ends[one, other], -most, most))


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
