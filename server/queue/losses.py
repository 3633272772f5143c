"""Cases that slots lost lately: a run worker that dies and is started again comes back under the same name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from contract.ids import TokenId
from evaluator.verdicts import PlatformFault
from server.accounts.models import ApiToken
from server.evaluations.models import Trouble
from server.words import counted

LATELY = timedelta(hours=1)
_MOST = 100
_OFTEN = 2
"""So many stops within that time are no accident."""


@dataclass(frozen=True)
class Lost:
    """What a slot lost lately. stops: moments at which it did, for all that it held is lost at once."""

    worker_id: TokenId
    slot: str
    stops: int
    cases: int
    first: datetime
    last: datetime

    @property
    def often(self) -> bool:
        """Whether it stops again and again."""
        return self.stops >= _OFTEN

    def __str__(self) -> str:
        return f"stopped {_times([self])}, {counted(self.cases, 'case', 'cases')} lost"


Losses = Mapping[tuple[TokenId, str], Lost]


def lately(session: Session) -> Losses:
    """What was lost within the last hour, by worker and slot; nothing of workers whose token is revoked or retired."""
    rows = session.execute(
        select(
            Trouble.worker_id,
            Trouble.worker,
            func.count(Trouble.created_at.distinct()),
            func.count(),
            func.min(Trouble.created_at),
            func.max(Trouble.created_at),
        )
        .join(ApiToken, ApiToken.id == Trouble.worker_id)
        .where(
            Trouble.code == PlatformFault.WORKER_LOST,
            Trouble.created_at > func.now() - LATELY,
            Trouble.worker.is_not(None),
            ApiToken.revoked_at.is_(None),
            ApiToken.retired_at.is_(None),
        )
        .group_by(Trouble.worker_id, Trouble.worker)
        .order_by(Trouble.worker)
    )
    return {
        (worker_id, slot): Lost(worker_id, slot, stops, cases, first, last)
        for worker_id, slot, stops, cases, first, last in rows
        if worker_id is not None and slot is not None
    }


@dataclass(frozen=True)
class Met:
    """Faults of one kind that cases met on one slot within a day; all but `lost` were named by the worker."""

    worker: str
    slot: str
    code: str
    lost: bool
    cases: int
    last: datetime


def faults(session: Session) -> list[Met]:
    """What cases met within a day, by slot and kind, the latest first; it was run again, or its evaluation errored."""
    last = func.max(Trouble.created_at)
    rows = session.execute(
        select(ApiToken.name, Trouble.worker, Trouble.code, func.count(), last)
        .join(ApiToken, ApiToken.id == Trouble.worker_id)
        .where(Trouble.created_at > func.now() - timedelta(days=1), Trouble.case_run_id.is_not(None))
        .group_by(ApiToken.name, Trouble.worker, Trouble.code)
        .order_by(last.desc())
        .limit(_MOST)
    )
    return [
        Met(worker, slot or worker, code, code is PlatformFault.WORKER_LOST, cases, at)
        for worker, slot, code, cases, at in rows
    ]


def sentence(losses: Losses) -> str | None:
    """Such as "2 slots stopped 5 times in 3 minutes, 5 cases lost …"; None where none stops again and again."""
    found = [lost for lost in losses.values() if lost.often]
    if not found:
        return None
    cases = counted(sum(lost.cases for lost in found), "case", "cases")
    return (
        f"{counted(len(found), 'slot', 'slots')} stopped {_times(found)}, {cases} lost and put back: the run worker "
        f"dies and is started again. Its log says why ({', '.join(lost.slot for lost in found[:3])}"
        f"{' and others' if len(found) > 3 else ''})."
    )


def _times(found: Sequence[Lost]) -> str:
    stops = sum(lost.stops for lost in found)
    if stops == 1:
        return "once"
    span = max(lost.last for lost in found) - min(lost.first for lost in found)
    return f"{stops} times in {counted(max(1, round(span.total_seconds() / 60)), 'minute', 'minutes')}"
