"""Which evaluation of each team counts on a board, decided before any score but those that decide is loaded.

The server says which attempts may be compared, and the rule which of these counts.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from contract.ids import EvaluationId
from contract.statuses import EvaluationStatus
from evaluator.ranking import choose_entry, deciding_metric
from server.challenges.models import Challenge
from server.evaluations.models import Evaluation
from server.evaluations.result_models import Score
from server.leaderboard.bases import InForce, Scored, differences, scored
from server.leaderboard.supposed import AS_IT_IS, Supposed

Values = Mapping[EvaluationId, float | None]
"""Of each evaluation, what decides whether it is its team's best."""


class Chosen(NamedTuple):
    """An evaluation that a board shows for its team; `differs` says why it is not of the base in force."""

    board: str
    evaluation: Scored
    differs: tuple[str, ...] = ()


def chosen(
    session: Session,
    challenge: Challenge,
    phase: str,
    now: InForce,
    *,
    shown: bool = True,
    supposed: Supposed = AS_IT_IS,
) -> list[Chosen]:
    """Per team, track and board the latest or best evaluation of the base in force, and the latest of another one.

    shown: of a hidden phase only of what its teams have seen the end of.
    """
    evaluations = scored(session, challenge, phase, shown=shown, supposed=supposed, until=now.until)
    values: dict[EvaluationId, float | None] = {}
    if now.spec.ranking.entry == "best":
        for task in now.spec.tasks:
            if now.spec.boards_of(task):
                decides = deciding_metric(now.spec.boards_of(task))
                values |= _values(session, challenge, phase, supposed, task, *decides)
    by_task: dict[str, list[Scored]] = {task: [] for task in now.spec.tasks}
    for evaluation in evaluations:
        by_task.setdefault(evaluation.task, []).append(evaluation)
    return [
        choice
        for name, board in now.spec.boards.items()
        for choice in _of_board(name, by_task[board.task], now, values)
    ]


def _of_board(board: str, evaluations: Sequence[Scored], now: InForce, values: Values) -> Iterator[Chosen]:
    """What `board` has of the evaluations of its task, which come oldest first."""
    # An id goes by its number: a UUID's own hash is slow, and a large board asks for thousands.
    attempts: dict[tuple[int, str], list[Scored]] = defaultdict(list)
    others: dict[tuple[int, str], Chosen] = {}
    for evaluation in evaluations:
        key = (evaluation.team_id.int, evaluation.track)
        if differs := differences(evaluation, board, now):
            others[key] = Chosen(board, evaluation, tuple(differs))
            continue
        attempts[key].append(evaluation)
        if others and now.spec.ranking.entry == "latest":
            others.pop(key, None)
    for found in attempts.values():
        yield Chosen(board, _counting(found, now, values))
    yield from others.values()


def _counting(attempts: Sequence[Scored], now: InForce, values: Values) -> Scored:
    if len(attempts) == 1:
        return attempts[0]
    boards = now.spec.boards_of(attempts[0].task)
    decides = deciding_metric(boards)
    compared = _comparable(attempts, decides[0], now) if now.spec.ranking.entry == "best" else attempts
    return compared[
        choose_entry(now.spec.ranking, boards, [{decides: values.get(attempt.id)} for attempt in compared])
    ]


def _comparable(attempts: Sequence[Scored], board: str, now: InForce) -> Sequence[Scored]:
    """Those whose values on the board that decides are of the base in force, else the latest ones of one base."""
    if in_force := [attempt for attempt in attempts if not differences(attempt, board, now)]:
        return in_force
    last = attempts[-1].scored_with(board)
    return [*takewhile(lambda attempt: attempt.scored_with(board) == last, reversed(attempts))][::-1]


def _values(
    session: Session,
    challenge: Challenge,
    phase: str,
    supposed: Supposed,
    task: str,
    board: str,
    metric: str,
) -> Mapping[EvaluationId, float | None]:
    rows = session.execute(
        select(Score.evaluation_id, Score.value)
        .join(Evaluation, Evaluation.id == Score.evaluation_id)
        .where(
            Evaluation.challenge_id == challenge.id,
            Evaluation.phase == phase,
            Evaluation.task == task,
            Evaluation.status == EvaluationStatus.SCORED.value,
            supposed.counting,
            Score.board == board,
            Score.metric == metric,
        )
    )
    return {row.evaluation_id: row.value for row in rows}
