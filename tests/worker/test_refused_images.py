"""An image that the engine does not load is its team's failure: case by case at once, and the slot goes on."""

import time
from datetime import UTC, datetime

import pytest

from contract.images import ImageFacts
from evaluator.verdicts import PlatformFault
from sandbox.engine import Engine
from sandbox.faults import EngineFault, ImageRefused
from sandbox.start import UNLOADABLE
from tests.sandbox.archives import config, digest, tar
from tests.worker.lease_server import LeaseServer
from tests.worker.slots import Start, until
from worker.run import images

LAYER = tar(("app/predict.py", b"print(1)\n"))


def facts_of(lab: LeaseServer, *, created: str) -> ImageFacts:
    """An image of one layer, whose blobs the server has."""
    image = config(LAYER, created=created)
    lab.blobs = {digest(one): one for one in (image, LAYER)}
    return ImageFacts(
        digest=digest(image),
        layers=(digest(LAYER),),
        layer_sizes=(len(LAYER),),
        size=len(LAYER),
        architecture="amd64",
        os="linux",
        user="",
        environment=(),
        entrypoint=(),
    )


def test_an_image_that_no_engine_loads_fails_its_cases_and_pauses_no_slot(
    lab: LeaseServer, start: Start, engine: Engine
) -> None:
    good = lab.facts
    refused = facts_of(lab, created="on a Saturday")
    lab.facts = refused
    bad = [lab.add("answers")[0] for _ in range(3)]
    lab.facts = good
    (fine,) = lab.add("answers")
    start()
    for said in lab.wait(*bad):
        assert (said.fault, said.message, said.seconds) == ("no_start", UNLOADABLE.message, 0)
        assert said.log, "organizers read what the engine said"
    (said,) = lab.wait(fine)
    assert said.fault is None
    assert lab.released == {}
    assert {lab.fetched[one] for one in lab.blobs} == {1}, "what was refused is not fetched again"
    assert not engine.has_image(refused.digest)
    ends = sorted(lab.ended[one] for one in (*bad, fine))
    assert ends[1] - ends[0] < 5, "no pause as after a fault of the platform"


def test_an_image_whose_blobs_are_damaged_here_is_not_its_teams_failure(
    lab: LeaseServer, start: Start, engine: Engine
) -> None:
    whole = facts_of(lab, created="2026-11-28T17:00:00Z")
    lab.facts = whole
    lab.blobs[digest(LAYER)] = LAYER[::-1]
    (case,) = lab.add("answers")
    start()
    until(lambda: case in lab.released)
    assert lab.released[case] is not None
    assert lab.finished == {}
    assert not engine.has_image(whole.digest)


def test_an_image_at_which_the_engine_failed_here_is_brought_anew_until_it_has_run(
    lab: LeaseServer, start: Start, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So what fails again and again is no copy that was damaged on this host."""
    whole = facts_of(lab, created=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}")
    lab.facts = whole
    failing = [True, True]

    def fail(*_: object) -> None:
        if failing:
            failing.pop()
            raise EngineFault(PlatformFault.ENGINE_UNAVAILABLE, "as the test says")

    monkeypatch.setattr("sandbox.run.execute", fail)
    cases = [lab.add("answers")[0] for _ in range(3)]
    start()
    try:
        until(lambda: len(lab.released) == 2 and len(lab.finished) == 1)
    finally:
        engine.remove_image(whole.digest)
    assert {lab.fetched[one] for one in lab.blobs} == {3}
    assert set(cases) == set(lab.released) | set(lab.finished)


@pytest.mark.parametrize("seconds", [0.0, 1000.0])
def test_a_refusal_is_remembered_for_a_while(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "_REMEMBERED", seconds)
    refusals = images.Refusals()
    with pytest.raises(ImageRefused, match="as it was said"), refusals.noted("sha256:a"):
        raise ImageRefused("as it was said")
    refusals.raise_if_fresh("sha256:b")
    time.sleep(0.01)
    if seconds:
        with pytest.raises(ImageRefused, match="as it was said"):
            refusals.raise_if_fresh("sha256:a")
    else:
        refusals.raise_if_fresh("sha256:a")
