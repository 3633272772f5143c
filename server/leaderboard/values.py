"""Values as they are read and shown."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Uuid, cast, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from contract.ids import EvaluationId
from contract.leaderboard import ValueOut
from evaluator.spec import Challenge as Spec
from server.database import plain_rows
from server.evaluations.models import Evaluation
from server.evaluations.result_models import Score
from server.images.models import Image
from server.leaderboard.checkpoints import HELD, Held


class Measured(NamedTuple):
    """What a board reads of a `Score`: a tuple, for a large board has thousands and an entity each takes its time."""

    id: UUID
    board: str
    metric: str
    value: float | None
    low: float | None
    high: float | None
    interval_method: str | None
    reason: str | None
    note: str | None
    lacks: str | None
    per_case: list[float | None] | None = None


MEASURED = tuple(getattr(Score, name) for name in Measured._fields if name != "per_case")
"""The columns of it, in order, but for the values of single cases."""


class Read(NamedTuple):
    """What a board reads of an evaluation: its scores by board and metric, and where it is asked for the checkpoint."""

    scores: dict[str, dict[str, Measured]]
    checkpoint: Held | None = None


NOTHING_READ = Read({})


def read_of(session: Session, spec: Spec, evaluations: Iterable[EvaluationId]) -> Mapping[int, Read]:
    """What is shown of evaluations, by their numbers, in one statement; those without a score are left out.

    Values of single cases come where the rule of `spec` needs them, checkpoints where it asks for them.
    """
    numbers = list({one.int: None for one in evaluations})
    # As one text, and answered by their positions: thousands of ids take longer to be written and read than values.
    text = ",".join(f"{number:032x}" for number in numbers)
    asked = func.unnest(cast(func.string_to_array(text, ","), ARRAY(Uuid)))
    listed = asked.table_valued("id", with_ordinality="position", name="asked").render_derived()
    columns = (*MEASURED, Score.per_case) if spec.ranking.needs_cases else MEASURED
    query = select(listed.c.position, *columns).join_from(listed, Score, Score.evaluation_id == listed.c.id)
    if spec.checkpoint is not None:
        made = select(Evaluation.image_id).join_from(listed, Evaluation, Evaluation.id == listed.c.id)
        # Facts are long: of each image they are opened once, and not for each of its scores.
        images = select(Image.id, HELD.label("checkpoint")).where(Image.id.in_(made))
        held = images.cte("held").prefix_with("MATERIALIZED")
        query = query.add_columns(held.c.checkpoint).join(Evaluation, Evaluation.id == listed.c.id)
        query = query.join(held, held.c.id == Evaluation.image_id)
    found: dict[int, Read] = {}
    last = len(columns) + 1
    for row in plain_rows(session, query):
        told: Sequence[Any] = row[1:last]
        score, number = Measured(*told), numbers[row[0] - 1]
        read = found.get(number)
        if read is None:
            read = found[number] = Read({}, Held.read(row[last]) if spec.checkpoint is not None else None)
        read.scores.setdefault(score.board, {})[score.metric] = score
    return found


def value_out(score: Score | Measured | None, rank: float | None, decimals: int) -> ValueOut:
    """A score with its rank, rounded to `decimals`."""
    if score is None:
        return ValueOut(
            value=None, low=None, high=None, rank=rank, interval_method=None, reason=None, note=None
        )
    return ValueOut(
        value=None if score.value is None else round(score.value, decimals),
        low=None if score.low is None else round(score.low, decimals),
        high=None if score.high is None else round(score.high, decimals),
        rank=rank,
        interval_method=score.interval_method,
        reason=score.reason,
        note=score.note,
    )
