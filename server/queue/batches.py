"""How many cases of one evaluation a slot gets at once, and how it is to run them.

fresh: one container for one case. packed: several such containers at once, each with all that the challenge states.
invoke: one container for one case after the other, where challenge, image and worker allow it.
"""

import hashlib
import hmac
import itertools
import math
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from contract.bounds import MOST_PER_CONTAINER
from contract.ids import EvaluationId
from contract.leases import SlotOffer
from contract.statuses import CaseStatus, Mode
from evaluator.spec import Limits
from server.evaluations.models import CaseRun, Evaluation
from server.queue.slots import fits, present_slots
from server.settings import Settings

MEASURED_CASES = 3
"""Cases of an evaluation that are done before others are packed or given by the dozen: alone nothing but the image
itself makes them fail."""
_REPEATED_EVERY, _LEAST_REPEATED = 20, 2


@dataclass(frozen=True)
class Batch:
    """How cases of an evaluation are leased to one slot, and at most how many."""

    mode: Mode
    most: int


_ONE = Batch(Mode.FRESH, 1)


def batch_of(session: Session, first: CaseRun, slot: SlotOffer) -> Batch:
    """How `slot` is to run `first` and how many cases it gets in all.

    Never so many that a slot beside it would have nothing to do.
    """
    if slot.most == 1 and not slot.invoke:
        return _ONE
    evaluation = first.evaluation
    limits = evaluation.spec_version.spec.limits_of(evaluation.task)
    if slot.invoke and may_invoke(evaluation, limits) and _serves(session, evaluation):
        return Batch(Mode.INVOKE, min(_invoked(session, evaluation, limits), _share(session, evaluation)))
    if slot.most == 1 or not limits.may_pack or _done(session, evaluation) < MEASURED_CASES:
        return _ONE
    packed = min(_packed(limits, slot), _share(session, evaluation))
    return Batch(Mode.PACKED, packed) if packed > 1 else _ONE


def most_of(mode: Mode, slot: SlotOffer) -> int:
    """How many cases one batch of this mode has at most on `slot`, whatever it says of itself."""
    if mode is Mode.FRESH:
        return 1
    return MOST_PER_CONTAINER if mode is Mode.INVOKE else max(1, min(slot.most, math.floor(slot.cpus)))


def may_invoke(evaluation: Evaluation, limits: Limits) -> bool:
    """Whether challenge and image let one container answer several cases, and no repeat has disagreed."""
    return limits.invoke and not evaluation.fresh_only and evaluation.image.facts.invoke


def _serves(session: Session, evaluation: Evaluation) -> bool:
    """Whether the image does what its label says, as far as is known: more cases are served than are not."""
    rows = session.execute(
        select(CaseRun.mode, func.count().label("cases"))
        .where(CaseRun.evaluation_id == evaluation.id, CaseRun.status == CaseStatus.DONE)
        .group_by(CaseRun.mode)
    )
    counts: dict[Mode | None, int] = {row.mode: row.cases for row in rows}
    unserved = counts.get(Mode.UNSERVED, 0)
    return unserved < MEASURED_CASES or unserved < counts.get(Mode.INVOKE, 0)


def _invoked(session: Session, evaluation: Evaluation, limits: Limits) -> int:
    """As many cases as together take the time of one, so that a batch delays other teams no longer than a case may."""
    recent = (
        select(CaseRun.seconds)
        .where(
            CaseRun.evaluation_id == evaluation.id,
            CaseRun.status == CaseStatus.DONE,
            CaseRun.mode == Mode.INVOKE,
        )
        .order_by(CaseRun.position.desc())
        .limit(MOST_PER_CONTAINER)
        .subquery()
    )
    done, mean = session.execute(select(func.count(), func.avg(recent.c.seconds)).select_from(recent)).one()
    if done < MEASURED_CASES:
        return MEASURED_CASES
    fitting: int = math.floor(limits.seconds_per_case / max(mean, 1e-3))
    return max(1, min(MOST_PER_CONTAINER, fitting))


def _share(session: Session, evaluation: Evaluation) -> int:
    """The waiting cases and the one just leased over the present slots that could run them, rounded up."""
    slots = sum(fits(evaluation, slot) for slot in present_slots(session))
    waiting = select(CaseRun.id).where(
        CaseRun.evaluation_id == evaluation.id, CaseRun.status == CaseStatus.WAITING
    )
    enough = waiting.limit(MOST_PER_CONTAINER * max(slots, 1)).subquery()
    count = session.scalar(select(func.count()).select_from(enough)) or 0
    return math.ceil((count + 1) / max(slots, 1))


def _done(session: Session, evaluation: Evaluation) -> int:
    """How many cases of the evaluation are done, counted no further than is of interest."""
    done = select(CaseRun.id).where(CaseRun.evaluation_id == evaluation.id, CaseRun.status == CaseStatus.DONE)
    return session.scalar(select(func.count()).select_from(done.limit(MEASURED_CASES).subquery())) or 0


def _packed(limits: Limits, slot: SlotOffer) -> int:
    """As many as get what each would get alone: a core of its own, and the memory that the challenge states."""
    bounds = [slot.most, math.floor(slot.cpus), slot.memory // limits.memory]
    if limits.pack != "auto":
        bounds.append(limits.pack)
    return max(1, min(bounds))


def repeated(session: Session, evaluation: Evaluation, settings: Settings) -> set[int]:
    """The positions of the cases that are run fresh as well wherever they run in invoke mode, and compared.

    Of every 20 cases one, and at least two of an evaluation. The server's key draws them, so no image can tell which.
    """
    last = session.scalar(select(func.max(CaseRun.position)).where(CaseRun.evaluation_id == evaluation.id))
    cases = 0 if last is None else last + 1
    key = settings.secret_key.get_secret_value().encode()
    parts = min(cases, max(_LEAST_REPEATED, math.ceil(cases / _REPEATED_EVERY)))
    edges = [part * cases // parts for part in range(parts + 1)] if parts else []
    return {_drawn(key, evaluation.id, begin, end) for begin, end in itertools.pairwise(edges)}


def _drawn(key: bytes, evaluation_id: EvaluationId, begin: int, end: int) -> int:
    """One of the positions from `begin` to before `end`."""
    drawn = hmac.digest(key, b"repeat" + evaluation_id.bytes + begin.to_bytes(4, "big"), hashlib.sha256)
    return begin + int.from_bytes(drawn[:8], "big") % (end - begin)
