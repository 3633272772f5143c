"""Evaluations and submissions by the beginning of their id, as people type it."""

from typing import TypeVar
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from contract.ids import EvaluationId
from contract.problems import ErrorCode
from server.errors import Conflict, NotFound
from server.evaluations.models import Evaluation
from server.ids import ids_between

_NAMED = 5
_MOST = 200
_Id = TypeVar("_Id", bound=UUID)


def evaluation_id(session: Session, prefix: str) -> EvaluationId:
    """The one evaluation whose id begins so.

    Raises:
        BadRequest, NotFound, Conflict: no beginning of an id; none begins so; several do.
    """
    first, last = ids_between(prefix)
    found = session.scalars(
        select(Evaluation.id)
        .where(Evaluation.id.between(first, last))
        .order_by(Evaluation.id)
        .limit(_NAMED + 1)
    ).all()
    return _one(prefix, list(found), "evaluation")


def evaluation_or_submission(session: Session, prefix: str) -> list[EvaluationId]:
    """The evaluation whose id begins so, or all evaluations of the submission whose id does; oldest first.

    Raises:
        BadRequest, NotFound, Conflict: no beginning of an id; none begins so; several do.
    """
    first, last = ids_between(prefix)
    rows = session.execute(
        select(Evaluation.id, Evaluation.submission_id)
        .where(Evaluation.id.between(first, last) | Evaluation.submission_id.between(first, last))
        .order_by(Evaluation.id)
        .limit(_MOST)
    ).all()
    own = [row.id for row in rows if first <= row.id <= last]
    submissions = sorted({row.submission_id for row in rows})
    if len(own) == 1:
        return own
    if len(submissions) == 1:  # ids of one moment begin alike, also those of a submission and its evaluations
        return [row.id for row in rows]
    return [_one(prefix, own or submissions, "evaluation" if own else "submission")]


def _one(prefix: str, found: list[_Id], kind: str) -> _Id:
    if not found:
        code = ErrorCode.UNKNOWN_EVALUATION if kind == "evaluation" else ErrorCode.UNKNOWN_SUBMISSION
        raise NotFound(code, f"There is no {kind} {prefix}; 'proctor-admin submissions' lists them.")
    if len(found) > 1:
        named = ", ".join(map(str, found[:_NAMED])) + (", …" if len(found) > _NAMED else "")
        raise Conflict(
            ErrorCode.AMBIGUOUS_ID, f"Several {kind}s begin with {prefix}: {named}. Give more of it."
        )
    return found[0]
