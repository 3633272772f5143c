"""Why a slot is leased nothing, for the log on its own host: it drains, or is too small for what waits."""

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from contract.leases import DRAINING, TOO_SMALL, SlotOffer
from contract.statuses import CaseStatus
from server.evaluations.models import CaseRun, Evaluation
from server.evaluations.status import HAS_CASES
from server.queue.claim import Draining
from server.queue.policy import ANY_RUNTIME
from server.queue.slots import Needs, needs


def why_nothing(session: Session, slot: SlotOffer, drains: Draining | None) -> dict[str, str]:
    """The headers of an answer that leases nothing; none where there is nothing to say."""
    if drains is not None:
        return {DRAINING: drains.why}
    why = _too_small(session, slot)
    return {} if why is None else {TOO_SMALL: why}


def _too_small(session: Session, slot: SlotOffer) -> str | None:
    """Of the first evaluation with waiting cases that `slot` could not run; None where there is none.

    It names what a case needs, as the challenge's public limits do, and neither evaluation nor team.
    """
    found = session.scalar(
        select(Evaluation)
        .where(
            Evaluation.status.in_(HAS_CASES),
            or_(
                Evaluation.needs_cpus > slot.cpus,
                Evaluation.needs_memory > slot.memory,
                Evaluation.needs_gpus > slot.gpus,
                Evaluation.needs_gpu_memory > slot.gpu_memory,
                Evaluation.needs_runtime.not_in((*slot.runtimes, ANY_RUNTIME)),
            ),
            exists().where(CaseRun.evaluation_id == Evaluation.id, CaseRun.status == CaseStatus.WAITING),
        )
        .order_by(Evaluation.priority.desc(), Evaluation.created_at, Evaluation.id)
        .limit(1)
    )
    if found is None:
        return None
    own = Needs(found.status, slot.cpus, slot.memory, slot.gpus, slot.gpu_memory, ANY_RUNTIME)
    return f"Cases wait that this slot is too small for: they need {needs(found)}; it offers {needs(own)}."
