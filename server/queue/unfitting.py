"""Why a slot is leased nothing, for the log on its own host: it drains, or what waits fits no slot that is there."""

from collections.abc import Sequence

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import Session

from contract.leases import DRAINING, TOO_SMALL, SlotOffer
from contract.statuses import CaseStatus
from server.evaluations.models import CaseRun, Evaluation
from server.evaluations.status import HAS_CASES
from server.queue.claim import Draining
from server.queue.policy import ANY_RUNTIME
from server.queue.slots import NEEDED, Needs, fits, needs, present_slots

_KINDS = 20  # of needs that are looked at: a queue has a few


def why_nothing(session: Session, slot: SlotOffer, drains: Draining | None) -> dict[str, str]:
    """The headers of an answer that leases nothing; none where there is nothing to say."""
    if drains is not None:
        return {DRAINING: drains.why}
    why = _unfitting(session, slot)
    return {} if why is None else {TOO_SMALL: why}


def _unfitting(session: Session, slot: SlotOffer) -> str | None:
    """Of the first cases that wait and that neither `slot` nor another one that is there could run; None without any.

    It names what a case needs, as the challenge's public limits do, and neither evaluation nor team.
    """
    waiting = _waiting_beyond(session, slot)
    there = present_slots(session) if waiting else ()
    what = next((one for one in waiting if not any(fits(one, other) for other in there)), None)
    if what is None:
        return None
    own = Needs(what.status, slot.cpus, slot.memory, slot.gpus, slot.gpu_memory, ANY_RUNTIME)
    if all(has >= wanted for has, wanted in zip(_sizes(own), _sizes(what), strict=True)):
        has = ", ".join(slot.runtimes)
        return f"Cases wait for a runtime that no slot offers: they need {what.needs_runtime}; this one has {has}."
    return (
        f"Cases wait that every slot is too small for: they need {needs(what)}; this one offers {needs(own)}."
    )


def _sizes(what: Needs) -> tuple[float, int, int, int]:
    return what.needs_cpus, what.needs_memory, what.needs_gpus, what.needs_gpu_memory


def _waiting_beyond(session: Session, slot: SlotOffer) -> Sequence[Needs]:
    """What waiting cases need that `slot` could not run, those that are to run first before others."""
    rows = session.execute(
        select(*NEEDED)
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
        .group_by(*NEEDED)
        .order_by(func.max(Evaluation.priority).desc(), func.min(Evaluation.created_at))
        .limit(_KINDS)
    )
    return [Needs(*row) for row in rows]
