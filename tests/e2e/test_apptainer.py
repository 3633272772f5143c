"""A run worker without an engine's daemon: `up` on Apptainer, whose command lines a stand-in carries out.

The checks of the sandbox are accepted here by name, for bubblewrap holds other ones than Apptainer; the known answers
of the canary are not.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from evaluator.spec import Challenge
from sandbox import conformance
from server.evaluations.models import CaseRun
from tests.e2e.datasets import write_task
from tests.e2e.installation import Installation, installation
from tests.e2e.people import Person, register
from tests.sandbox.apptainer import standing_in

HONEST = Path(__file__).with_name("honest.py")
CASES = 3


@pytest.fixture(scope="module")
def folder(place: Path) -> Iterator[Path]:
    """Of the stand-in, its images and its containers."""
    (place / "apptainer").mkdir()
    with standing_in(place / "apptainer") as folder:
        yield folder


@pytest.fixture(scope="module")
def without_daemon(place: Path, folder: Path, fomo26: Challenge) -> Iterator[tuple[Installation, Person]]:
    (place / "none").mkdir(mode=0o711)
    settings = {
        "PROCTOR_ENGINE": "apptainer",
        "PROCTOR_ACCEPTED_CHECKS": ", ".join(one.name for one in conformance.checks("compatible", "runc")),
    }
    with installation(place / "none" / "data", run_workers=1, **settings) as running:
        running.apply(fomo26)
        task = write_task(fomo26, "task3", place / "none" / "released", cases=CASES)
        running.import_task("fomo26", "validation", "task3", task)
        person = register(running.url, "fomo26", "Sulcus")
        yield running, person
        person.http.close()


def test_cases_run_without_a_daemon_from_lease_to_score(
    without_daemon: tuple[Installation, Person], image: Callable[..., Path], folder: Path
) -> None:
    running, person = without_daemon
    seen = person.upload(image(HONEST))
    assert seen["status"] == "ready", seen
    (ended,) = person.wait(person.submitted({"task3": seen["image"]}))["evaluations"]
    assert (ended["status"], ended["verdicts"]) == ("scored", {"valid": CASES}), ended
    with running.database() as session:
        receipts = session.scalars(select(CaseRun.receipt)).all()
    assert len(receipts) == CASES
    assert {one["engine"] for one in receipts if one} == {"apptainer"}
    assert all("call filter" in one["accepted_checks"] for one in receipts if one)
    assert not list((folder / "store" / "containers").iterdir()), "nothing is left"
