"""What organizers have sent for versions of the cases becomes these, where labels may be read and written."""

import shutil
from functools import partial

import structlog

from contract.ids import ConsignmentId
from contract.problems import ErrorCode
from server.consignments import incoming, service
from server.consignments.models import Consignment
from server.consignments.work import make
from server.database import SessionFactory, unit_of_work
from server.disk import closed
from server.errors import Conflict, DataMissing, Problem
from server.settings import Settings
from worker.score.leases import DATABASE_AWAY, kept

_RENEW_EVERY = 20.0
_FAILED = (
    "Nothing was made, by a failure of the platform: the score worker's log says which. Tell its operator."
)

_log = structlog.get_logger()


def work_off(sessions: SessionFactory, settings: Settings, only: ConsignmentId | None = None) -> int:
    """Makes what waits, or the `only` consignment that is meant if it does; returns how many it has taken."""
    taken = 0
    while True:
        with unit_of_work(sessions) as session:
            consignment = service.claim(session, only, settings.scores_challenges)
        if consignment is None:
            return taken
        work_one_off(sessions, settings, consignment.id, consignment.claim_no)
        taken += 1


def work_one_off(
    sessions: SessionFactory, settings: Settings, consignment_id: ConsignmentId, claim: int
) -> None:
    log = _log.bind(consignment=str(consignment_id))
    scratch = closed(settings.scratch) / f"{consignment_id}-{claim}"
    try:
        scratch.mkdir(mode=0o700)
        with kept(
            sessions,
            partial(service.renew, consignment_id=consignment_id, claim_no=claim),
            every=_RENEW_EVERY,
        ):
            problem = made(sessions, settings, consignment_id, claim)
            if problem is not None:
                with unit_of_work(sessions) as session:
                    service.settle(session, consignment_id, claim, problem=problem)
        incoming.remove(settings, consignment_id)
        log.info("consignment_worked_off", refused=problem and problem.code)
    except Conflict:
        log.warning("consignment_lost")
    except DATABASE_AWAY as error:  # it is taken again once the lease is over
        log.error("consignment_not_told", error=type(error).__name__)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def made(
    sessions: SessionFactory, settings: Settings, consignment_id: ConsignmentId, claim: int
) -> Problem | None:
    """Makes the version, and says so of the consignment in the same unit of work; or why nothing was made.

    Raises:
        Conflict: another score worker has it; nothing was made then either.
    """
    log = _log.bind(consignment=str(consignment_id))
    try:
        with unit_of_work(sessions) as session:
            consignment = session.get_one(Consignment, consignment_id)
            made = make(session, consignment, settings.scratch / f"{consignment_id}-{claim}", settings)
            service.settle(session, consignment_id, claim, made=made)
        return None
    except Problem as problem:
        if problem.code == ErrorCode.CONSIGNMENT_LOST:
            raise
        return problem
    except DATABASE_AWAY:
        raise
    except Exception:
        log.exception("consignment_defect")
        return DataMissing(ErrorCode.INTERNAL_ERROR, _FAILED)
