"""Who wins what, how sure that is, and how little would give the first prize to another."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from evaluator.comparison._entrants import Entrant, bootstraps_of
from evaluator.comparison._errors import influence_of
from evaluator.comparison._fewest import fewest_left_out
from evaluator.comparison._places import first_among
from evaluator.comparison._published import (
    CaseChange,
    CertainPlaces,
    PrizeAward,
    PrizeDecision,
    TrackComparison,
    WeightChange,
)
from evaluator.comparison._rank_sets import RankSets
from evaluator.comparison._weights import nowhere_ahead, shift_to_another
from evaluator.ranking import Ranks, Standing, Table, awards_of
from evaluator.spec import Bootstrap, Ranking

_RIVALS = 5  # that are helped to overtake the first by leaving out subjects


def decide(
    ranking: Ranking,
    table: Table,
    ranks: Ranks,
    sets: RankSets | None,
    entrants: Sequence[Entrant],
    digests: Mapping[str, str],
) -> PrizeDecision | None:
    """The prizes of a track; None where the rule has none or nobody may win one.

    Args:
        ranking: the rule.
        table: the teams and columns.
        ranks: what the rule makes of them.
        sets: which places are sure over all boards, None where nothing is.
        entrants: who is eligible, and the reports.
        digests: by board, the digest of its dataset.
    """
    by_team = {entrant.team: entrant for entrant in entrants}
    may_win = np.array([by_team[team].eligible for team in table.teams])
    eligible = may_win & np.isfinite(ranks.overall)
    if not ranking.prizes_of_places or not eligible.any():
        return None
    ahead = None if sets is None else sets.ahead[np.ix_(eligible, eligible)]
    low, high = np.zeros(len(eligible), dtype=np.intp), np.zeros(len(eligible), dtype=np.intp)
    winners = np.zeros(len(eligible), dtype=np.bool_)
    if ahead is not None:
        low[eligible], high[eligible] = 1 + ahead.sum(axis=0), len(ahead) - ahead.sum(axis=1)
        winners = eligible & (low == 1)
    shares = ranking.shares_within_winners
    prizes = () if shares and ahead is None else ranking.prizes_of_places
    awards = awards_of(prizes, ranks.places, eligible, winners if shares else None)
    first = first_among(ranks.places, eligible)
    order = sorted(range(len(table.teams)), key=lambda team: (ranks.places[team], table.teams[team]))
    shift, left_out, settled = None, None, False
    if len(first) == 1:
        rivals = [team for team in order if may_win[team] and team not in first]
        nearest = [team for team in rivals if eligible[team]][:_RIVALS]
        settled = nowhere_ahead(ranks.boards, first[0], rivals)
        shift = _shift(ranking, table, ranks, first[0], rivals)
        left_out = _left_out(ranking, table, entrants, digests, first[0], nearest, may_win)
    return PrizeDecision(
        shared_within="winner_set" if shares else None,
        awards=tuple(
            PrizeAward(
                team=table.teams[team],
                prize=prize,
                low=None if ahead is None else int(low[team]),
                high=None if ahead is None else int(high[team]),
            )
            for team in order
            if (prize := awards[team].prize) is not None
        ),
        candidates=tuple(table.teams[team] for team in order if winners[team]),
        first=tuple(table.teams[team] for team in first),
        weights=shift,
        cases=left_out,
        under_any_weights=settled and bool(np.isfinite(ranks.boards).any(axis=1).sum() > 1),
    )


def _shift(
    ranking: Ranking, table: Table, ranks: Ranks, leader: int, rivals: Sequence[int]
) -> WeightChange | None:
    names = list(dict.fromkeys(column.board for column in table.columns))
    weights = np.array([ranking.weights.get(name, 0.0) for name in names])
    found = shift_to_another(ranking, weights, ranks.boards, leader, rivals)
    if found is None:
        return None
    shift, first = found
    return WeightChange(
        team=table.teams[first],
        moved=shift.moved,
        weights=dict(zip(names, shift.weights.tolist(), strict=True)),
        change=dict(zip(names, shift.change.tolist(), strict=True)),
    )


def _left_out(
    ranking: Ranking,
    table: Table,
    entrants: Sequence[Entrant],
    digests: Mapping[str, str],
    leader: int,
    rivals: Sequence[int],
    may_win: npt.NDArray[np.bool_],
) -> CaseChange | None:
    known = influence_of(ranking, table, entrants, digests)
    datasets = [found for found in known.values() if len({rows.shape[1] for rows in found.values()}) == 1]
    found = fewest_left_out(ranking, table, datasets, leader, rivals, may_win)
    if found is None:
        return None
    boards = [list(dict.fromkeys(table.columns[column].board for column in rows)) for rows in datasets]
    drawn = bootstraps_of(entrants)
    return CaseChange(
        team=table.teams[found.first],
        subjects=found.total,
        by_boards={", ".join(boards[number]): count for number, count in found.subjects.items()},
        units={
            ", ".join(boards[number]): drawn.get(boards[number][0], Bootstrap()).unit
            for number in found.subjects
        },
        exact=found.exact,
    )


def awarded(
    standings: Sequence[Standing], comparison: TrackComparison | CertainPlaces | None
) -> tuple[Standing, ...]:
    """The standings of a track with the prizes that its comparison decided, if it did."""
    if comparison is None or comparison.prizes is None:
        return tuple(standings)
    prizes = {award.team: award.prize for award in comparison.prizes.awards}
    return tuple(
        replace(standing, prize=prizes.get(standing.team) if standing.placement is not None else None)
        for standing in standings
    )
