"""What the places would be without one team, or under another rule."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from evaluator.comparison._places import Places, kendall_tau
from evaluator.ranking import RankingError, Table
from evaluator.spec import Ranking


@dataclass(frozen=True)
class Reordering:
    """Two teams whose order changed; `before` and `after` name the one ahead, None where they tie."""

    teams: tuple[str, str]
    before: str | None
    after: str | None


@dataclass(frozen=True)
class WithoutTeam:
    """The places of the others, by team, when `team` never took part."""

    team: str
    places: dict[str, int]
    reordered: tuple[Reordering, ...]


def leave_one_out(ranking: Ranking, table: Table) -> list[WithoutTeam]:
    """Each team in turn left out: a ranking of ranks may reorder two teams when a third one leaves."""
    full = table.ranks(ranking).places
    changes = []
    for number, team in enumerate(table.teams):
        others = [team for team in range(len(table.teams)) if team != number]
        if not others:
            continue
        part = table.subset(others)
        places = part.ranks(ranking).places
        by_team = {name: int(place) for name, place in zip(part.teams, places, strict=True)}
        changes.append(WithoutTeam(team, by_team, _reordered(part.teams, full[others], places)))
    return changes


def _reordered(teams: tuple[str, ...], before: Places, after: Places) -> tuple[Reordering, ...]:
    first, second = np.triu_indices(len(teams), 1)
    old, new = np.sign(before[first] - before[second]), np.sign(after[first] - after[second])
    return tuple(
        Reordering(
            (teams[first[pair]], teams[second[pair]]),
            _ahead(teams[first[pair]], teams[second[pair]], int(old[pair])),
            _ahead(teams[first[pair]], teams[second[pair]], int(new[pair])),
        )
        for pair in np.flatnonzero(old != new)
    )


def _ahead(first: str, second: str, sign: int) -> str | None:
    return {-1: first, 0: None, 1: second}[sign]


@dataclass(frozen=True)
class Variant:
    """The places, in the table's order of teams, under a rule that differs in one point; tau with the rule's."""

    change: str
    places: Places
    tau: float


def without_each_board(ranking: Ranking, table: Table) -> dict[str, Places]:
    """The places if a board had no weight, by board, in the table's order of teams; none where no other has any."""
    names = dict.fromkeys(column.board for column in table.columns)
    weighed = [name for name in names if ranking.weights.get(name, 0) > 0]
    if len(weighed) < 2:
        return {}
    return {
        name: table.ranks(ranking.model_copy(update={"weights": {**ranking.weights, name: 0.0}})).places
        for name in weighed
    }


def rule_sensitivity(ranking: Ranking, table: Table) -> list[Variant]:
    """How places change with the rule, one point at a time; rules that the scores do not allow are left out."""
    full = table.ranks(ranking).places
    effects = []
    for change, rule in _variants(ranking):
        try:
            places = table.ranks(rule).places
        except RankingError:  # scores without the values of single cases
            continue
        effects.append(Variant(change, places, float(kendall_tau(places[None], full)[0])))
    return effects


def _variants(ranking: Ranking) -> Iterator[tuple[str, Ranking]]:
    for ties in ("min", "average", "dense"):
        if ties != ranking.ties:
            yield f"ties: {ties}", ranking.model_copy(update={"ties": ties})
    again = not ranking.rerank_boards
    yield f"rerank_boards: {str(again).lower()}", ranking.model_copy(update={"rerank_boards": again})
    missing = "worst" if ranking.missing_board == "excluded" else "excluded"
    yield f"missing_board: {missing}", ranking.model_copy(update={"missing_board": missing})
    for decimals in (None, 2, 3):
        if decimals != ranking.round:
            text = "null" if decimals is None else str(decimals)
            yield f"round: {text}", ranking.model_copy(update={"round": decimals})
    if len(set(ranking.weights.values())) > 1:
        equal = dict.fromkeys(ranking.weights, 1.0)
        yield "weights: equal", ranking.model_copy(update={"weights": equal})
    for method, per_case in (
        ("mean_then_rank", "mean"),
        ("mean_then_rank", "median"),
        ("rank_then_mean", "mean"),
        ("test_then_rank", "mean"),
    ):
        if (method, per_case) != (ranking.method, ranking.per_case):
            change = (
                f"method: {method}, per_case: {per_case}"
                if method == "mean_then_rank"
                else f"method: {method}"
            )
            yield change, ranking.model_copy(update={"method": method, "per_case": per_case})
