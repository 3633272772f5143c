"""Images at which the engine itself fails, on every host and each time: the image's fault, and not the platform's.

And the other way round: a disturbed engine never ends anybody's evaluation as REJECTED.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from server.database import unit_of_work
from server.evaluations.suspicion import FAULTS
from tests.server.lab import Entrant, FakeWorker, Json, Lab
from tests.server.test_parking import of, trouble, work

MakeEntrant = Callable[[str], Entrant]
ENGINE, MISSING = "engine_unavailable", "image_missing"


def submitted(lab: Lab, team: Entrant, other: Entrant) -> str:
    """An evaluation of an image at which every engine will fail, beside one of the other team that runs well."""
    lab.dataset("task3", cases=40)
    evaluation = team.submit()
    other.submit("task3")
    return evaluation


@pytest.mark.parametrize("fault", [ENGINE, MISSING])
@pytest.mark.parametrize("hosts", [1, 2])
def test_an_image_that_the_engine_fails_at_wherever_others_run_well_is_rejected(
    lab: Lab, team: Entrant, entrant: MakeEntrant, fault: str, hosts: int
) -> None:
    evaluation = submitted(lab, team, entrant("Other"))
    workers = [host(lab, f"host{number}") for number in range(hosts)]
    met = 0
    while met < 4 * FAULTS and team.evaluation(evaluation)["status"] in ("queued", "running"):
        for worker in workers:
            met += work(lab, worker, of(evaluation), faults=1, fault=fault)
    seen = team.evaluation(evaluation)
    assert (seen["status"], seen["reason_code"]) == ("rejected", "no_start")
    assert "No container of this image could be made" in seen["reason"]
    assert FAULTS <= met <= 3 * FAULTS
    told = trouble(lab, evaluation)
    assert told is not None
    assert f"{fault} (" in told
    assert "the engine hung" in told
    assert team.quota()["left"] == 3
    assert "the engine hung" not in str(seen)
    assert usage(lab, team) > 0, "what the image held of the slots is its team's"


def test_what_ran_when_the_disturbance_began_proves_nothing(
    lab: Lab, team: Entrant, entrant: MakeEntrant
) -> None:
    """The other image's containers run on and end while the engine makes no new ones."""
    evaluation = submitted(lab, team, entrant("Other"))
    worker = host(lab, "host")
    mine, theirs = sorted_leases(worker, evaluation, 4)
    assert mine
    assert theirs
    for _ in range(2 * FAULTS):
        for lease in mine:
            assert worker.release(lease, ENGINE, "no new containers") == 204
        lab.unpark()
        if theirs:
            assert worker.finish(theirs.pop(0)).status_code == 204
        mine, more = sorted_leases(worker, evaluation, 1)
        theirs += more
    assert team.evaluation(evaluation)["status"] != "rejected"


def test_other_faults_reject_nobody(lab: Lab, team: Entrant, entrant: MakeEntrant) -> None:
    evaluation = submitted(lab, team, entrant("Other"))
    work(lab, lab.worker(), of(evaluation), faults=20, fault="worker_lost")
    assert team.evaluation(evaluation)["status"] == "errored"


def test_an_image_that_has_run_is_not_rejected(lab: Lab, team: Entrant, entrant: MakeEntrant) -> None:
    lab.dataset(cases=40)
    evaluation, worker = submitted(lab, team, entrant("Other")), lab.worker()
    while (lease := worker.take())["evaluation"] != evaluation:
        assert worker.finish(lease).status_code == 204
    assert worker.finish(lease).status_code == 204
    assert work(lab, worker, of(evaluation), faults=20, fault=ENGINE) >= FAULTS
    assert team.evaluation(evaluation)["status"] != "rejected"


def host(lab: Lab, name: str) -> FakeWorker:
    """A run worker by the clock: when a case began, and not how long it took, is what proves something here."""
    return replace(lab.worker(name), sessions=None)


def sorted_leases(worker: Any, evaluation: str, most: int) -> tuple[list[Json], list[Json]]:
    """Up to so many leases: those of the evaluation, and others."""
    leases = [lease for _ in range(most) if (lease := worker.lease()) is not None]
    ours = [one for one in leases if one["evaluation"] == evaluation]
    return ours, [one for one in leases if one["evaluation"] != evaluation]


def usage(lab: Lab, team: Entrant) -> float:
    with unit_of_work(lab.sessions) as session:
        query = text("SELECT coalesce(sum(seconds), 0) FROM team_usage WHERE team_id = :team")
        return float(session.scalar(query, {"team": UUID(team.team)}) or 0)
