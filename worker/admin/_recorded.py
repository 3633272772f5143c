"""What an installation's database tells `proctor-admin doctor`: failures, strange slots, metrics that changed."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from server.database import unit_of_work
from server.evaluations import scorers
from server.evaluations.errors import headline
from server.leaderboard.bases import Stale, stale
from server.queue.slots import SlotState, slot_states
from server.tables import open_database
from worker.admin.findings import DoctorFinding, FindingState
from worker.embedded.account import SetupError
from worker.embedded.postgres import Postgres


def findings(data: Path, url: str | None) -> list[DoctorFinding]:
    """What the database at `url`, or the embedded one of `data`, tells; nothing where it does not answer."""
    try:
        sessions = open_database(url or Postgres(data).url(), pool_size=1)
    except SetupError:  # a path that is too long, which 'up' says
        return []
    try:
        with unit_of_work(sessions) as session:
            return [
                failures(headline(session)),
                *strange(slot_states(session)),
                *unscored(scorers.unserved(session)),
                *metrics(stale(session)),
            ]
    except SQLAlchemyError:  # not started, or not updated yet: nothing to tell
        return []
    finally:
        sessions.kw["bind"].dispose()


def failures(counted: str | None) -> DoctorFinding:
    """What the platform failed at lately and what waits for a fault to pass."""
    if counted is None:
        return DoctorFinding("evaluations", FindingState.OK, "none errored in the last day, none parked")
    remedy = "'proctor-admin errors' says why; 'proctor-admin retry' runs again what is errored."
    return DoctorFinding("evaluations", FindingState.WARN, counted, remedy)


def strange(states: Sequence[SlotState]) -> Iterator[DoctorFinding]:
    """Slots that return too much of what they are leased, or hold it too long."""
    for state in states:
        if state.warning is not None and state.refused is None:
            remedy = (
                "Look at that host; 'proctor-admin revoke-worker' shuts a worker out and puts its cases back."
            )
            yield DoctorFinding(f"slot {state.slot.name}", FindingState.WARN, state.warning, remedy)


def unscored(found: Sequence[scorers.Unserved]) -> Iterator[DoctorFinding]:
    """Challenges that no score worker takes."""
    remedy = "Start a score worker that names the challenge, or one without PROCTOR_SCORES_CHALLENGES, which takes all."
    for sentence in scorers.sentences(found):
        yield DoctorFinding("scoring", FindingState.WARN, sentence, remedy)


def metrics(differing: Sequence[Stale]) -> Iterator[DoctorFinding]:
    """Whether present metrics are those that scored what the leaderboards hold."""
    if not differing:
        yield DoctorFinding("metrics", FindingState.OK, "those that scored what the leaderboards hold")
    for check in differing:
        were = f"{check.evaluations} evaluation{'s were' if check.evaluations != 1 else ' was'} scored"
        what = (
            f"how {were} is not known"
            if check.metric is None
            else f"{check.metric} differs from what {were} with"
        )
        remedy = (
            "The leaderboards list them as scored otherwise; what their teams submit from now on is ranked."
        )
        yield DoctorFinding("metrics", FindingState.WARN, f"{check.challenge}: {what}", remedy)
