"""Evaluations by the beginning of their id, as people type it."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from contract.ids import EvaluationId
from contract.problems import ErrorCode
from server.errors import Conflict, NotFound
from server.evaluations.models import Evaluation
from server.ids import ids_between

_NAMED = 5


def evaluation_id(session: Session, prefix: str) -> EvaluationId:
    """The one evaluation whose id begins so.

    Raises:
        BadRequest, NotFound, Conflict: no beginning of an id; none begins so; several do.
    """
    like = Evaluation.id.between(*ids_between(prefix))
    found = session.scalars(select(Evaluation.id).where(like).order_by(Evaluation.id).limit(_NAMED + 1)).all()
    if not found:
        detail = f"There is no evaluation {prefix}; 'proctor-admin submissions' lists them."
        raise NotFound(ErrorCode.UNKNOWN_EVALUATION, detail)
    if len(found) > 1:
        named = ", ".join(map(str, found[:_NAMED])) + (", …" if len(found) > _NAMED else "")
        detail = f"Several evaluations begin with {prefix}: {named}. Give more of it."
        raise Conflict(ErrorCode.AMBIGUOUS_ID, detail)
    return found[0]
