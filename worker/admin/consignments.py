"""Waiting until a score worker has made a version of the cases of what was sent."""

import time
from typing import Any
from uuid import UUID

from contract.consignments import ConsignmentOut
from contract.ids import ConsignmentId
from contract.statuses import ConsignmentState
from server.datasets.corrections import require_trees
from server.errors import Conflict
from server.settings import Settings
from server.tables import open_database
from worker.admin.api import Api, Refused
from worker.admin.context import fail
from worker.score.consignments import work_off

_LOOK_EVERY = 0.5
_UNTAKEN_SECONDS = 600.0


def made_of_consignment(here: Api, challenge: str, answer: dict[str, Any]) -> dict[str, Any]:
    """The version that was made of what `answer` says was taken, as JSON.

    On the machine of the installation this process makes it, where it sees the labels: no score worker has to run.

    Raises:
        Refused: nothing was made.
    """
    if here.settings is not None:
        _work_off_here(here.settings, answer["id"])
    until = time.monotonic() + _UNTAKEN_SECONDS
    path = f"/organize/{challenge}/consignments/{answer['id']}"
    while (consignment := ConsignmentOut.model_validate(here.get(path))).ended_at is None:
        if consignment.state != ConsignmentState.WAITING:
            until = time.monotonic() + _UNTAKEN_SECONDS
        elif time.monotonic() > until:
            fail(
                "No score worker has taken what was sent: is one running, or busy with another one? It is kept, "
                f"and the version made once one takes it; 'proctor-admin datasets {challenge}' shows it then."
            )
        time.sleep(_LOOK_EVERY)
    if consignment.made is None:
        raise Refused({} if consignment.refused is None else consignment.refused.model_dump())
    return consignment.made.model_dump(mode="json")


def _work_off_here(settings: Settings, id_: str) -> None:
    try:
        require_trees(settings)
    except Conflict:
        return
    sessions = open_database(settings.database_url)
    try:
        work_off(sessions, settings, ConsignmentId(UUID(id_)))
    finally:
        sessions.kw["bind"].dispose()
