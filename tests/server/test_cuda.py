"""A CUDA that is too new for the drivers of the platform's GPUs is said of an image, to its team, as a warning."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, select, update

from contract.ids import TeamId
from contract.statuses import UploadStatus
from evaluator.spec import Challenge
from server.database import SessionFactory, unit_of_work
from server.evaluations.worker_models import WorkerSlot
from server.images.models import Image
from server.uploads.models import Upload
from tests.server.browsing import browsing, require_sound
from tests.server.conftest import Admin, Person
from tests.server.lab import Entrant, FakeWorker, Lab
from tests.server.test_leaderboard import change
from tests.server.test_pages_submit import check

Json = dict[str, Any]
KEPT = "cuda>=13.0 driver>=535,driver<536 driver>=570,driver<571"
TOO_NEW = "The image asks for CUDA 13.0 or newer, and the drivers of this platform's GPUs go up to CUDA 12.9."


@pytest.fixture
def asking(lab: Lab, team: Entrant) -> Entrant:
    """A team whose image asks for CUDA 13.0, as one that it has uploaded."""
    with unit_of_work(lab.sessions) as session:
        image = session.query(Image).filter_by(team_id=UUID(team.team), digest=team.image).one()
        facts = image.facts.model_copy(update={"requires_driver": (KEPT,)})
        session.execute(update(Image).where(Image.id == image.id).values(facts=facts))
        ready = {"status": UploadStatus.READY, "image": team.image, "length": 1, "offset": 1}
        session.add(
            Upload(
                team_id=TeamId(UUID(team.team)),
                user_id=None,
                filename="image.tar",
                sha256="0" * 64,
                expires_at=func.now(),
                **ready,
            )
        )
    return team


def offers(lab: Lab, cuda: str | None, driver: str | None = "575.51", **more: Any) -> FakeWorker:
    """A worker whose slot has offered a GPU with this driver."""
    worker = lab.worker("hospital-gpu-7", gpu_cuda=cuda, gpu_driver=driver, **more)
    worker.lease()
    return worker


def warnings(team: Entrant) -> list[str]:
    """What is said of the team's image wherever the API tells of it."""
    (image,) = team.http.get(f"/teams/{team.team}/images").json()
    (upload,) = team.http.get(f"/teams/{team.team}/uploads").json()
    alone = team.http.get(f"/uploads/{upload['id']}").json()
    assert image["warnings"] == upload["warnings"] == alone["warnings"]
    return list(image["warnings"])


def test_a_team_is_told_once_a_gpu_is_known_and_no_driver_is_enough(lab: Lab, asking: Entrant) -> None:
    assert warnings(asking) == [], "no slot was ever seen"
    offers(lab, "12.8", "565.57", gpus=0, gpu_memory=0)
    offers(lab, None, None)
    assert warnings(asking) == [], "none with a GPU whose driver is known"
    offers(lab, "12.8", "572.16")
    offers(lab, "12.9")
    (said,) = warnings(asking)
    assert said.startswith(TOO_NEW)
    assert "not refused" in said
    assert "hospital" not in said
    assert asking.post("task5").status_code == 201, "it is submitted all the same"
    offers(lab, "13.0", "580.65")
    assert warnings(asking) == []


def test_a_driver_that_the_image_names_itself_is_enough(lab: Lab, asking: Entrant) -> None:
    offers(lab, "12.2", "535.104.05")
    assert warnings(asking) == []


def test_an_image_that_asks_for_nothing_is_warned_of_nothing(lab: Lab, team: Entrant) -> None:
    offers(lab, "12.9")
    (image,) = team.http.get(f"/teams/{team.team}/images").json()
    assert image["warnings"] == []


def test_where_no_task_takes_a_gpu_nothing_is_said(lab: Lab, asking: Entrant, fomo26: Challenge) -> None:
    offers(lab, "12.9")
    assert len(warnings(asking)) == 1
    without = fomo26.limits.model_copy(update={"gpu": None})
    change(lab, fomo26, limits=without)
    assert warnings(asking) == []


def test_a_host_whose_token_ended_is_none_of_the_platforms(lab: Lab, asking: Entrant, admin: Person) -> None:
    newer = offers(lab, "13.0", "580.65")
    offers(lab, "12.9")
    assert warnings(asking) == []
    with unit_of_work(lab.sessions) as session:
        token = session.scalars(select(WorkerSlot.worker_id).where(WorkerSlot.name == newer.name)).one()
    assert admin.http.delete(f"/admin/workers/{token}").status_code in (200, 204)
    assert len(warnings(asking)) == 1


@pytest.fixture
def browser(served: tuple[str, SessionFactory], lab: Lab, asking: Entrant) -> Iterator[httpx.Client]:
    email = asking.http.get("/me").json()["email"]
    with browsing(served[0], email) as client:
        yield client


def test_its_pages_say_it_where_the_image_stands_and_before_it_is_submitted(
    lab: Lab, asking: Entrant, browser: httpx.Client, fomo26: Challenge
) -> None:
    pages = f"/challenges/{asking.slug}/team", check(asking, "task5")
    said = TOO_NEW.replace("'", "&#39;")
    assert [said in require_sound(browser.get(page)) for page in pages] == [False, False]
    offers(lab, "12.9")
    assert [said in require_sound(browser.get(page)) for page in pages] == [True, True]
    task = fomo26.tasks["task5"].model_copy(update={"limits": fomo26.limits.model_copy(update={"gpu": None})})
    change(lab, fomo26, tasks=fomo26.tasks | {"task5": task})
    assert said not in require_sound(browser.get(check(asking, "task5"))), (
        "another task takes one, this does not"
    )


def test_admins_see_each_slots_driver(
    lab: Lab, admin: Person, command: Admin, served: tuple[str, SessionFactory]
) -> None:
    worker, older = offers(lab, "12.8", "570.124.06"), lab.worker("older")
    older.lease()
    seen = {one["name"]: one for one in admin.http.get("/admin/slots").json()}
    assert [seen[worker.name][name] for name in ("gpu_cuda", "gpu_driver")] == ["12.8", "570.124.06"]
    assert [seen[older.name][name] for name in ("gpu_cuda", "gpu_driver")] == [None, None]
    assert "141 GiB, CUDA 12.8" in " ".join(command("slots").output.split())
    with browsing(served[0], admin.email) as browser:
        assert "CUDA 12.8, driver 570.124.06" in browser.get("/admin/workers").text


@pytest.mark.parametrize("lie", ["12.8\n", "x", "12." * 40, "\x1b[2J", 12.8, "", "580,12"])
def test_a_driver_that_no_machine_can_have_is_refused(lab: Lab, lie: object) -> None:
    worker = lab.worker()
    for field in ("gpu_cuda", "gpu_driver"):
        offer = {"name": worker.name, **worker.offer, field: lie}
        assert worker.http.post("/worker/leases", json=offer).status_code == 422
