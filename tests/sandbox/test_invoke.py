"""One container serves several cases: what it wins, and that no case meets what another has left."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from demo.images import build_image
from evaluator.outputs import decode
from sandbox.engine import Engine
from sandbox.faults import EngineFault
from sandbox.invoke import NotServed, Session
from sandbox.jobs import CaseJob
from sandbox.run import run_case
from tests.sandbox.engines import client
from tests.sandbox.test_leftovers import traces

PROGRAM = Path(__file__).with_name("invoke_program.py")
Cases = Callable[..., list[CaseJob]]


@pytest.fixture(scope="module")
def server(load: Callable[[Path], str], base: str) -> str:
    """The image whose program serves several cases."""
    files = {"/app/predict.py": PROGRAM.read_bytes(), "/tmp/of_the_image/model.bin": b"weights"}
    files["/tmp/payload"] = b"what a stranger wrote"
    return load(build_image(files, base, name="proctor-test-invoke"))


@pytest.fixture
def cases(make_job: Callable[..., CaseJob], server: str) -> Cases:
    def cases(manner: str, count: int = 3, **changes: object) -> list[CaseJob]:
        return [make_job(manner, image=server, **changes) for _ in range(count)]

    return cases


def test_cases_served_by_one_container_get_what_fresh_ones_get(engine: Engine, cases: Cases) -> None:
    jobs = cases("quiet")
    with Session(engine, jobs[0]) as session:
        served = [session.serve(job) for job in jobs]

    fresh = run_case(engine, replace(jobs[1], name=jobs[1].name[:-1] + "2"))
    assert [one.verdict.code for one in served] == ["valid"] * 3
    assert {one.output for one in served} == {fresh.output}
    assert traces(engine, jobs[0].name) == []


@pytest.mark.parametrize("manner", ["marks", "image_folder"])
def test_no_case_finds_what_another_has_left(engine: Engine, cases: Cases, manner: str) -> None:
    jobs = cases(manner)
    with Session(engine, jobs[0]) as session:
        found = [decode(job.task, session.serve(job).output or b"") for job in jobs]

    assert found == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("manner", ["second_hangs", "second_dies", "second_empty", "second_fails", "floods"])
def test_a_case_that_is_not_answered_harms_no_other(engine: Engine, cases: Cases, manner: str) -> None:
    first, second, third = cases(manner, seconds_per_case=4)
    with Session(engine, first) as session:
        assert session.serve(first).verdict.valid
        with pytest.raises(NotServed):
            session.serve(second)
        if session.alive:
            assert session.serve(third).verdict.valid
    assert traces(engine, first.name) == []
    assert run_case(engine, second).verdict.valid  # it did nothing wrong as the first of its container


def test_emptying_follows_no_link_of_the_container(engine: Engine, cases: Cases, tmp_path: Path) -> None:
    victim = tmp_path / "file-of-the-host"
    victim.write_text("as it was")
    jobs = cases(f"links:{victim}", 6)
    with Session(engine, jobs[0]) as session:
        for job in jobs:
            if session.alive:
                session.serve(job)

    assert victim.read_text() == "as it was"
    assert traces(engine, jobs[0].name) == []


def test_a_container_that_stands_still_uses_no_time_and_is_removed_like_any_other(
    engine: Engine, cases: Cases
) -> None:
    (job,) = cases("spins", 1)
    with Session(engine, job) as session:
        running = session._running
        assert running is not None
        group = engine.raw.group(running.container)
        assert running.group.freeze(group) == running.group.freeze(group)
        used = running.group.read(group).cpu_seconds
        time.sleep(0.3)
        assert running.group.read(group).cpu_seconds == used
        running.group.thaw(group)
        assert used is not None
        deadline = time.monotonic() + 60
        while (running.group.read(group).cpu_seconds or 0.0) <= used + 0.1:
            assert time.monotonic() < deadline, "it stands still"
            time.sleep(0.02)
        running.group.freeze(group)
    assert traces(engine, job.name) == []


def test_an_output_that_the_container_holds_back_is_not_our_fault(engine: Engine, cases: Cases) -> None:
    (job,) = cases("leases", 1)
    with Session(engine, job) as session, pytest.raises(NotServed):
        session.serve(job)
    assert traces(engine, job.name) == []


@pytest.mark.parametrize("engine", ["docker"], indirect=True)
def test_a_volume_of_an_odd_name_is_not_our_fault(engine: Engine, cases: Cases, server: str) -> None:
    (job,) = cases("quiet", 1)
    with client() as api:
        made = api.create_container(server)["Id"]
        image = api.commit(made, changes=['VOLUME ["/my data"]'])["Id"]
    try:
        with pytest.raises(NotServed), Session(engine, replace(job, image=image)):
            raise AssertionError("it does not start")
    finally:
        engine.remove_container(made)
        engine.remove_image(image)
    assert traces(engine, job.name) == []


def test_whatever_a_program_prints_is_no_answer(engine: Engine, cases: Cases) -> None:
    jobs = cases("chatters", 2)
    with Session(engine, jobs[0]) as session:
        assert [session.serve(job).verdict.code for job in jobs] == ["valid", "valid"]


def test_an_image_without_the_loop_serves_nothing(engine: Engine, make_job: Callable[..., CaseJob]) -> None:
    job = make_job("valid", seconds_per_case=3)
    # It may end before it is looked at for the first time.
    with pytest.raises(NotServed), Session(engine, job) as session:
        session.serve(job)
    assert traces(engine, job.name) == []


def test_a_case_that_is_taken_back_ends_the_container(engine: Engine, cases: Cases) -> None:
    stop = threading.Event()
    stop.set()
    (job,) = cases("second_hangs", 1, stop=stop)
    with Session(engine, job) as session, pytest.raises(EngineFault):
        session.serve(job)
    assert traces(engine, job.name) == []
