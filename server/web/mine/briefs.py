"""What a list of submissions says of an evaluation in a line: the failure that was met most, and the main value."""

from dataclasses import dataclass

from contract.submissions import EvaluationOut, ScoreOut
from evaluator.ranking import deciding_metric
from evaluator.spec import Challenge as Spec
from evaluator.verdicts import VALID, commonest
from server.web.titles import Titles


@dataclass(frozen=True)
class Brief:
    """`failure`: such as "3 × timeout"; `metric` and `score`: the first of the rules. None where none is told."""

    failure: str | None = None
    metric: str | None = None
    score: ScoreOut | None = None


def brief_of(spec: Spec, out: EvaluationOut) -> Brief:
    """An evaluation in a line, of nothing but what its team is told of it."""
    boards = {name: board for name, board in spec.boards.items() if name in out.scores}
    if not boards:
        return Brief(_failure(out))
    board, metric = deciding_metric(boards)
    return Brief(_failure(out), Titles(spec).metric(board, metric), out.scores[board].get(metric))


def _failure(out: EvaluationOut) -> str | None:
    failed = {code: count for code, count in out.verdicts.items() if code != VALID}
    if not failed:  # none failed, or of hidden cases only the class is told
        return out.failure
    code = commonest(failed)
    return f"{failed[code]:,} × {code}"
