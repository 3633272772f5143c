"""The seam to container engines: what an answer means follows from its status and structure, whatever its words."""

import base64
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from evaluator.verdicts import PlatformFault
from sandbox.engines import EngineRefused, EngineSilent, EngineSlow
from sandbox.engines._answers import container_state, path_stat, spoken
from sandbox.engines.docker import DockerEngine
from sandbox.faults import EngineFault
from tests.sandbox.engines import Answer, engine_that, failure

OLD = {"ApiVersion": "1.41", "MinAPIVersion": "1.12"}
STATE = {"Running": False, "Pid": 0, "ExitCode": 137, "OOMKilled": False}


@pytest.mark.parametrize(
    ("newest", "oldest", "chosen"),
    [
        ("1.41", "1.12", "1.41"),  # Docker 20.10
        ("1.47", "1.24", "1.41"),  # 27
        ("1.52", "1.44", "1.44"),  # 29, which answers nobody who speaks less
        ("1.41", None, "1.41"),
        ("1.40", "1.12", "1.40"),  # 19.03: too old, and told so by the doctor, not by an error of a library
        ("1.100", "1.50", "1.50"),
    ],
)
def test_an_engine_is_spoken_to_in_the_oldest_version_that_both_know(
    newest: str, oldest: str | None, chosen: str
) -> None:
    assert spoken(newest, oldest) == chosen


def container(**changes: Any) -> dict[str, Any]:
    times = {"StartedAt": "2026-11-30T01:00:00.123456789Z", "FinishedAt": "2026-11-30T02:00:01.5+01:00"}
    return {"Id": "abc", "Name": "/proctor-1", "State": STATE | times} | changes


def test_a_container_is_read_the_same_of_every_engine() -> None:
    docker = {"Name": "overlay2", "Data": {"UpperDir": "/var/lib/docker/overlay2/a/diff"}}
    podman = {"Name": "overlay", "Data": {"UpperDir": "/var/lib/containers/storage/overlay/a/diff"}}
    said = container_state(container(GraphDriver=docker, HostsPath="/x/hosts", ResolvConfPath=""))
    assert (said.id, said.name, said.running, said.exit_code) == ("abc", "proctor-1", False, 137)
    assert said.started == datetime(2026, 11, 30, 1, 0, 0, 123456, UTC)
    assert said.finished == datetime(2026, 11, 30, 1, 0, 1, 500000, UTC)
    assert said.upper == Path("/var/lib/docker/overlay2/a/diff")
    assert said.beside == (Path("/x/hosts"),)
    assert container_state(container(GraphDriver=podman)).upper == Path(podman["Data"]["UpperDir"])


def test_what_an_engine_leaves_out_is_not_guessed() -> None:
    """As Docker 29 does of the folders of a container in containerd's store."""
    said = container_state(container(Storage={"RootFS": {}}, State=STATE))
    assert (said.upper, said.beside, said.started, said.finished) == (None, (), None, None)
    assert container_state(container(GraphDriver={"Name": "btrfs", "Data": None})).upper is None


@pytest.mark.parametrize(
    ("mode", "link", "special"),
    [
        (0o644, None, False),
        (0o755 | 1 << 31, None, False),
        (0o777 | 1 << 27, "/elsewhere", False),
        (0o644 | 1 << 25, None, True),
        (0o660 | 1 << 26 | 1 << 21, None, True),
    ],
)
def test_what_stands_at_a_path_is_told_by_its_mode(mode: int, link: str | None, special: bool) -> None:
    said = {"name": "x", "size": 7, "mode": mode, "linkTarget": "/elsewhere"}
    found = path_stat(base64.b64encode(json.dumps(said).encode()).decode())
    assert (found.size, found.link, found.special) == (7, link, special)


def recorded(answers: dict[tuple[str, str], Answer], version: dict[str, str]) -> Callable[..., Answer]:
    """An engine of which every answer is on record; what is not is told as a fault of the test."""

    def answer(method: str, path: str, body: bytes) -> Answer:
        route = path.partition("?")[0]
        if route.endswith("/version"):
            return 200, json.dumps(version).encode()
        return answers.get((method, route), (418, failure(f"nobody recorded {method} {route}")))

    return answer


@pytest.mark.parametrize("said", ["No such image: x", "x: image not known", "reference does not exist", ""])
def test_an_image_that_is_not_there_is_told_by_the_status(said: str) -> None:
    answers = {("GET", "/v1.41/images/x/json"): (404, failure(said))}
    with engine_that(recorded(answers, OLD)) as engine:
        assert not engine.has_image("x")
        with pytest.raises(EngineFault) as caught:
            engine.inspect_image("x")
    assert caught.value.fault is PlatformFault.IMAGE_MISSING


def test_an_engine_with_a_least_version_is_asked_in_it() -> None:
    answers = {("GET", "/v1.44/images/x/json"): (200, json.dumps({"Id": "x"}).encode())}
    with engine_that(recorded(answers, {"ApiVersion": "1.52", "MinAPIVersion": "1.44"})) as engine:
        assert engine.has_image("x")


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (409, "Container x is not running"),
        (500, "can only kill running containers. x is in state exited: container state improper"),
        (404, "no container with name or ID"),
    ],
)
def test_what_does_not_run_any_more_was_not_killed_by_us(status: int, said: str) -> None:
    inspected = (200, json.dumps(container()).encode()) if status != 404 else (404, failure("gone"))
    answers = {
        ("POST", "/v1.41/containers/x/kill"): (status, failure(said)),
        ("GET", "/v1.41/containers/x/json"): inspected,
    }
    with engine_that(recorded(answers, OLD)) as engine:
        assert not engine.kill_container("x")


def test_an_engine_that_does_not_kill_what_runs_is_a_fault() -> None:
    answers = {
        ("POST", "/v1.41/containers/x/kill"): (409, failure("Container x is not running, or so I think")),
        ("GET", "/v1.41/containers/x/json"): (
            200,
            json.dumps(container(State=STATE | {"Running": True})).encode(),
        ),
    }
    with engine_that(recorded(answers, OLD)) as engine, pytest.raises(EngineFault):
        engine.kill_container("x")


def test_a_container_that_somebody_else_removes_is_removed() -> None:
    answers = {
        ("DELETE", "/v1.41/containers/x"): (409, failure("removal of container x is already in progress")),
        ("GET", "/v1.41/containers/json"): (200, b"[]"),
    }
    with engine_that(recorded(answers, OLD)) as engine:
        engine.remove_container("x")


@pytest.mark.parametrize(("status", "removed"), [(404, True), (409, False)])
def test_an_image_stays_where_it_is_used_and_is_gone_where_it_is_not_there(
    status: int, removed: bool
) -> None:
    def answer(method: str, path: str, body: bytes) -> Answer:
        return recorded({}, OLD)(method, path, body) if method == "GET" else (status, failure("no"))

    with engine_that(answer) as engine:
        assert engine.untag("sha256:" + "0" * 64) is removed


def test_a_refusal_keeps_its_status_and_its_words() -> None:
    answers = {("POST", "/v1.41/containers/x/start"): (400, failure("the flux is not capacious enough"))}
    with engine_that(recorded(answers, OLD)) as engine, pytest.raises(EngineRefused) as caught:
        engine.raw.start("x")
    assert (caught.value.status, caught.value.said) == (400, "the flux is not capacious enough")
    assert not caught.value.is_missing
    assert not caught.value.is_conflict


def test_silence_is_no_refusal() -> None:
    with pytest.raises(EngineSilent):
        DockerEngine.connect("tcp://127.0.0.1:1")


def test_an_answer_that_takes_too_long_is_told_from_none() -> None:
    def answer(method: str, path: str, body: bytes) -> Answer:
        if path.endswith("/info"):
            time.sleep(2)
        return recorded({}, OLD)(method, path, body)

    with engine_that(answer, timeout=1) as engine, pytest.raises(EngineSlow):
        engine.raw.info()
