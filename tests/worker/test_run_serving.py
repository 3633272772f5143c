"""One container for several batches of an evaluation: when it stays, when it goes, and that nobody waits for it."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from sandbox.engine import Engine
from sandbox.invoke import Session
from tests.worker.lease_server import LeaseServer
from tests.worker.slots import MIB, Start, until
from worker.run.host import HostFolder


def answers(lab: LeaseServer, cases: list[str]) -> list[float]:
    """What was written for the cases; each container counts those that it answers, from 0.01."""
    lab.wait(*cases)
    return [float(lab.outputs[case]) for case in cases]


def serve(lab: LeaseServer, count: int, *, what: str = "answers", **settings: int) -> list[str]:
    return lab.add(*[what] * count, mode="invoke", **{"evaluation": 7} | settings)


def nothing_serves(engine: Engine, folder: Path) -> bool:
    prefix = HostFolder(folder / "worker").container_prefix("slot")
    return not running(engine, prefix)


def running(engine: Engine, prefix: str) -> list[str]:
    return [
        one.name for one in engine.raw.containers() if one.name.startswith(prefix) and one.state == "running"
    ]


def test_one_container_answers_several_batches_of_an_evaluation_and_ends_when_none_waits(
    lab: LeaseServer, start: Start, engine: Engine, folder: Path
) -> None:
    batches = [serve(lab, 2), serve(lab, 1), serve(lab, 2, repeat=1)]
    start()
    found = [answers(lab, cases) for cases in batches]

    assert found == [[0.01, 0.02], [0.03], [0.04, 0.05]]
    assert [lab.finished[case].receipt["invoke"] for cases in batches for case in cases] == [True] * 5
    until(lambda: nothing_serves(engine, folder))


def test_a_batch_of_another_evaluation_gets_a_container_of_its_own(lab: LeaseServer, start: Start) -> None:
    batches = [serve(lab, 2), serve(lab, 1, evaluation=8), serve(lab, 1)]
    start()
    assert [answers(lab, cases) for cases in batches] == [[0.01, 0.02], [0.01], [0.01]]


def test_a_container_gets_no_more_cases_than_one_may(
    lab: LeaseServer, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.invoke._session.MOST_PER_CONTAINER", 3)
    batches = [serve(lab, 2), serve(lab, 3)]
    start()
    assert [answers(lab, cases) for cases in batches] == [[0.01, 0.02], [0.03, 0.01, 0.02]]


def test_a_case_that_ends_its_container_runs_fresh_and_the_others_are_served_on(
    lab: LeaseServer, start: Start
) -> None:
    cases = serve(lab, 4, what="tires-2")
    start()
    assert answers(lab, cases) == [0.01, 0.02, 0.5, 0.01]
    assert "invoke" not in lab.finished[cases[2]].receipt


def test_an_image_that_serves_nothing_runs_fresh(lab: LeaseServer, start: Start) -> None:
    cases = serve(lab, 3, what="tires-0")
    start()
    assert answers(lab, cases) == [0.5, 0.5, 0.5]


def test_whoever_wants_to_be_alone_on_the_host_waits_for_no_kept_container_for_long(
    lab: LeaseServer, start: Start, folder: Path
) -> None:
    batches = [serve(lab, 1, what="sleeps-0.5", seconds_per_case=2, repeat=1) for _ in range(12)]
    start()
    until(lambda: len(lab.finished) >= 1)
    alone = threading.Event()

    def want() -> None:
        with HostFolder(folder / "worker").alone():
            alone.set()

    waiting = threading.Thread(target=want)
    waiting.start()
    began = time.monotonic()
    assert alone.wait(15)
    waiting.join()
    assert time.monotonic() - began < 10
    assert len(answers(lab, [case for cases in batches for case in cases])) == 12


def test_it_is_ended_within_a_batch_where_somebody_wants_to_be_alone(
    lab: LeaseServer, start: Start, folder: Path
) -> None:
    cases = serve(lab, 8, what="sleeps-1")
    start()
    until(lambda: len(lab.finished) >= 1)
    began = time.monotonic()
    with HostFolder(folder / "worker").alone():
        assert time.monotonic() - began < 4
        assert len(lab.finished) < 5
    found = answers(lab, cases)
    assert found.count(0.01) == 2, "another container goes on"


def test_a_batch_ends_when_one_case_might_have_and_the_rest_is_handed_back(
    lab: LeaseServer, start: Start
) -> None:
    cases = serve(lab, 12, what="sleeps-0.4", seconds_per_case=2)
    start()
    until(lambda: len(lab.leased) == len(cases) and lab.outstanding() == 0)
    assert 2 <= len(lab.finished) <= 6
    assert set(lab.released.values()) == {None}
    assert lab.finished.keys() | lab.released.keys() == set(cases)


def test_an_image_that_fails_slowly_keeps_no_slot_for_a_whole_batch(lab: LeaseServer, start: Start) -> None:
    cases = serve(lab, 20, what="refuses", seconds_per_case=20)
    start()
    until(lambda: len(lab.leased) == len(cases) and lab.outstanding() == 0)
    assert len(lab.finished) == 1 + 3, "one was answered, and three that were not have run fresh"
    assert len(lab.released) == len(cases) - 4


def test_nothing_runs_beside_the_container_that_answered_what_is_repeated(
    lab: LeaseServer, start: Start, engine: Engine, folder: Path
) -> None:
    cases = serve(lab, 4, what="sleeps-0.5", repeat=3)
    start(slot_memory=256 * MIB)
    prefix, seen = HostFolder(folder / "worker").container_prefix("slot"), set()
    while len(lab.finished) < len(cases):
        names = running(engine, prefix)
        seen.add(tuple(sorted("serves" if name.endswith("-0") else "repeats" for name in names)))
    assert {("serves",), ("repeats", "repeats")} <= seen
    assert not [at_once for at_once in seen if "serves" in at_once and len(at_once) > 1]
    assert [float(lab.outputs[case]) for case in cases] == [0.01, 0.02, 0.03, 0.04]
    assert [lab.finished[case].repeat_agrees for case in cases] == [False, False, False, None]


def test_a_container_that_cannot_be_removed_keeps_no_lease(
    lab: LeaseServer, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Session.__exit__

    def fails_once_done(self: Session, *error: Any) -> None:
        whole(self, *error)
        raise OSError("a disk is busy")

    monkeypatch.setattr(Session, "__exit__", fails_once_done)
    batches = [serve(lab, 2, repeat=1), serve(lab, 2, evaluation=8)]
    start()
    assert [answers(lab, cases) for cases in batches] == [[0.01, 0.02], [0.01, 0.02]]
    until(lambda: lab.outstanding() == 0)
    assert lab.released == {}


def test_a_slot_that_is_told_to_stop_hands_back_what_it_has_not_begun(lab: LeaseServer, start: Start) -> None:
    cases = serve(lab, 6, what="sleeps-0.7")
    runner = start()
    until(lambda: len(lab.finished) >= 2)
    runner.stop()
    until(lambda: lab.outstanding() == 0)
    assert set(lab.released.values()) == {None}
    assert lab.finished.keys() | lab.released.keys() == set(cases)


def test_a_case_whose_lease_is_lost_before_its_turn_ends_no_container(lab: LeaseServer, start: Start) -> None:
    lab.lease_seconds = 2.0
    first, lost, last = serve(lab, 3, what="sleeps-1.5")
    lab.lost.add(lost)
    start()
    assert answers(lab, [first, last]) == [0.01, 0.02]
    assert lost not in lab.finished
