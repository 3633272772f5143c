"""When each phase's queue will be empty, and what would change it: measured seconds over the slots that are present."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from contract.ids import ChallengeId, EvaluationId
from contract.queue import DemandOut, Forecast, ForecastChange, PhaseForecast, TaskForecast
from contract.statuses import CaseStatus, EvaluationStanding, Mode
from server.challenges.models import Challenge
from server.clock import now
from server.evaluations.errors import parked_sentence
from server.evaluations.models import CaseRun, Evaluation
from server.evaluations.status import HAS_CASES
from server.evaluations.worker_models import WorkerSlot
from server.queue.batches import may_invoke
from server.queue.outlook import Work, ends
from server.queue.slots import fits, fleet, needs, present_slots

_PACKED = 2


@dataclass(frozen=True)
class _Waiting:
    """An evaluation with cases that have no verdict, its challenge's name, and the seconds of a case.

    `invoked`: the seconds that a case of its task takes in a container for many, if any was measured; 0 if its own
    cases run like that already, or never will.
    """

    evaluation: Evaluation
    challenge: str
    work: Work
    measured: bool
    packs: bool
    invoked: float | None


def forecast(session: Session) -> Forecast:
    """The forecast from what the database holds now."""
    at, slots = now(session), present_slots(session)
    waiting = _waiting(session, slots)
    found = ends([state.work for state in waiting], len(slots))
    return Forecast(
        at=at,
        slots=len(slots),
        note=_note(waiting, slots, parked_sentence(session)),
        tasks=_tasks(waiting),
        phases=_phases(session, waiting, found, at),
        changes=_changes(waiting, slots),
    )


def demand(session: Session, slot: WorkerSlot, *, besides: str | None = None) -> DemandOut:
    """What a slot like `slot` could run of what has no verdict yet; slots of the worker `besides` do not count."""
    waiting = [state for state in _waiting(session, [slot]) if state.work.slots]
    others = [state.slot for state in fleet(session).slots if state.takes_work and state.worker != besides]
    return DemandOut(
        evaluations=len(waiting),
        cases=sum(state.work.cases for state in waiting),
        slot_seconds=sum(state.work.slot_seconds for state in waiting),
        slots=sum(any(fits(state.evaluation, other) for state in waiting) for other in others),
    )


def _note(waiting: Sequence[_Waiting], slots: Sequence[WorkerSlot], parked: str | None) -> str | None:
    said = f"After a fault of the platform {parked}; 'proctor-admin errors' shows them." if parked else ""
    if not waiting:
        return f"No case waits. {said}".strip()
    if slots:
        return said or None
    cases = sum(state.work.cases for state in waiting)
    missing = f"No slot is present that takes work: none of {cases:,} cases runs until a run worker is there and fit."
    return f"{missing} {said}".strip()


def _waiting(session: Session, slots: Sequence[WorkerSlot]) -> list[_Waiting]:
    left = (
        select(CaseRun.evaluation_id, func.count().label("cases"))
        .where(CaseRun.verdict.is_(None))
        .group_by(CaseRun.evaluation_id)
        .subquery()
    )
    rows = session.execute(
        select(Evaluation, Challenge.slug, left.c.cases)
        .join(left, left.c.evaluation_id == Evaluation.id)
        .join(Challenge, Challenge.id == Evaluation.challenge_id)
        .where(Evaluation.status.in_(HAS_CASES))
        .order_by(Challenge.slug, Evaluation.phase, Evaluation.task, Evaluation.created_at, Evaluation.id)
    )
    found, measure = [], Measured(session)
    for evaluation, slug, cases in rows:
        limits = evaluation.spec_version.spec.limits_of(evaluation.task)
        measured = measure.of(evaluation)
        work = Work(
            evaluation.id,
            evaluation.team_id,
            cases,
            limits.seconds_per_case if measured is None else measured,
            frozenset(number for number, slot in enumerate(slots) if fits(evaluation, slot)),
            evaluation.priority,
        )
        settled = evaluation.fresh_only or may_invoke(evaluation, limits)
        invoked = 0.0 if settled else measure.invoked(evaluation)
        found.append(_Waiting(evaluation, slug, work, measured is not None, limits.may_pack, invoked))
    return found


class Measured:
    """Slot seconds of a case: how long it kept its slot from the next one, whatever ran beside it or was made ready."""

    def __init__(self, session: Session) -> None:
        before = func.lag(CaseRun.finished_at).over(
            partition_by=(CaseRun.worker_id, CaseRun.worker), order_by=(CaseRun.finished_at, CaseRun.id)
        )
        held = func.extract("epoch", CaseRun.finished_at - func.greatest(CaseRun.started_at, before))
        each = (
            select(CaseRun.evaluation_id, CaseRun.mode, held.label("seconds"))
            .where(CaseRun.status == CaseStatus.DONE, CaseRun.worker.is_not(None), CaseRun.copy_of.is_(None))
            .subquery()
        )
        rows = session.execute(
            select(
                Evaluation.id,
                Evaluation.challenge_id,
                Evaluation.task,
                func.avg(each.c.seconds),
                func.count(),
                func.avg(each.c.seconds).filter(each.c.mode == Mode.INVOKE),
            )
            .join(each, each.c.evaluation_id == Evaluation.id)
            .group_by(Evaluation.id)
        )
        self._own: dict[EvaluationId, float] = {}
        self._invoked: dict[tuple[ChallengeId, str], list[float]] = {}
        alike: dict[tuple[ChallengeId, str], list[tuple[float, int]]] = {}
        for evaluation, challenge, task, mean, count, invoked in rows:
            self._own[evaluation] = float(mean)
            alike.setdefault((challenge, task), []).append((float(mean), count))
            if invoked is not None:
                self._invoked.setdefault((challenge, task), []).append(float(invoked))
        self._alike = {
            key: sum(mean * count for mean, count in found) / sum(count for _, count in found)
            for key, found in alike.items()
        }

    def of(self, evaluation: Evaluation) -> float | None:
        """The mean of the evaluation's own cases, else of all of its task; None without any."""
        alike = self._alike.get((evaluation.challenge_id, evaluation.task))
        return self._own.get(evaluation.id, alike)

    def invoked(self, evaluation: Evaluation) -> float | None:
        """The mean over evaluations of its task that ran in containers for many cases; None without any."""
        found = self._invoked.get((evaluation.challenge_id, evaluation.task))
        return None if found is None else sum(found) / len(found)


def _tasks(waiting: Sequence[_Waiting]) -> list[TaskForecast]:
    groups: dict[tuple[str, str, str], list[_Waiting]] = {}
    for state in waiting:
        groups.setdefault((state.challenge, state.evaluation.phase, state.evaluation.task), []).append(state)
    return [_task(*names, group) for names, group in groups.items()]


def _task(challenge: str, phase: str, task: str, group: Sequence[_Waiting]) -> TaskForecast:
    cases = sum(state.work.cases for state in group)
    seconds = sum(state.work.slot_seconds for state in group)
    stuck = next((state for state in group if not state.work.slots), None)
    return TaskForecast(
        challenge=challenge,
        phase=phase,
        task=task,
        evaluations=len(group),
        cases=cases,
        seconds_per_case=seconds / cases,
        measured=all(state.measured for state in group),
        slot_seconds=seconds,
        nobody_offers=None if stuck is None else needs(stuck.evaluation),
    )


def _phases(
    session: Session, waiting: Sequence[_Waiting], found: dict[EvaluationId, float], at: datetime
) -> list[PhaseForecast]:
    groups: dict[tuple[str, str], list[_Waiting]] = {}
    for state in waiting:
        if state.evaluation.standing is EvaluationStanding.IN_FORCE:  # no phase waits for a re-evaluation
            groups.setdefault((state.challenge, state.evaluation.phase), []).append(state)
    return [_phase(session, *names, group, found, at) for names, group in groups.items()]


def _phase(
    session: Session,
    challenge: str,
    phase: str,
    group: Sequence[_Waiting],
    found: dict[EvaluationId, float],
    at: datetime,
) -> PhaseForecast:
    spec = session.get_one(Challenge, group[0].evaluation.challenge_id).spec
    closes = spec.phases[phase].closes if phase in spec.phases else None
    last = [found.get(state.evaluation.id) for state in group]
    known = [seconds for seconds in last if seconds is not None]
    end = at + timedelta(seconds=max(known)) if len(known) == len(last) else None
    return PhaseForecast(
        challenge=challenge,
        phase=phase,
        cases=sum(state.work.cases for state in group),
        slot_seconds=sum(state.work.slot_seconds for state in group),
        ends=end,
        closes=closes,
        in_time=None if end is None or closes is None else end <= closes,
    )


def _changes(waiting: Sequence[_Waiting], slots: Sequence[WorkerSlot]) -> list[ForecastChange]:
    """One more slot like the largest, cases packed or given to one container, and the longest image left out."""
    work = [state.work for state in waiting]
    if not work or not slots:
        return []
    before = _end(work, len(slots))
    largest = max(
        range(len(slots)),
        key=lambda number: (sum(number in item.slots for item in work), slots[number].memory),
    )
    more = [
        replace(item, slots=item.slots | {len(slots)}) if largest in item.slots else item for item in work
    ]
    longest = max(work, key=lambda item: item.slot_seconds)
    rest = [item for item in work if item is not longest]
    return [
        ForecastChange(
            what=f"one more slot like {slots[largest].name}", seconds=_end(more, len(slots) + 1) - before
        ),
        *_packed(waiting, len(slots), before),
        *_invoked(waiting, len(slots), before),
        ForecastChange(
            what=f"without the evaluation with most left ({longest.evaluation})",
            seconds=_end(rest, len(slots)) - before,
        ),
    ]


def _packed(waiting: Sequence[_Waiting], slots: int, before: float) -> list[ForecastChange]:
    """Two cases at once, where any of those that wait may be packed."""
    if not any(state.packs for state in waiting):
        return []
    work = [
        replace(state.work, seconds=state.work.seconds / _PACKED) if state.packs else state.work
        for state in waiting
    ]
    what = "two cases at once where packing is allowed, at best"
    return [ForecastChange(what=what, seconds=_end(work, slots) - before)]


def _invoked(waiting: Sequence[_Waiting], slots: int, before: float) -> list[ForecastChange]:
    """One container for many cases, for those that it is known for and that do not run like that already."""
    others = [state for state in waiting if state.invoked != 0]
    known = [state for state in others if state.invoked is not None]
    if not others:
        return []
    what = "one container for many cases (limits.invoke, and images that can)"
    if not known:
        return [ForecastChange(what=f"{what}: none has run like that yet", seconds=None)]
    tasks = ", ".join(sorted({state.evaluation.task for state in known}))
    work = [replace(state.work, seconds=state.invoked or state.work.seconds) for state in waiting]
    return [ForecastChange(what=f"{what}, as measured for {tasks}", seconds=_end(work, slots) - before)]


def _end(work: Sequence[Work], slots: int) -> float:
    return max(ends(work, slots).values(), default=0.0)
