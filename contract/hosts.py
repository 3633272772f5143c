"""What admins send and read where they act on run workers."""

from typing import Annotated

from pydantic import Field

from contract.admin import AnsweredOut, WorkerRow
from contract.answers import Answer
from contract.bounds import AwareMoment, Strict
from contract.leases import SlotName
from contract.reevaluations import ReevaluationMode, ReevaluationOut, Why


class WorkerWhyIn(Strict):
    """Why something is done with a run worker, for the event log."""

    why: Why | None = None


class DrainIn(WorkerWhyIn):
    """Whether one `slot` of a run worker is meant, or all of it."""

    slot: SlotName | None = None


class RotateIn(Strict):
    """For how many minutes a run worker's old token works beside the new one."""

    minutes: Annotated[int, Field(strict=True, ge=0, le=7 * 24 * 60)] = 60


class SuspectIn(Strict):
    """Which answers of a run worker are doubted: of cases that ended in this span; how they are made anew, and why."""

    since: AwareMoment | None = None
    until: AwareMoment | None = None
    mode: ReevaluationMode = ReevaluationMode.RERUN
    why: Why


class SuspectedOut(Answer):
    """The worker, which drains; what it answered, and the drafts of re-evaluations; why of `others` there is none."""

    worker: WorkerRow
    answered: list[AnsweredOut]
    drafts: list[ReevaluationOut]
    others: list[str]
