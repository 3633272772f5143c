"""Changes of the rule in words."""

_CHANGES = {
    "ties: min": "equal values share the first of their places",
    "ties: average": "equal values share the mean of their places",
    "ties: dense": "equal values share a place and the next one follows without a gap",
    "rerank_boards: true": "the mean of a board's metric ranks is ranked again",
    "rerank_boards: false": "the mean of a board's metric ranks is not ranked again",
    "missing_board: worst": "a board without a value counts as its last place",
    "missing_board: excluded": "a board without a value is left out of a team's mean",
    "round: null": "values are not rounded",
    "weights: equal": "all boards weigh the same",
    "method: mean_then_rank, per_case: mean": "the means of the cases are ranked",
    "method: mean_then_rank, per_case: median": "the medians of the cases are ranked",
    "method: rank_then_mean": "teams are ranked in each case, and the ranks averaged",
    "method: test_then_rank": "teams are ranked by how many others they are significantly better than",
}


def change_in_words(change: str) -> str:
    """A change of the rule, as `RuleVariant` names it, for people, with the field of the challenge file."""
    words = _CHANGES.get(change)
    if words is None and change.startswith("round: "):
        words = f"values are rounded to {change.removeprefix('round: ')} decimals"
    return change if words is None else f"{words} ({change})"
