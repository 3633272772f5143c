"""From scores to places: metric ranks, board ranks, their weighted mean, within each track."""

from evaluator.ranking._cases import aggregate_resamples
from evaluator.ranking._entry import choose_entry, deciding_metric
from evaluator.ranking._explain import explain, rule_digest
from evaluator.ranking._nobody import for_nobody
from evaluator.ranking._prizes import awards_of
from evaluator.ranking._rank import rank, rank_track
from evaluator.ranking._rows import (
    RankingError,
    Row,
    ScorerFailed,
    TeamValues,
    check_range,
    check_rows,
    read_rows,
    read_teams,
    same_name,
)
from evaluator.ranking._rule import (
    Column,
    Ranks,
    columns_of,
    direction_of,
    installed,
    mean_ranks,
    rank_values,
    ranked_columns,
    rounded,
)
from evaluator.ranking._standings import Standing, Standings
from evaluator.ranking._table import Table
from evaluator.ranking._ties import TOLERANCE, Values, tied_ranks, whole_places

__all__ = [
    "TOLERANCE",
    "Column",
    "RankingError",
    "Ranks",
    "Row",
    "ScorerFailed",
    "Standing",
    "Standings",
    "Table",
    "TeamValues",
    "Values",
    "aggregate_resamples",
    "awards_of",
    "check_range",
    "check_rows",
    "choose_entry",
    "columns_of",
    "deciding_metric",
    "direction_of",
    "explain",
    "for_nobody",
    "installed",
    "mean_ranks",
    "rank",
    "rank_track",
    "rank_values",
    "ranked_columns",
    "read_rows",
    "read_teams",
    "rounded",
    "rule_digest",
    "same_name",
    "tied_ranks",
    "whole_places",
]
