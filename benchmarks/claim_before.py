"""The statement that leases one of 100,000 waiting cases, beside that of commit 11b0b6d, on the same database."""

import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import text

from benchmarks.support.compare import Comparison, compare
from benchmarks.support.services import installation
from benchmarks.support.waiting import fill
from contract.leases import SlotOffer
from server.accounts.principals import RunWorker
from server.accounts.service import authenticate_run_worker
from server.accounts.tokens import create_worker_token
from server.database import SessionFactory, unit_of_work
from server.evaluations.models import CaseRun
from server.ids import new_id
from server.queue.claim import STATEMENT
from server.queue.policy import WIDTHS, parameters
from server.settings import Settings
from server.tables import open_database

_SHAPES = ((25, 4000), (1000, 100))
"""Evaluations, each of a team of its own, and the cases of each."""
_REPEAT, _SLOTS, _HOLDS, _LEAST = 500, 10_000, 4, 0.9
_BEFORE = Path(__file__).parent / "support" / "claim_before.sql"
_SLOT = SlotOffer(name="bench", cpus=64, memory=2**40, gpus=1, gpu_memory=2**40)


def run() -> list[Comparison]:
    """Both choose, lease, write slot and events, and commit; a few evaluations or many."""
    return [_measure(teams, cases) for teams, cases in _SHAPES]


def _measure(teams: int, cases: int) -> Comparison:
    with installation() as settings:
        sessions = open_database(settings.database_url, pool_size=1)
        with unit_of_work(sessions) as session:
            worker = authenticate_run_worker(session, create_worker_token(session, "bench", slots=_SLOTS))
            fill(session, teams, cases)
        before = _BEFORE.read_text().replace("{columns}", ", ".join(CaseRun.__table__.columns.keys()))
        with unit_of_work(sessions) as session:
            session.execute(text("ANALYZE"))
        result = compare(
            f"the claim's statement, {teams * cases:,} waiting cases of {teams:,} evaluations",
            ("claim.sql", _claims(STATEMENT, "now", sessions, worker, settings)),
            ("commit 11b0b6d", _claims(before, "before", sessions, worker, settings)),
            repeat=_REPEAT,
            least=_LEAST,
        )
        sessions.kw["bind"].dispose()
        return result


def _claims(
    statement: str, side: str, sessions: SessionFactory, worker: RunWorker, settings: Settings
) -> Callable[[], None]:
    """Leases one case, committed, to slots of this side's own; each holds no more than one may."""
    query = text(" ".join(re.sub("--.*", "", statement).split()))
    numbers = itertools.count()

    def claim() -> None:
        slot = _SLOT.model_copy(update={"name": f"{side}-{next(numbers) // _HOLDS}"})
        values: dict[str, Any] = {
            "width": WIDTHS[0],
            "offered": list(slot.runtimes),
            "most": slot.most,
            "invoke": slot.invoke,
            "lease_seconds": settings.lease_seconds,
            "actor": worker.actor,
            "event": new_id(),
            "start_event": new_id(),
        }
        with unit_of_work(sessions) as session:
            session.execute(query, values | parameters(worker.id, slot)).one()

    return claim
