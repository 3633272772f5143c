"""Claiming. A row of `case_runs` is a job; `claim.sql` takes the next one: RUNNING, claim_no + 1, and a lease."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import column, func, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from contract.leases import SlotOffer
from contract.statuses import CaseStatus, Mode
from server.accounts.principals import RunWorker
from server.evaluations.models import CaseRun, Evaluation
from server.ids import new_id
from server.queue.admission import admit, room
from server.queue.batches import batch_of, most_of
from server.queue.policy import WIDTHS, parameters
from server.settings import Settings


@dataclass(frozen=True)
class Leased:
    """Cases of one evaluation that a slot was leased together, in the order in which they are to be run."""

    runs: Sequence[CaseRun]
    mode: Mode

    @property
    def evaluation(self) -> Evaluation:
        """The evaluation that all of them belong to."""
        return self.runs[0].evaluation


@dataclass(frozen=True)
class Draining:
    """The slot is leased nothing more; `why` is for its log."""

    why: str


DRAINS = "An admin has this worker drain: it finishes what it holds and gets no new case until it is resumed."

# With its columns in a known order, for otherwise they are looked up by name at each claim. Without comments and
# layout: psycopg looks through the text anew each time, for it keeps only shorter ones.
_COLUMNS = CaseRun.__table__.columns
STATEMENT = (
    (Path(__file__).with_name("claim.sql")).read_text().replace("{columns}", ", ".join(_COLUMNS.keys()))
)
_SHORT = " ".join(re.sub("--.*", "", STATEMENT).split())
_HAD = column("had", JSONB)
_CLAIMED = select(CaseRun, _HAD).from_statement(text(_SHORT).columns(*_COLUMNS, _HAD))


def claim(
    session: Session, worker: RunWorker, slot: SlotOffer, *, settings: Settings
) -> Leased | Draining | None:
    """Leases what `slot` should run next, fairest first, or None if nothing waits that it can run.

    A slot that drains is noted as present and leased nothing.

    Raises:
        NotNow: the slot has a pause or holds as much as it may, or its token has too many slots; nothing is leased.
    """
    drains = admit(session, worker, slot.name)
    widths = WIDTHS[:1] if drains else WIDTHS
    claims = (_claim_first(session, worker, slot, width, settings, drains=drains) for width in widths)
    found = next(filter(None, claims), None)
    if found is None:
        return Draining(DRAINS) if drains else None
    first, held = found
    batch = batch_of(session, first, slot)
    wanted = 1 if first.faults else batch.most
    if wanted > 1:
        wanted = min(wanted, room(held, batch.mode, most_of(batch.mode, slot)))
    more = _more(session, first, wanted - 1) if wanted > 1 else ()
    mode = Mode.FRESH if batch.mode is Mode.PACKED and not more else batch.mode
    room(held, mode, most_of(mode, slot))
    if mode is not Mode.FRESH:
        first.mode = mode
    for run in more:
        _lease(session, run, mode, worker, slot, settings)
    return Leased([first, *more], mode)


def _claim_first(
    session: Session, worker: RunWorker, slot: SlotOffer, width: int, settings: Settings, *, drains: bool
) -> tuple[CaseRun, Mapping[str, int]] | None:
    values = parameters(worker.id, slot) | {
        "width": width,
        "drains": drains,
        "offered": list(slot.runtimes),
        "gpu_model": slot.gpu_model,
        "gpu_driver": slot.gpu_driver,
        "gpu_cuda": slot.gpu_cuda,
        "most": slot.most,
        "invoke": slot.invoke,
        "lease_seconds": settings.lease_seconds,
        "actor": worker.actor,
        "event": new_id(),
        "start_event": new_id(),
    }
    claimed = session.execute(_CLAIMED, values, execution_options={"populate_existing": True}).one_or_none()
    return None if claimed is None else (claimed[0], claimed[1] or {})


def _more(session: Session, first: CaseRun, most: int) -> Sequence[CaseRun]:
    """Further cases to run with `first`; what met a fault of ours is not among them but leased alone.

    It may be such a case that kills its worker. And most of those that a lost worker held were not even begun: held
    together again, they would collect the faults that end an evaluation.
    """
    query = select(CaseRun).where(
        CaseRun.evaluation_id == first.evaluation_id,
        CaseRun.status == CaseStatus.WAITING,
        CaseRun.faults == 0,
    )
    if not first.evaluation.cleared:
        query = query.where(CaseRun.position < first.evaluation.first_cases)
    locked = query.order_by(CaseRun.position).limit(most).with_for_update(skip_locked=True)
    return session.scalars(locked, execution_options={"populate_existing": True}).all()


def _lease(
    session: Session, run: CaseRun, mode: Mode, worker: RunWorker, slot: SlotOffer, settings: Settings
) -> None:
    run.claim_no += 1
    run.mode = mode
    run.output, run.downloads = None, 0  # what an earlier claim uploaded is not this one's
    run.worker, run.worker_id = slot.name, worker.id
    run.started_at = func.clock_timestamp()
    run.lease_until = func.clock_timestamp() + timedelta(seconds=settings.lease_seconds)
    run.move_to(session, CaseStatus.RUNNING, actor=worker.actor)
