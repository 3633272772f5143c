"""Who wins what, how sure that is, and how little would give the first prize to another."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from evaluator.comparison._entrants import Entrant
from evaluator.comparison._errors import influence_of
from evaluator.comparison._fewest import Departure, fewest_left_out
from evaluator.comparison._published import (
    CaseChange,
    CertainPlaces,
    PrizeAward,
    PrizeDecision,
    TrackComparison,
    WeightChange,
)
from evaluator.comparison._rank_sets import RankSets
from evaluator.comparison._weights import Shift, least_shift, nowhere_ahead
from evaluator.ranking import Ranks, Standing, Table, awards_of
from evaluator.spec import Ranking

_RIVALS = 5  # of whom it is asked how few subjects would put them first


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
    eligible = np.array([by_team[team].eligible for team in table.teams]) & np.isfinite(ranks.overall)
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
    first = np.flatnonzero(eligible & (ranks.places == ranks.places[eligible].min()))
    order = sorted(range(len(table.teams)), key=lambda team: (ranks.places[team], table.teams[team]))
    rivals = [team for team in order if eligible[team] and team not in first]
    shift, left_out, settled = None, None, False
    if len(first) == 1:
        settled = nowhere_ahead(ranks.boards, int(first[0]), rivals)
        shift = _shift(ranking, table, ranks, int(first[0]), rivals)
        left_out = _left_out(ranking, table, entrants, digests, int(first[0]), rivals[:_RIVALS])
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
    found: list[tuple[Shift, int]] = [
        (shift, rival)
        for rival in rivals
        if (shift := least_shift(weights, ranks.boards, leader, rival)) is not None
    ]
    if not found:
        return None
    shift, rival = min(found, key=lambda pair: pair[0].moved)
    return WeightChange(
        team=table.teams[rival],
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
) -> CaseChange | None:
    known = influence_of(ranking, table, entrants, digests)
    datasets = [found for found in known.values() if len({rows.shape[1] for rows in found.values()}) == 1]
    found: list[tuple[Departure, int]] = [
        (taken, rival)
        for rival in rivals
        if (taken := fewest_left_out(ranking, table, datasets, leader, rival)) is not None
    ]
    if not found:
        return None
    taken, rival = min(found, key=lambda pair: pair[0].total)
    boards = [dict.fromkeys(table.columns[column].board for column in influence) for influence in datasets]
    return CaseChange(
        team=table.teams[rival],
        subjects=taken.total,
        by_boards={", ".join(boards[number]): count for number, count in taken.subjects.items()},
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
