"""The rule in sentences, and its digest: what was published is what ranks."""

import hashlib
import json
from collections.abc import Mapping

from evaluator.metrics.registry import lookup
from evaluator.ranking._rule import columns_of
from evaluator.spec import Board, Ranking

_TIES = {
    "min": "teams that tie share the best of their places (1, 2, 2, 4)",
    "average": "teams that tie share the mean of their places (1, 2.5, 2.5, 4)",
    "dense": "teams that tie share a place and no place is left out after them (1, 2, 2, 3)",
}


def rule_digest(ranking: Ranking, boards: Mapping[str, Board]) -> str:
    """sha256 over everything that decides places: the rule, the boards' metrics, parameters and directions."""
    metrics = {
        name: {
            key: {**metric.model_dump(mode="json"), "direction": lookup(metric.metric).direction}
            for key, metric in board.metrics.items()
        }
        for name, board in boards.items()
    }
    primary = {name: board.primary for name, board in boards.items()}
    content = {"ranking": ranking.model_dump(mode="json"), "metrics": metrics, "primary": primary}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def explain(ranking: Ranking, boards: Mapping[str, Board]) -> list[str]:
    """The rule in sentences, in the order in which it is applied."""
    return [
        _entry(ranking, boards),
        *_cases(ranking, boards),
        _precision(ranking),
        _metrics(ranking, boards),
        _boards(ranking),
        _missing(ranking),
        "A metric or a board that no team of the track has a value on counts for nobody.",
        _weights(ranking, boards),
        "Baselines are shown without a rank and move nobody.",
        "Teams that may win no prize are ranked and marked.",
        *_prizes(ranking),
    ]


def _entry(ranking: Ranking, boards: Mapping[str, Board]) -> str:
    if ranking.entry == "latest":
        return "A team's latest valid attempt at a task counts."
    primaries = ", ".join(f"{board.primary} on {name}" for name, board in boards.items() if board.primary)
    return f"A team's best valid attempt at a task counts ({primaries})."


def _cases(ranking: Ranking, boards: Mapping[str, Board]) -> list[str]:
    concerned = [f"{column.metric} of {column.board}" for column in columns_of(boards) if column.per_case]
    if not concerned:
        return []
    if ranking.method == "rank_then_mean":
        how = "the teams are ranked in every case, and the mean of a team's ranks over the cases is ranked"
    elif ranking.method == "test_then_rank":
        how = (
            "each pair of teams is tested over the cases (Wilcoxon's signed rank test, one-sided, 5 % for all tests of "
            "a metric by Holm's method), and the number of teams that a team is better than is ranked"
        )
    else:
        how = f"a team's value is the {ranking.per_case} over the cases"
    return [f"For {', '.join(concerned)} {how}."]


def _precision(ranking: Ranking) -> str:
    if ranking.round is None:
        return "Values are compared at full precision; differences up to 1e-9 are ties."
    return f"Values are rounded to {ranking.round} decimals before they are compared."


def _metrics(ranking: Ranking, boards: Mapping[str, Board]) -> str:
    low = [
        f"{column.metric} of {column.board}" for column in columns_of(boards) if not column.higher_is_better
    ]
    which = f"higher is better, but for {', '.join(low)}" if low else "higher is better"
    return f"Per metric the teams of a track are ranked ({which}); {_TIES[ranking.ties]}."


def _boards(ranking: Ranking) -> str:
    again = ", ranked again within the board" if ranking.rerank_boards else ""
    return f"A board's rank is the mean of its metric ranks{again}."


def _missing(ranking: Ranking) -> str:
    metric = "A missing or undefined metric shares the place after all teams that have a value"
    if ranking.missing_board == "worst":
        return f"{metric}; so does a missing board."
    return f"{metric}; a missing board is left out of the team's mean."


def _weights(ranking: Ranking, boards: Mapping[str, Board]) -> str:
    total = sum(ranking.weights.get(name, 0) for name in boards)
    shares = ", ".join(
        f"{name} {ranking.weights.get(name, 0) / total:.1%}" if total else name for name in boards
    )
    return f"The weighted mean of the board ranks gives the places, lowest first: {shares}."


def _prizes(ranking: Ranking) -> list[str]:
    if not ranking.prizes_of_places:
        return []
    won = ", ".join(f"{number}. {prize}" for number, prize in enumerate(ranking.prizes_of_places, 1))
    if ranking.shares_within_winners:
        return [
            f"Prizes of each track are {won}: all eligible teams that no other one is surely ahead of share those of "
            "as many places as they are, and the rest goes down the places of the others; teams that tie share."
        ]
    return [f"Prizes of each track go down the places of the eligible teams: {won}; teams that tie share."]
