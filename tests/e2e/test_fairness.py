"""A team with many cases under way and one that comes with five: who waits for whom, on real slots."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from evaluator.spec import Challenge
from server.evaluations.models import CaseRun
from tests.e2e.datasets import write_task
from tests.e2e.installation import Installation
from tests.e2e.people import Json, Person, register

LARGE, SMALL = ("task1", "task2", "task4"), "task5"
SLOTS = 2


@pytest.fixture(scope="module")
def people(
    platform: Installation, fomo26: Challenge, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Person, Person]]:
    """Two teams of a challenge whose cases take two seconds each."""
    spec = fomo26.model_copy(update={"challenge": "fair", "tracks": ("slowly",)})
    platform.apply(spec)
    folder = tmp_path_factory.mktemp("fair")
    for task, cases in {**dict.fromkeys(LARGE, 14), SMALL: 5}.items():
        platform.import_task("fair", "validation", task, write_task(spec, task, folder, cases=cases))
    teams = register(platform.url, "fair", "Large"), register(platform.url, "fair", "Small")
    yield teams
    for one in teams:
        one.http.close()


def leased(platform: Installation, submission: Json) -> list[datetime]:
    """When each case was leased, of those that were."""
    ids = [evaluation["id"] for evaluation in submission["evaluations"]]
    with platform.database() as session:
        found = session.scalars(select(CaseRun).where(CaseRun.evaluation_id.in_(ids))).all()
        return [run.started_at for run in found if run.started_at is not None]


def test_five_cases_do_not_wait_behind_a_team_that_has_many(
    platform: Installation, people: tuple[Person, Person], image: Callable[..., Path]
) -> None:
    large, small = people
    archive = image(Path(__file__).with_name("honest.py"))
    many = large.submitted(dict.fromkeys(LARGE, large.upload(archive)["image"]), track="slowly")
    few_image = small.upload(archive)["image"]
    deadline = time.monotonic() + 60
    while len(leased(platform, many)) < 2 * SLOTS:  # then the large team has every slot
        assert time.monotonic() < deadline
        time.sleep(0.2)

    few = small.submitted({SMALL: few_image}, track="slowly")
    ended = small.wait(few)

    assert ended["evaluations"][0]["status"] == "scored"
    last = max(leased(platform, few))
    arrived = datetime.fromisoformat(few["created_at"])
    between = [begun for begun in leased(platform, many) if arrived < begun < last]
    # One that a slot had begun to take, and one while the small team's first cases had to prove its image.
    assert len(between) <= 2 * SLOTS
    for evaluation in many["evaluations"]:
        assert large.http.post(f"/evaluations/{evaluation['id']}/cancel").status_code == 200
