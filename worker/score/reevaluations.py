"""The clock's side of re-evaluations: those whose evaluations have all ended go on, each by itself."""

import structlog

from server.database import SessionFactory, unit_of_work
from server.reevaluations import service
from server.settings import Settings

_log = structlog.get_logger()


def advance_ended(sessions: SessionFactory, settings: Settings) -> None:
    """Has each in a unit of work of its own: none waits with another challenge's lock, or for one that fails."""
    with unit_of_work(sessions) as session:
        ended = service.ended(session)
    for reevaluation_id in ended:
        log = _log.bind(reevaluation=str(reevaluation_id))
        try:
            with unit_of_work(sessions) as session:
                service.advance(session, reevaluation_id, settings=settings)
        except Exception:
            log.exception("reevaluation_not_advanced")
