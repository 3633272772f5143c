"""From scores to places: metric ranks, board ranks, their weighted mean, within each track."""

from evaluator.ranking._rank import rank
from evaluator.ranking._rows import RankingError, Row, read_rows
from evaluator.ranking._standings import Standing, Standings

__all__ = ["RankingError", "Row", "Standing", "Standings", "rank", "read_rows"]
