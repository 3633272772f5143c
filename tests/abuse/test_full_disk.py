"""A disk that is filled to the reserve, and then to the last byte, with the database and everything else on it.

The API has to say the truth with 507, nothing may be lost, and all goes on by itself once there is room.
"""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, select

from evaluator.spec import load_challenge
from server.challenges.service import apply
from server.database import SessionFactory, unit_of_work
from server.evaluations.models import Evaluation, Trouble
from server.settings import Settings
from tests.abuse.small_disk import MIB, fill, free, mounted, refused, serving, to_the_last_byte
from tests.server.conftest import FOMO26, PASSWORD, Tus
from tests.server.lab import Lab
from worker.embedded.migrations import migrate
from worker.embedded.postgres import Postgres
from worker.score.evaluations import score_waiting

RESERVE = 160 * MIB


@pytest.fixture(scope="module")
def installation() -> Iterator[tuple[Settings, str, SessionFactory]]:
    """An installation on a disk of 600 MB: settings, address, sessions."""
    with mounted(600 * MIB) as root:
        postgres = Postgres(root)
        postgres.start()
        try:
            migrate(postgres.url())
            settings = Settings.model_validate(
                {
                    "data": root,
                    "secret_key": "k" * 40,
                    "DATABASE_URL": postgres.url(),
                    "disk_reserve": RESERVE,
                    "lease_seconds": 600.0,
                }
            )
            with serving(settings) as (address, sessions):
                yield settings, address, sessions
        finally:
            postgres.stop()


def _leave(root: Path, size: int) -> Path:
    path = root / "somebody-elses"
    path.unlink(missing_ok=True)
    fill(path, free(root) - size)
    return path


def _status(lab: Lab, evaluation: str) -> str:
    """Of the evaluation as it is; its team may be told later."""
    with unit_of_work(lab.sessions) as session:
        return session.get_one(Evaluation, UUID(evaluation)).status


def _register(http: httpx.Client, email: str) -> httpx.Response:
    return http.post("/accounts", json={"email": email, "name": "Ada", "password": PASSWORD})


def test_a_full_disk_refuses_new_work_with_the_truth_and_loses_nothing(
    installation: tuple[Settings, str, SessionFactory],
) -> None:
    settings, address, sessions = installation
    root, slug, clients = settings.data, "small", list[httpx.Client]()

    def client(token: str | None) -> httpx.Client:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        clients.append(httpx.Client(base_url=f"{address}/api/v1", headers=headers, timeout=30))
        return clients[-1]

    with unit_of_work(sessions) as session:
        apply(session, load_challenge(FOMO26).model_copy(update={"challenge": slug}), actor="tests")
    lab = Lab(sessions, settings, slug, client)
    lab.dataset(cases=3)
    nobody = client(None)
    assert _register(nobody, "ada@example.org").status_code == 201
    log_in = nobody.post("/sessions", json={"email": "ada@example.org", "password": PASSWORD})
    http = client(log_in.json()["token"])
    team = lab.entrant(http, "The Team")
    tus, worker = Tus(http), lab.worker()
    evaluation = team.submit()
    leases = [worker.take() for _ in range(3)]

    _leave(root, int(0.9 * RESERVE))  # uploads are refused, what runs is not
    refused(tus.create(slug, b"", length=10 * MIB))
    assert worker.finish(leases[0]).status_code == 204
    assert http.get("/me").status_code == 200

    _leave(root, int(0.6 * RESERVE))  # no new work
    refused(team.post("task5"))
    assert worker.lease() is None
    assert worker.finish(leases[1]).status_code == 204

    held = _leave(root, int(0.4 * RESERVE))  # no result
    refused(worker.call("PUT", leases[2], "output", content=b"0.5\n"))
    assert worker.heartbeat(leases[2]) == 204, "its run worker keeps the result and asks again"
    assert _status(lab, evaluation) == "running"

    held.unlink()
    assert worker.finish(leases[2]).status_code == 204
    assert _status(lab, evaluation) == "scoring"

    held = _leave(root, int(0.4 * RESERVE))
    assert score_waiting(sessions, settings) == 0, "scoring waits, and is no fault of anybody"
    with unit_of_work(sessions) as session:
        row = session.get_one(Evaluation, UUID(evaluation))
        assert (row.status, row.scoring_claim_no, row.scoring_faults) == ("scoring", 0, 0)
    held = _leave(root, RESERVE // 2 + 8 * MIB)
    assert score_waiting(sessions, settings) == 1, "there is room, but not for all that scoring lays out"
    with unit_of_work(sessions) as session:
        row = session.get_one(Evaluation, UUID(evaluation))
        assert (row.status, row.scoring_faults, row.scoring_lease_until) == ("scoring", 0, None)
        assert row.scoring_not_before is not None
        assert session.scalar(select(func.count()).where(Trouble.evaluation_id == row.id)) == 0
    assert not list(settings.scratch.iterdir())
    held.unlink()
    assert team.post("task5").status_code == 201
    for one in clients:
        one.close()


def test_a_database_without_a_byte_left_is_told_as_that_and_comes_back_by_itself(
    installation: tuple[Settings, str, SessionFactory],
) -> None:
    settings, address, _ = installation
    held = settings.data / "somebody-elses"
    with httpx.Client(base_url=f"{address}/api/v1", timeout=30) as http:
        answers = list[httpx.Response]()
        while len(answers) < 300 and not (answers and answers[-1].status_code == 507):
            to_the_last_byte(held)
            answers.append(_register(http, f"{'x' * 60}-{len(answers)}@example.org"))
        statuses = {one.status_code for one in answers}
        assert statuses <= {201, 507}, statuses
        assert 507 in statuses
        told = refused(next(one for one in answers if one.status_code == 507))
        assert "full to the last byte" in told
        held.unlink()
        assert _register(http, "later@example.org").status_code == 201
