"""The clock's side of notices: each look in a unit of work of its own, for one that fails keeps none of the others."""

from collections.abc import Callable
from functools import partial

import structlog
from sqlalchemy.orm import Session

from server.database import SessionFactory, unit_of_work
from server.lookout import ends, faults, phases
from server.settings import Settings

_log = structlog.get_logger()


def tell_of_time(sessions: SessionFactory, settings: Settings) -> None:
    """Tells of ends, phases and faults that have come since."""
    looks: tuple[Callable[[Session], object], ...] = (
        ends.tell_ended,
        phases.tell_phases,
        faults.tell_errored,
        faults.tell_waiting,
        partial(faults.tell_disk, settings=settings),
    )
    log = _log.bind()
    for look in looks:
        try:
            with unit_of_work(sessions) as session:
                look(session)
        except Exception:
            log.exception("not_told")
