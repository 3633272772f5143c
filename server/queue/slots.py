"""The slots of run workers: which are present, what they can run, and which have found themselves unfit."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Self

from sqlalchemy import case, false, func, select
from sqlalchemy.orm import Session

from contract.ids import ChallengeId
from contract.statuses import CaseStatus, EvaluationStatus
from evaluator.spec import Limits
from server.accounts.models import ApiToken
from server.clock import now
from server.evaluations.models import COUNTS, CaseRun, Evaluation
from server.evaluations.status import HAS_CASES
from server.evaluations.worker_models import WorkerSlot
from server.queue.losses import Lost, lately
from server.queue.policy import ANY_RUNTIME, PRESENT_SECONDS, needs_of
from server.words import of_card

_MANY = 5
_EXAMINATION = timedelta(minutes=10)
_FETCHING, _PATIENCE = 20.0, 4.0
"""Minutes for an image and inputs, and how many times its limit a case may take with what runs before it."""


@dataclass(frozen=True)
class SlotState:
    """A slot as admins see it: what it offers, and what it runs if anything.

    `refused`: why its worker is not let in any more, if so; `present`: it is, and it was seen in the last minute.
    `oldest`: since when it holds the oldest of its cases; `warning`: what is strange about how it goes about them;
    `lost`: what it lost lately; `examined`: it takes nothing before its host has passed the checks that are under way.
    """

    slot: WorkerSlot
    worker: str | None
    present: bool
    refused: str | None
    running: int
    evaluation: Evaluation | None
    oldest: datetime | None = None
    warning: str | None = None
    lost: Lost | None = None
    draining_since: datetime | None = None
    examined: bool = False

    @property
    def strange(self) -> str | None:
        """The warning, and that it stops again and again."""
        often = str(self.lost) if self.lost is not None and self.lost.often else None
        return "; ".join(filter(None, (often, self.warning))) or None

    @property
    def takes_work(self) -> bool:
        """Whether it is leased what it can run."""
        return self.present and self.slot.unfit is None and self.draining_since is None and not self.examined

    @property
    def state(self) -> str:
        """One word or two for all of it; what an admin has to do something about comes first."""
        if self.refused is not None:
            return self.refused
        if self.slot.unfit is not None:
            return "unfit"
        if self.draining_since is not None:
            return "draining" if self.running else "drained"
        if self.examined:
            return "being examined"
        return "present" if self.present else "gone"


@dataclass(frozen=True)
class Needs:
    """Where an evaluation stands, and what a case of it needs of a slot; memory in bytes."""

    status: EvaluationStatus
    needs_cpus: float
    needs_memory: int
    needs_gpus: int
    needs_gpu_memory: int
    needs_runtime: str

    @classmethod
    def of(cls, limits: Limits) -> Self:
        """What a case under these limits will need."""
        return cls(status=EvaluationStatus.QUEUED, **needs_of(limits))


NEEDED = (
    Evaluation.status,
    Evaluation.needs_cpus,
    Evaluation.needs_memory,
    Evaluation.needs_gpus,
    Evaluation.needs_gpu_memory,
    Evaluation.needs_runtime,
)
"""The fields of `Needs`, in their order. A queue of a thousand has a few of them, which are looked at instead."""


def present_slots(session: Session) -> list[WorkerSlot]:
    """The slots that asked for a case, or kept a lease alive, in the last minute, and take work."""
    return [state.slot for state in _seen(session) if state.takes_work]


def _seen(session: Session) -> list[SlotState]:
    recent = WorkerSlot.seen_at > func.now() - func.make_interval(0, 0, 0, 0, 0, 0, PRESENT_SECONDS)
    refused = case(
        (ApiToken.revoked_at.is_not(None), "token revoked"),
        (ApiToken.issued_at > WorkerSlot.seen_at, "token replaced"),
    )
    drains = func.coalesce(ApiToken.draining_since, WorkerSlot.draining_since)
    # A worker that was killed meanwhile never says that it has ended.
    examined = func.coalesce(WorkerSlot.examining_since > func.now() - _EXAMINATION, false())
    rows = session.execute(
        select(WorkerSlot, ApiToken.name, recent, refused, drains, examined)
        .outerjoin(ApiToken, ApiToken.id == WorkerSlot.worker_id)
        .where(ApiToken.retired_at.is_(None))
        .order_by(WorkerSlot.name, WorkerSlot.seen_at)
    )
    newest = {  # a worker whose token was revoked comes back with another of the same name, and is the same slot
        (slot.name, worker or slot.worker_id): SlotState(
            slot,
            worker,
            (seen or examining) and why is None,
            why,
            0,
            None,
            draining_since=since,
            examined=examining and why is None,
        )
        for slot, worker, seen, why, since, examining in rows
    }
    return list(newest.values())


def slot_states(session: Session) -> list[SlotState]:
    """Every slot that ever asked for a case, by name; one that came back with a new token counts once."""
    at = now(session)
    running = select(CaseRun.worker_id, CaseRun.worker, func.count(), func.min(CaseRun.started_at)).where(
        CaseRun.status == CaseStatus.RUNNING
    )
    held = {
        (worker_id, name): (count, oldest)
        for worker_id, name, count, oldest in session.execute(
            running.group_by(CaseRun.worker_id, CaseRun.worker)
        )
    }
    seen = _seen(session)
    ids = {state.slot.evaluation_id for state in seen if (state.slot.worker_id, state.slot.name) in held}
    leased = {
        evaluation.id: evaluation
        for evaluation in session.scalars(select(Evaluation).where(Evaluation.id.in_(ids)))
    }
    lost, found = lately(session), []
    for state in seen:
        key = state.slot.worker_id, state.slot.name
        count, oldest = held.get(key, (0, None))
        evaluation = leased.get(state.slot.evaluation_id) if count and state.slot.evaluation_id else None
        state = replace(state, running=count, evaluation=evaluation, oldest=oldest, lost=lost.get(key))
        found.append(replace(state, warning=warning_of(state, at)))
    return found


def warning_of(state: SlotState, at: datetime) -> str | None:
    """What is strange about how a slot goes about its cases; None as a rule."""
    slot, said = state.slot, []
    if state.examined and slot.examining_since is not None:
        since = f"{slot.examining_since.astimezone(UTC):%H:%M:%S} UTC"
        said.append(f"takes no case before its host has passed its checks, which run since {since}")
    back = slot.handed_back + slot.abandoned + slot.faulted
    if back >= _MANY and back > slot.finished:
        kinds = ((slot.handed_back, "handed back"), (slot.abandoned, "abandoned"), (slot.faulted, "faulted"))
        parts = ", ".join(f"{count} {kind}" for count, kind in kinds if count)
        said.append(f"gave back {back} of {back + slot.finished} cases ({parts})")
    if slot.paused_until is not None and slot.paused_until > at:
        said.append(f"has a pause until {slot.paused_until.astimezone(UTC):%H:%M:%S} UTC")
    if state.evaluation is not None and state.oldest is not None:
        minutes = (at - state.oldest).total_seconds() / 60
        limits = state.evaluation.spec_version.spec.limits_of(state.evaluation.task)
        longest = _FETCHING + _PATIENCE * limits.seconds_per_case / 60
        if minutes > longest:
            said.append(f"holds a case for {minutes:.0f} min, where {longest:.0f} min are enough for one")
    return "; ".join(said) or None


@dataclass(frozen=True)
class Fleet:
    """Every slot that ever asked for a case, and the present time."""

    at: datetime
    slots: Sequence[SlotState]


def fleet(session: Session) -> Fleet:
    """The slots as they are now, without what they run."""
    at = now(session)
    return Fleet(at, _seen(session))


def no_worker_note(
    evaluation: Evaluation | Needs, known: Fleet, status: EvaluationStatus | None = None
) -> str | None:
    """Why nothing happens, where no present slot could run its cases; `status`: as its reader sees it, if not so."""
    status = status or evaluation.status
    if status not in HAS_CASES:
        return None
    fitting = [state for state in known.slots if fits(evaluation, state.slot)]
    if any(state.takes_work for state in fitting):
        return None
    if any(state.present for state in fitting):
        # What of it runs just now, nobody is told of hidden cases.
        first = (
            "Waits" if status is EvaluationStatus.QUEUED else "What runs of it is finished, the rest waits"
        )
        what = f"{first}: the worker that could run it takes no work at present"
    elif fitting:
        last = max(state.slot.seen_at for state in fitting)
        what = f"Waits: no worker that could run it is there since {_moment(last, known.at)}"
    elif any(state.present for state in known.slots):
        what = f"Waits: no worker offers {needs(evaluation)}"
    else:
        what = f"Waits: no worker is there, and none has offered {needs(evaluation)} so far"
    return f"{what}; the organizers see it. Nothing is lost: it goes on when one takes work."


def standstill(session: Session, challenge_id: ChallengeId) -> list[tuple[str, int]]:
    """What keeps evaluations of a challenge waiting for want of a worker, and how many, the most first."""
    active = Evaluation.status.in_(HAS_CASES)
    rows = session.execute(
        select(*NEEDED, func.count())
        .where(COUNTS, Evaluation.challenge_id == challenge_id, active)
        .group_by(*NEEDED)
    ).all()
    known = fleet(session) if rows else None
    counts: Counter[str] = Counter()
    for status, cpus, memory, gpus, gpu_memory, runtime, count in rows:
        what = Needs(status, cpus, memory, gpus, gpu_memory, runtime)
        note = None if known is None else no_worker_note(what, known, EvaluationStatus.QUEUED)
        if note is not None:
            counts[note] += count
    return counts.most_common()


def _moment(then: datetime, now: datetime) -> str:
    """A time of today by the clock, another with its day; in UTC."""
    then, now = then.astimezone(UTC), now.astimezone(UTC)
    return f"{then:%H:%M} UTC" if then.date() == now.date() else f"{then:%Y-%m-%d %H:%M} UTC"


def needs(evaluation: Evaluation | Needs) -> str:
    """What a slot has to offer for this evaluation, as people read it."""
    parts = [
        f"{evaluation.needs_cpus:g} CPU{'' if evaluation.needs_cpus == 1 else 's'}",
        f"{evaluation.needs_memory / 2**30:g} GiB of memory",
    ]
    if evaluation.needs_gpus:
        parts.append(f"{evaluation.needs_gpus} GPU{of_card(evaluation.needs_gpu_memory)}")
    if evaluation.needs_runtime != ANY_RUNTIME:
        parts.append(f"the runtime {evaluation.needs_runtime}")
    return ", ".join(parts)


def fits(evaluation: Evaluation | Needs, slot: WorkerSlot) -> bool:
    """Whether `slot` offers what a case of `evaluation` needs."""
    return (
        slot.cpus >= evaluation.needs_cpus
        and slot.memory >= evaluation.needs_memory
        and slot.gpus >= evaluation.needs_gpus
        and slot.gpu_memory >= evaluation.needs_gpu_memory
        and evaluation.needs_runtime in (ANY_RUNTIME, *slot.runtimes)
    )
