"""A slot takes work only once its host has passed, and the server is told what failed."""

import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from evaluator.spec import Limits
from sandbox import options
from sandbox.conformance import Result, limits
from tests.sandbox.nvidia import FIRST, SECOND, StandIn
from worker.run import host_check
from worker.run.config import RunConfig
from worker.run.host import HostFolder
from worker.run.host_check import HostCheck, Unfit
from worker.run.lease_client import LeaseClient
from worker.run.slots import user_of, whole_slot

Told = list[tuple[str, Any]]
Build = Callable[..., dict[str, Any]]


class _Server(http.server.BaseHTTPRequestHandler):
    """Notes what it is told and answers with the status that stands in `answer`."""

    told: Told
    examined: list[str]
    answer: int

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        said = json.loads(body)
        if said.get("examining"):
            self.examined.append(self.path)
        else:
            self.told.append((self.path, said["unfit"]))
        self.send_response(self.answer)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@pytest.fixture
def server() -> Iterator[tuple[type[_Server], str]]:
    handler = type("Handler", (_Server,), {"told": [], "examined": [], "answer": 204})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield handler, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def make_check(server: tuple[type[_Server], str], tmp_path: Path) -> Iterator[Callable[..., HostCheck]]:
    clients = []

    def make_check(slot: str = "run-1", **changes: Any) -> HostCheck:
        config = RunConfig(server_url=server[1], worker_token=SecretStr("x"), worker_dir=tmp_path / "worker")
        clients.append(LeaseClient(config, slot))
        host = HostFolder(config.worker_dir)
        return HostCheck(config, host, replace(whole_slot(config, host, slot), **changes), clients[-1])

    yield make_check
    for client in clients:
        client.close()


def test_a_fit_host_is_examined_once_a_day_for_all_of_its_slots(
    make_check: Callable[..., HostCheck], server: tuple[type[_Server], str], tmp_path: Path
) -> None:
    first = make_check()
    note = tmp_path / "worker/conformance/image"
    note.write_text("sha256:" + "0" * 64)
    assert first.passes()
    assert note.read_text() != "sha256:" + "0" * 64
    began = time.process_time()
    second = make_check("run-2")
    assert second.passes()
    second.require(limits("compatible", "runc"))
    assert time.process_time() - began < 0.5
    assert server[0].told == [("/api/v1/worker/slots/run-1", None), ("/api/v1/worker/slots/run-2", None)]
    assert server[0].examined == ["/api/v1/worker/slots/run-1"], "the other one finds it done"


def test_a_host_that_fails_takes_no_work_and_says_which_checks(
    make_check: Callable[..., HostCheck], server: tuple[type[_Server], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = options.build

    def without_a_bound_on_processes(*arguments: Any, **named: Any) -> dict[str, Any]:
        config = real(*arguments, **named)
        config["HostConfig"]["PidsLimit"] = -1
        return config

    monkeypatch.setattr(options, "build", without_a_bound_on_processes)
    server[0].answer = 404
    check = make_check()
    assert not check.passes()
    assert not check.passes()
    ((_, sentence),) = server[0].told
    assert sentence == "Checks of the sandbox failed on this host (1): processes."
    with pytest.raises(Unfit, match="processes"):
        check.require(limits("compatible", "runc"))


def test_checks_are_accepted_by_name_where_no_other_engine_holds_them(tmp_path: Path) -> None:
    known = {"server_url": "http://server", "worker_token": SecretStr("x"), "worker_dir": tmp_path}
    config = RunConfig(**known, engine="apptainer", accepted_checks="call filter, masked paths")  # type: ignore[arg-type]
    assert config.accepted == {"call filter", "masked paths"}
    with pytest.raises(ValueError, match="on docker every check of the sandbox has to hold"):
        RunConfig(**known, accepted_checks="call filter")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("accepted", "fails", "fit"),
    [
        ([], ["masked paths", "call filter"], False),
        (["masked paths"], ["masked paths", "call filter"], False),
        (["masked paths", "call filter"], ["masked paths", "call filter"], True),
        (["canary: number"], ["canary: number"], False),
    ],
)
def test_a_check_that_fails_takes_the_slot_out_unless_it_was_accepted_and_the_canary_never_is(
    accepted: list[str],
    fails: list[str],
    fit: bool,
    make_check: Callable[..., HostCheck],
    server: tuple[type[_Server], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ("masked paths", "call filter", "mounts", "canary: number")
    results = [Result(name, "", name not in fails, "", "compatible", "runc") for name in names]
    begun: list[bool] = []
    monkeypatch.setattr(HostCheck, "_examine", lambda *_: begun.append(bool(server[0].examined)) or results)
    check = make_check()
    monkeypatch.setattr(check, "_accepted", frozenset(accepted))
    assert check.passes() is fit
    assert begun == [True], "the server is told before the checks run"
    assert len(server[0].told) == 1, "and what came of them"


def test_a_runtime_that_the_engine_lacks_makes_a_slot_unfit(
    make_check: Callable[..., HostCheck], server: tuple[type[_Server], str]
) -> None:
    assert not make_check(runtime="absent").passes()
    assert "no runtime absent" in server[0].told[0][1]


def test_without_an_engine_a_slot_takes_no_work_and_looks_again_soon(
    make_check: Callable[..., HostCheck],
    server: tuple[type[_Server], str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    check = make_check()
    assert not check.passes()
    assert server[0].told[-1][1] == "The container engine of this host fails: engine_unavailable."


def test_a_server_that_does_not_answer_is_told_later(
    make_check: Callable[..., HostCheck], server: tuple[type[_Server], str]
) -> None:
    check = make_check(runtime="absent")
    server[0].answer = 500
    assert not check.passes()
    server[0].answer = 204
    assert not check.passes()
    assert not check.passes()
    assert len(server[0].told) == 2


def test_a_gpu_that_fails_takes_its_slot_out_until_it_answers_again(
    make_check: Callable[..., HostCheck],
    server: tuple[type[_Server], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    well = StandIn(tmp_path / "nvidia")
    monkeypatch.setenv("PATH", f"{well.bin}:/usr/sbin:/usr/bin:/sbin:/bin")
    monkeypatch.setattr(host_check, "_GPU_AGAIN", 0.0)
    monkeypatch.setattr(HostCheck, "_of_engine", lambda self, modes: (None, 3600.0))
    check, other = make_check(gpu_uuid=FIRST), make_check("run-2", gpu_uuid=SECOND)
    assert check.passes()
    well.change(FIRST, lost=True)
    assert not check.passes()
    assert not check.passes()
    assert other.passes(), "the host's other GPU is well"
    well.change(FIRST, lost=False)
    assert check.passes()
    told = [unfit for path, unfit in server[0].told if path.endswith("run-1")]
    assert told == [None, told[1], None]
    assert f"GPU {FIRST} does not answer its driver" in told[1]


def test_every_slot_of_a_host_has_a_user_of_its_own_and_keeps_it(tmp_path: Path) -> None:
    host = HostFolder(tmp_path)
    users = [user_of(host, f"run-{number}") for number in range(8)]
    assert len(set(users)) == 8
    assert all(61_000 <= user < 61_184 for user in users)
    assert [user_of(HostFolder(tmp_path), f"run-{number}") for number in range(8)] == users


def test_limits_name_a_runtime_or_none() -> None:
    assert Limits.model_validate(limits("strict", "runc").model_dump()).runtime == "runc"
