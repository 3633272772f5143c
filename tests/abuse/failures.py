"""Cases that fail as an image chooses, and evaluations that are older than they are."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import update

from server.database import unit_of_work
from server.evaluations.models import CaseRun, Evaluation
from tests.server.lab import Lab


def fail(lab: Lab, verdicts: list[tuple[str, str | None]]) -> None:
    """Cases end as `verdicts` say, the first three of them as whatever waits is leased."""
    worker = lab.worker()
    for fault, check in verdicts:
        assert worker.finish(worker.take(), fault=fault, check=check).status_code == 204


def aged(lab: Lab, evaluation: str, seconds: float) -> None:
    """The evaluation and all that happened to it is `seconds` older."""
    back, own = timedelta(seconds=seconds), Evaluation.id == UUID(evaluation)
    with unit_of_work(lab.sessions) as session:
        times = {
            column: column - back
            for column in (Evaluation.created_at, Evaluation.started_at, Evaluation.finished_at)
        }
        session.execute(update(Evaluation).where(own).values(times))
        runs = CaseRun.evaluation_id == UUID(evaluation)
        session.execute(update(CaseRun).where(runs).values({CaseRun.finished_at: CaseRun.finished_at - back}))
