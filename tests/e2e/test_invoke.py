"""One container for many cases on the whole platform: the scores of fresh ones, or else everything runs again."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from contract.statuses import CaseStatus
from evaluator.spec import Challenge
from server.evaluations.models import CaseRun
from tests.e2e.datasets import write_task
from tests.e2e.installation import Installation
from tests.e2e.people import Json, Person, register
from tests.hostile.images import reconfigured

HONEST = Path(__file__).with_name("honest.py")
CASES = 9


@pytest.fixture(scope="module")
def person(
    platform: Installation, fomo26: Challenge, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Person]:
    """A team of FOMO26 under another name, where one container may serve many cases."""
    # A case that a busy host keeps waiting for long is run fresh, and these tests count how cases ran.
    limits = fomo26.limits.model_copy(update={"invoke": True, "seconds_per_case": 60})
    spec = fomo26.model_copy(update={"challenge": "served", "limits": limits})
    platform.apply(spec)
    folder = write_task(spec, "task3", tmp_path_factory.mktemp("served"), cases=CASES)
    platform.import_task("served", "validation", "task3", folder)
    person = register(platform.url, "served", "Gyrus")
    yield person
    person.http.close()


@pytest.fixture(scope="module")
def served(image: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """An archive of an image that says that it serves many cases."""

    def served(*environment: str) -> Path:
        plain = image(HONEST, *environment)
        target = tmp_path_factory.mktemp("image") / "served.tar"
        return reconfigured(plain, target, Labels={"proctor.invoke": "1"})

    return served


def evaluated(person: Person, archive: Path, track: str) -> Json:
    upload = person.upload(archive)
    assert upload["status"] == "ready", upload
    ended = person.wait(person.submitted({"task3": upload["image"]}, track=track))
    evaluation: Json = ended["evaluations"][0]
    return evaluation


def modes(platform: Installation, evaluation: Json) -> Counter[str | None]:
    with platform.database() as session:
        found = session.scalars(select(CaseRun).where(CaseRun.evaluation_id == evaluation["id"])).all()
        assert {run.status for run in found} == {CaseStatus.DONE.value}
        return Counter(run.mode for run in found)


def test_one_container_gives_the_scores_of_fresh_ones(
    platform: Installation, person: Person, honest: Path, served: Callable[..., Path]
) -> None:
    fresh = evaluated(person, honest, "open")
    together = evaluated(person, served(), "method")

    assert (together["status"], together["verdicts"]) == ("scored", {"valid": CASES}), together
    assert together["scores"] == fresh["scores"]
    assert modes(platform, fresh)["invoke"] == 0
    assert modes(platform, together) == {"invoke": CASES}


def test_an_image_that_answers_differently_alone_is_run_again_in_fresh_containers(
    platform: Installation, person: Person, served: Callable[..., Path]
) -> None:
    before = person.quota("task3", track="open")["spent"]
    ended = evaluated(person, served("ANSWERS=drifting"), "open")

    assert (ended["status"], ended["verdicts"]) == ("scored", {"valid": CASES}), ended
    assert modes(platform, ended)["invoke"] == 0
    assert person.quota("task3", track="open")["spent"] == before + 1
