"""The ranking rule, for one track at a time."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evaluator.metrics.registry import lookup
from evaluator.ranking._rows import RankingError, Row, check_rows
from evaluator.ranking._standings import Standing, Standings
from evaluator.ranking._ties import tied_ranks, whole_places, with_missing
from evaluator.spec import Board, Ranking

Values = dict[str, dict[str, dict[str, float | None]]]  # team, board, metric


@dataclass(frozen=True)
class _Track:
    """The teams of one track that appear, with everything that was scored."""

    ranked: list[str]
    baselines: list[str]
    ineligible: frozenset[str]
    values: Values


def rank(ranking: Ranking, boards: Mapping[str, Board], rows: Sequence[Row]) -> Standings:
    """Places within each track.

    Per metric, teams are ranked by value in the metric's direction; a team without the value shares the
    place after those that have one. A board's rank is the mean of its metric ranks, ranked again if the rule
    says so; the weighted mean over boards gives the places. Baselines are shown without a rank and move
    nobody. A team appears if at least one of its values in the track is a number.

    Raises:
        RankingError: unknown board or metric, a row twice, an infinite value, weights that add up to nothing.
    """
    check_rows(boards, rows)
    if not math.fsum(ranking.weights.get(board, 0) for board in boards) > 0:
        raise RankingError("the weights of the boards add up to 0")
    tracks = {
        track: [row for row in rows if row.track == track]
        for track in dict.fromkeys(row.track for row in rows)
    }
    return Standings(
        {track: _rank_track(ranking, boards, _track(boards, found)) for track, found in tracks.items()}
    )


def _track(boards: Mapping[str, Board], rows: Sequence[Row]) -> _Track:
    seen = sorted({row.team for row in rows if row.scored is not None})
    values: Values = {
        team: {name: dict.fromkeys(board.metrics) for name, board in boards.items()} for team in seen
    }
    for row in rows:
        if row.team in values:
            values[row.team][row.board][row.metric] = row.scored
    baselines = {row.team for row in rows if row.is_baseline}
    return _Track(
        ranked=[team for team in seen if team not in baselines],
        baselines=[team for team in seen if team in baselines],
        ineligible=frozenset(row.team for row in rows if not row.eligible),
        values=values,
    )


def _rank_track(ranking: Ranking, boards: Mapping[str, Board], track: _Track) -> tuple[Standing, ...]:
    metric_ranks = {
        name: {metric: _metric_ranks(ranking, board, name, metric, track) for metric in board.metrics}
        for name, board in boards.items()
    }
    task_ranks = {name: _task_ranks(ranking, name, metric_ranks[name], track) for name in boards}
    overall = {
        team: _overall(ranking, {name: task_ranks[name][team] for name in boards}) for team in track.ranked
    }
    places = whole_places({team: mean for team, mean in overall.items() if mean is not None}, ranking)
    standings = [
        Standing(
            team=team,
            baseline=False,
            eligible=team not in track.ineligible,
            values=track.values[team],
            metric_ranks={
                name: {metric: ranks[team] for metric, ranks in found.items()}
                for name, found in metric_ranks.items()
            },
            task_ranks={name: ranks[team] for name, ranks in task_ranks.items()},
            overall=overall[team],
            placement=places.get(team, len(places) + 1),
        )
        for team in track.ranked
    ]
    standings.sort(key=lambda one: (one.placement or 0, one.team))
    return (*standings, *(_baseline(boards, team, track) for team in track.baselines))


def _metric_ranks(ranking: Ranking, board: Board, name: str, metric: str, track: _Track) -> dict[str, float]:
    values: dict[str, float] = {}
    for team in track.ranked:
        value = track.values[team][name][metric]
        if value is not None:
            values[team] = value if ranking.round is None else round(value, ranking.round)
    higher = lookup(board.metrics[metric].metric).direction == "higher"
    return with_missing(tied_ranks(values, ties=ranking.ties, higher_is_better=higher), track.ranked)


def _task_ranks(
    ranking: Ranking, board: str, metric_ranks: Mapping[str, Mapping[str, float]], track: _Track
) -> dict[str, float | None]:
    has_board = [
        team
        for team in track.ranked
        if any(value is not None for value in track.values[team][board].values())
    ]
    means = {
        team: math.fsum(ranks[team] for ranks in metric_ranks.values()) / len(metric_ranks)
        for team in track.ranked
    }
    if ranking.rerank_boards:
        again = tied_ranks(
            {team: means[team] for team in has_board}, ties=ranking.ties, higher_is_better=False
        )
        means = with_missing(again, track.ranked)
    excluded = set(track.ranked) - set(has_board) if ranking.missing_board == "excluded" else set()
    return {team: None if team in excluded else means[team] for team in track.ranked}


def _overall(ranking: Ranking, task_ranks: Mapping[str, float | None]) -> float | None:
    parts = [
        (ranking.weights.get(board, 0.0), place) for board, place in task_ranks.items() if place is not None
    ]
    total = math.fsum(weight for weight, _ in parts)
    return math.fsum(weight * place for weight, place in parts) / total if total > 0 else None


def _baseline(boards: Mapping[str, Board], team: str, track: _Track) -> Standing:
    return Standing(
        team=team,
        baseline=True,
        eligible=team not in track.ineligible,
        values=track.values[team],
        metric_ranks={name: dict.fromkeys(board.metrics) for name, board in boards.items()},
        task_ranks=dict.fromkeys(boards),
        overall=None,
        placement=None,
    )
