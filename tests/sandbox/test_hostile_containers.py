"""Every hostile container of the table gets its verdict on a real engine, and leaves nothing."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.archive import ArchiveInvalid, DirectorySink, check_archive, write_canonical
from sandbox.engine import Engine
from sandbox.faults import ImageRefused
from sandbox.run import CaseJob, run_case
from tests.hostile.configs import IMAGES, Image
from tests.hostile.containers import CONTAINERS, Container
from tests.hostile.images import build_all
from tests.sandbox.conftest import Run

CALL = ("python", "/app/predict.py")


@pytest.fixture(scope="module")
def tricks(load: Callable[[Path], str], base: str) -> str:
    return load(build_all(base))


ROWS = [pytest.param(row, id=row.name, marks=[pytest.mark.long] * row.long) for row in CONTAINERS]


@pytest.mark.parametrize("row", ROWS)
def test_a_hostile_container_gets_its_verdict(row: Container, tricks: str, run: Run) -> None:
    outcome = run(row.name, row.task, image=tricks, **row.limits)
    assert row.expects(outcome.verdict.code), outcome
    assert (outcome.output is not None) == outcome.verdict.valid


@pytest.mark.parametrize("row", IMAGES, ids=lambda row: row.name)
def test_a_hostile_image_gets_its_verdict(
    row: Image, engine: Engine, make_job: Callable[..., CaseJob], tmp_path: Path
) -> None:
    code = verdict_of(engine, row, make_job, tmp_path)
    assert row.expects(code), code


def verdict_of(engine: Engine, row: Image, make_job: Callable[..., CaseJob], folder: Path) -> str:
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
            engine.load(canonical, facts.digest)
        return run_case(engine, make_job(image=facts.digest)).verdict.code
    except ImageRefused:
        return "no_start"
    finally:
        engine.remove_image(facts.digest)
