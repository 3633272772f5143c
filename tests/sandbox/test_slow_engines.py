"""An engine that is slow with one image is not a slow engine."""

import time
from collections.abc import Callable

import pytest

from evaluator.verdicts import Fault, PlatformFault
from sandbox import start
from sandbox.faults import EngineFault
from sandbox.jobs import CaseJob
from sandbox.run import run_case
from tests.sandbox.engines import Answer, engine_that, failure

ENGINES = ("docker",)

TIMEOUT = 8


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "_slow", set())
    monkeypatch.setattr(start, "_found_slow", {})
    monkeypatch.setattr(start, "_SHARE", 1)


def slow(image: str) -> Callable[[str, str, bytes], Answer | None]:
    """Takes longer for a container of this image than anybody waits; "" is every image."""

    def answer(method: str, path: str, body: bytes) -> Answer | None:
        if not ("/containers/create" in path and image.encode() in body):
            return None
        time.sleep(TIMEOUT + 1)
        return 500, failure("nobody listens any more")

    return answer


def test_an_image_that_is_slow_to_make_twice_is_the_participants(
    make_job: Callable[..., CaseJob], image: str
) -> None:
    with engine_that(slow(image), timeout=TIMEOUT) as engine:
        with pytest.raises(EngineFault) as first:
            run_case(engine, make_job())
        outcome = run_case(engine, make_job())
        began = time.monotonic()
        again = run_case(engine, make_job())
        assert time.monotonic() - began < TIMEOUT, "nobody waits for it a third time"
    assert again.verdict == outcome.verdict
    assert first.value.fault is PlatformFault.ENGINE_UNAVAILABLE
    assert (outcome.verdict.fault, outcome.verdict.message) == (Fault.NO_START, start.SLOW)


@pytest.mark.long
def test_an_engine_that_is_slow_with_every_image_is_the_platforms(make_job: Callable[..., CaseJob]) -> None:
    with engine_that(slow(""), timeout=TIMEOUT) as engine:
        for _ in range(2):
            with pytest.raises(EngineFault) as caught:
                run_case(engine, make_job())
            assert caught.value.fault is PlatformFault.ENGINE_UNAVAILABLE
