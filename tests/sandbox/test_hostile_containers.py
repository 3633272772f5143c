"""Every hostile container of the table gets its verdict on a real engine, and leaves nothing."""

import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox import parse
from sandbox.archive import ArchiveInvalid, DirectorySink, check_archive, write_canonical
from sandbox.engine import Engine
from sandbox.faults import ImageRefused
from sandbox.jobs import CaseJob
from sandbox.loading import load_image
from sandbox.run import run_case
from tests.hostile.configs import IMAGES, Image
from tests.hostile.containers import CONTAINERS, Container
from tests.hostile.images import build_all
from tests.sandbox.test_leftovers import traces
from tests.sandbox.test_run import FAILURES

PREFIX = f"proctor-hostile-{uuid.uuid4().hex[:8]}-"
CALL = ("python", "/app/predict.py")


@pytest.fixture(scope="module")
def tricks(load: Callable[[Path], str], base: str) -> str:
    return load(build_all(base))


ROWS = [
    pytest.param(row, id=row.name, marks=[pytest.mark.long] * (row.long or row.name in FAILURES))
    for row in CONTAINERS
]
"""Those of test_run.py run there each time."""


@pytest.fixture(scope="module")
def answers() -> dict[str, bytes | None]:
    """What honest cases answered before anything hostile ran."""
    return {}


@pytest.fixture
def hostile(make_job: Callable[..., CaseJob]) -> Callable[..., CaseJob]:
    """Jobs whose names tell this suite's from all others on the host."""
    return lambda *row, **changes: make_job(*row, name=f"{PREFIX}{uuid.uuid4()}-1", **changes)


@pytest.mark.parametrize("task", ["task5", "task4", "task6"])
def test_an_honest_case_is_answered_before(
    task: str, tricks: str, engine: Engine, hostile: Callable[..., CaseJob], answers: dict[str, bytes | None]
) -> None:
    answers[task] = run_case(engine, hostile("valid", task, image=tricks)).output
    assert answers[task]


@pytest.mark.parametrize("row", ROWS)
def test_a_hostile_container_gets_its_verdict(
    row: Container, tricks: str, engine: Engine, hostile: Callable[..., CaseJob]
) -> None:
    outcome = run_case(engine, hostile(row.name, row.task, image=tricks, **row.limits))
    assert row.expects(outcome.verdict.code, engine.raw.kind), outcome
    assert (outcome.output is not None) == outcome.verdict.valid


@pytest.mark.parametrize("row", IMAGES, ids=lambda row: row.name)
def test_a_hostile_image_gets_its_verdict(
    row: Image, engine: Engine, hostile: Callable[..., CaseJob], tmp_path: Path
) -> None:
    code = verdict_of(engine, row, hostile, tmp_path)
    assert row.expects(code, engine.raw.kind), code


def verdict_of(engine: Engine, row: Image, hostile: Callable[..., CaseJob], folder: Path) -> str:
    """As a server and a worker find it: the check's code, or that of the case, or of the load."""
    archive = folder / "image.tar"
    archive.write_bytes(row.make())
    sink = DirectorySink(folder / "blobs")
    try:
        facts = check_archive(archive, limit=2**30, sink=sink, calls=(CALL,))
    except ArchiveInvalid as error:
        return str(error.code)
    try:
        with archive.open("w+b") as canonical:
            write_canonical(facts, sink.open, canonical)
            canonical.seek(0)
            load_image(engine, canonical, facts.digest)
        return run_case(engine, hostile(image=facts.digest)).verdict.code
    except ImageRefused:
        return "no_start"
    finally:
        engine.remove_image(facts.digest)
        assert not engine.has_image(facts.digest)


@pytest.mark.parametrize("task", ["task5", "task4", "task6"])
def test_an_honest_case_is_answered_afterwards_as_before(
    task: str, tricks: str, engine: Engine, hostile: Callable[..., CaseJob], answers: dict[str, bytes | None]
) -> None:
    outcome = run_case(engine, hostile("valid", task, image=tricks))
    assert outcome.output is not None
    assert outcome.output == answers.get(task, outcome.output)


def test_nothing_of_the_suite_is_left(engine: Engine, tmp_path: Path) -> None:
    assert traces(engine, PREFIX) == []
    parse.stop()
    deadline = time.monotonic() + 5
    while (left := parsers()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []


def parsers() -> list[str]:
    """Processes that this one, not a worker that it has started, keeps to check outputs."""
    ours, found = {str(os.getpid())}, []
    for status in sorted(Path("/proc").glob("[0-9]*/stat"), key=lambda path: int(path.parts[2])):
        try:
            parent = status.read_text().rsplit(")", 1)[1].split()[1]
            words = status.with_name("cmdline").read_bytes()
        except OSError:
            continue
        if parent in ours and b"sandbox.parse_child" in words:
            ours.add(status.parts[2])
            found.append(status.parts[2])
    return found
