"""Standings of every track: the rule applied, then told team by team."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from evaluator.ranking._prizes import awards_of, leaders_of
from evaluator.ranking._rows import (
    RankingError,
    Row,
    TeamValues,
    by_team,
    check_rows,
    check_values,
    number_of,
)
from evaluator.ranking._rule import Column
from evaluator.ranking._standings import Standing, Standings
from evaluator.ranking._table import Table
from evaluator.ranking._ties import Values
from evaluator.spec import Board, Ranking


def rank(ranking: Ranking, boards: Mapping[str, Board], rows: Sequence[Row]) -> Standings:
    """Places within each track.

    Per metric, teams are ranked by value in the metric's direction; a team without the value shares the
    place after those that have one. A board's rank is the mean of its metric ranks, ranked again if the rule
    says so; the weighted mean over boards gives the places. Baselines are shown without a rank and move
    nobody. Teams that may win no prize are ranked and marked; prizes go to the best of the others, but for those that
    are shared within the winner set (`evaluator.comparison.awarded`): values alone do not tell it.
    A team appears if at least one of its values in the track is a number.

    Raises:
        RankingError: unknown board or metric, a row twice, an infinite value, weights that add up to nothing,
            or a rule over single cases and scores without them.
    """
    check_rows(boards, rows)
    _require_weight(ranking, boards)
    tracks: dict[str, list[Row]] = {}
    for row in rows:
        tracks.setdefault(row.track, []).append(row)
    return Standings({track: _of_rows(ranking, boards, scores) for track, scores in tracks.items()})


def rank_track(
    ranking: Ranking,
    boards: Mapping[str, Board],
    values: TeamValues,
    *,
    baselines: Collection[str] = (),
    ineligible: Collection[str] = (),
) -> tuple[Standing, ...]:
    """Places within one track, as `rank` gives them, from values that are in order by team, board and metric already.

    Args:
        ranking: the rule; none over single cases, which are not among the values.
        boards: of the challenge.
        values: by team, board and metric; None or NaN where there is none, and what is not there counts as that.
        baselines: teams that are shown without a rank and move nobody.
        ineligible: teams that may win no prize.

    Raises:
        RankingError: an unknown board or metric, an infinite value, or weights that add up to nothing.
    """
    check_values(boards, values)
    _require_weight(ranking, boards)
    ranked = {team: found for team, found in values.items() if team not in baselines}
    table = Table.of_values(boards, ranked)
    return _standings(ranking, boards, table, _shown(boards, values), baselines, ineligible)


def _require_weight(ranking: Ranking, boards: Mapping[str, Board]) -> None:
    if not math.fsum(ranking.weights.get(board, 0) for board in boards) > 0:
        raise RankingError("the weights of the boards add up to 0")


def _of_rows(ranking: Ranking, boards: Mapping[str, Board], rows: Sequence[Row]) -> tuple[Standing, ...]:
    baselines = {row.team for row in rows if row.is_baseline}
    ineligible = {row.team for row in rows if not row.eligible}
    shown = _shown(boards, by_team(rows))
    return _standings(ranking, boards, Table.of(boards, rows), shown, baselines, ineligible)


def _standings(
    ranking: Ranking,
    boards: Mapping[str, Board],
    table: Table,
    shown: TeamValues,
    baselines: Collection[str],
    ineligible: Collection[str],
) -> tuple[Standing, ...]:
    ranked = _ranked(ranking, boards, table, shown, ineligible) if table.teams else []
    beside = [team for team in sorted(baselines) if team in shown and _has_any(shown[team])]
    return (*ranked, *(_baseline(boards, team, shown[team], team not in ineligible) for team in beside))


def _has_any(values: Mapping[str, Mapping[str, float | None]]) -> bool:
    return any(value is not None for found in values.values() for value in found.values())


def _shown(boards: Mapping[str, Board], values: TeamValues) -> TeamValues:
    """Every metric of every board, None where there is no number."""
    absent = {name: dict.fromkeys(board.metrics) for name, board in boards.items()}
    return {
        team: {
            name: {**absent[name], **{key: number_of(value) for key, value in found[name].items()}}
            if name in found
            else absent[name]
            for name in boards
        }
        for team, found in values.items()
    }


def _ranked(
    ranking: Ranking,
    boards: Mapping[str, Board],
    table: Table,
    shown: TeamValues,
    ineligible: Collection[str],
) -> list[Standing]:
    ranks = table.ranks(ranking)
    eligible = np.array([team not in ineligible for team in table.teams])
    counts = np.isfinite(ranks.overall)  # a team may have values on boards without weight only
    # Who shares within the winner set is known only to who knows how sure the places are.
    prizes = () if ranking.shares_within_winners else ranking.prizes_of_places
    awards = awards_of(prizes, ranks.places, eligible & counts)
    first = leaders_of(ranks.places.astype(np.float64), eligible)
    first_on = {name: leaders_of(row, eligible) for name, row in zip(boards, ranks.boards, strict=True)}
    metrics, tasks, overall = _numbers(ranks.metrics.T), _numbers(ranks.boards.T), _numbers(ranks.overall)
    by_place = sorted(enumerate(table.teams), key=lambda pair: (ranks.places[pair[0]], pair[1]))
    return [
        Standing(
            team=team,
            baseline=False,
            eligible=team not in ineligible,
            values=shown[team],
            metric_ranks=_by_board(table.columns, metrics[number]),
            task_ranks=dict(zip(boards, tasks[number], strict=True)),
            overall=overall[number],
            placement=int(ranks.places[number]),
            eligible_placement=awards[number].eligible_placement,
            prize=awards[number].prize,
            first=bool(first[number]),
            first_on=tuple(name for name, leads in first_on.items() if leads[number]),
        )
        for number, team in by_place
    ]


def _by_board(columns: Sequence[Column], ranks: Sequence[float | None]) -> dict[str, dict[str, float | None]]:
    boards: dict[str, dict[str, float | None]] = {}
    for column, place in zip(columns, ranks, strict=True):
        boards.setdefault(column.board, {})[column.metric] = place
    return boards


def _numbers(ranks: Values) -> Any:
    """As lists of the same shape, with None for what is no number."""
    told = ranks.astype(object)
    told[~np.isfinite(ranks)] = None
    return told.tolist()


def _baseline(
    boards: Mapping[str, Board],
    team: str,
    values: Mapping[str, Mapping[str, float | None]],
    eligible: bool,
) -> Standing:
    return Standing(
        team=team,
        baseline=True,
        eligible=eligible,
        values=values,
        metric_ranks={name: dict.fromkeys(board.metrics) for name, board in boards.items()},
        task_ranks=dict.fromkeys(boards),
        overall=None,
        placement=None,
    )
