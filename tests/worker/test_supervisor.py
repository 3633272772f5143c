"""The supervisor: order, readiness, restarts, and nobody left behind."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from worker.answering import Answering
from worker.embedded.data import CHECKOUT
from worker.embedded.process import ServiceError
from worker.supervisor import Program, Step, Supervisor

STAY = "import time; print('up', flush=True); time.sleep(60)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + STAY

ANSWERING = """
import http.server, sys
server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler)
print("up", flush=True)
server.serve_forever()
"""

RUN = """
import sys
from pathlib import Path
from worker.supervisor import Program, Supervisor
here = Path(sys.argv[1])
child = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
program = Program("child", [sys.executable, "-c", child], here / "child.log", here, lambda: {})
Supervisor([program], lambda line: print(line, flush=True)).run()
"""


def program(here: Path, name: str, code: str = STAY, **options: object) -> Program:
    log = here / f"{name}.log"
    env: Callable[[], dict[str, str]] = dict
    ready = lambda: log.exists() and "up" in log.read_text()  # noqa: E731 - short-lived and local
    settings = {"ready": ready, "ready_seconds": 10.0, "stop_seconds": 5.0} | options
    return Program(name, [sys.executable, "-c", code], log, here, env, **settings)  # type: ignore[arg-type]


def until(condition: Callable[[], bool], seconds: float = 15) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def pid_of(service: Program) -> int:
    assert service._child is not None
    return service._child.pid


@pytest.fixture
def announced() -> list[str]:
    return []


def test_services_start_in_order_and_stop_in_reverse(tmp_path: Path, announced: list[str]) -> None:
    seen: list[str] = []
    first, last = program(tmp_path, "first"), program(tmp_path, "last")
    middle = Step("middle", lambda: seen.append(f"first ready: {first.alive()}, last: {last.alive()}"))
    supervisor = Supervisor([first, middle, last], announced.append)
    supervisor.start()
    assert seen == ["first ready: True, last: False"]
    assert [line.split(":")[0] for line in announced] == ["first", "middle", "last"]
    pids = [pid_of(first), pid_of(last)]
    supervisor.stop()
    assert all(gone(pid) for pid in pids)


def test_a_service_that_does_not_start_takes_the_earlier_ones_down(tmp_path: Path) -> None:
    good = program(tmp_path, "good")
    bad = program(tmp_path, "bad", "raise SystemExit('no disk left')")
    with pytest.raises(ServiceError, match="no disk left"):
        Supervisor([good, bad]).start()
    assert not good.alive()


def test_a_service_that_is_never_ready_fails_after_its_time(tmp_path: Path) -> None:
    slow = program(tmp_path, "slow", ready=lambda: False, ready_seconds=0.3)
    with pytest.raises(ServiceError, match="did not get ready"):
        Supervisor([slow]).start()
    assert not slow.alive()


def test_a_dead_service_is_started_again_with_growing_pauses(tmp_path: Path, announced: list[str]) -> None:
    dies = program(tmp_path, "dies", "print('up', flush=True)")
    supervisor = Supervisor([dies], announced.append)
    supervisor.start()

    def restarted_twice() -> bool:
        supervisor.look_after()
        return sum("again in" in line for line in announced) >= 3

    assert until(restarted_twice)
    supervisor.stop()
    pauses = [line.rsplit(" ", 2)[1] for line in announced if "again in" in line]
    assert pauses[:3] == ["0.5", "1", "2"]


def test_a_service_that_waits_for_another_one_does_not_keep_that_from_being_started_again(
    tmp_path: Path,
) -> None:
    database = program(tmp_path, "database", ready=None)
    server = program(tmp_path, "server", ready=lambda: database.alive(), ready_seconds=30.0)
    supervisor = Supervisor([database, server])
    supervisor.start()

    def all_are_well() -> bool:
        supervisor.look_after()
        return database.alive() and server.alive()

    os.kill(pid_of(database), signal.SIGKILL)
    assert until(lambda: not database.alive())
    assert until(all_are_well)
    for service in (database, server):  # the server's turn comes first now, for it has not died before
        os.kill(pid_of(service), signal.SIGKILL)
    assert until(lambda: not database.alive())
    assert until(all_are_well, seconds=10)
    supervisor.stop()


def test_what_was_started_again_and_does_not_get_ready_is_started_once_more(
    tmp_path: Path, announced: list[str]
) -> None:
    works = [True]
    service = program(tmp_path, "hangs", ready=lambda: works[0], ready_seconds=0.3)
    supervisor = Supervisor([service], announced.append)
    supervisor.start()
    works[0] = False
    os.kill(pid_of(service), signal.SIGKILL)

    def started_twice() -> bool:
        supervisor.look_after()
        return sum("started again" in line for line in announced) >= 2

    assert until(started_twice)
    supervisor.stop()


def test_what_runs_and_does_not_answer_is_started_again(tmp_path: Path, announced: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    def answers() -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{port}", timeout=1, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    service = program(tmp_path, "server", ANSWERING, ready=answers, answers=answers, silent_seconds=1.0)
    service.command = [*service.command, str(port)]
    supervisor = Supervisor([service], announced.append)
    supervisor.start()
    before = pid_of(service)
    os.kill(before, signal.SIGSTOP)

    def answers_again() -> bool:
        supervisor.look_after()
        return service.alive() and pid_of(service) != before and answers()

    assert until(answers_again, seconds=60)
    assert gone(before)
    assert "server: runs and does not answer, starting it again in 0.5 s" in announced
    supervisor.stop()


def test_a_program_that_answered_a_moment_ago_is_not_silent_whatever_it_says_now() -> None:
    listening = Answering(lambda: False, seconds=3600, every=0.01)
    try:
        assert until(lambda: listening._failures >= 10)
        assert not listening.silent
    finally:
        listening.stop()


def test_a_service_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    stubborn = program(tmp_path, "stubborn", STUBBORN, stop_seconds=0.3)
    stubborn.start()
    pid = pid_of(stubborn)
    stubborn.stop()
    assert gone(pid)


def test_the_environment_is_made_at_start_and_nothing_else_leaks_in(tmp_path: Path) -> None:
    secret: dict[str, str] = {}
    code = "import os; print('up', os.environ.get('TOKEN'), os.environ.get('HOME'), flush=True)"
    child = program(tmp_path, "child", code)
    child.env = lambda: secret
    secret["TOKEN"] = "made later"
    child.start()
    child.stop()
    assert (tmp_path / "child.log").read_text() == "up made later None\n"


def supervised(here: Path) -> tuple[subprocess.Popen[bytes], int]:
    """A supervisor process with one child, and the child's pid."""
    supervisor = subprocess.Popen(
        [sys.executable, "-c", RUN, str(here)], cwd=CHECKOUT, stdout=subprocess.PIPE
    )
    log = here / "child.log"
    assert until(lambda: log.exists() and log.read_text().endswith("\n"))
    assert supervisor.stdout is not None
    assert b"ready" in supervisor.stdout.readline()
    return supervisor, int(log.read_text())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_everything_and_exits_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    supervisor, child = supervised(tmp_path)
    supervisor.send_signal(number)
    assert supervisor.wait(20) == 0
    assert gone(child)
    supervisor.communicate()


def test_a_killed_supervisor_leaves_no_child(tmp_path: Path) -> None:
    supervisor, child = supervised(tmp_path)
    supervisor.kill()
    supervisor.wait()
    assert until(lambda: gone(child))
    supervisor.communicate()


def test_ctrl_c_reaches_the_supervisor_and_not_its_children(tmp_path: Path) -> None:
    child = program(tmp_path, "child")
    child.start()
    assert os.getpgid(pid_of(child)) != os.getpgid(0)
    child.stop()


def test_a_log_that_grows_is_set_aside_while_its_program_writes(
    tmp_path: Path, announced: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.embedded.process._LARGE_LOG", 50_000)
    code = "import time; print('up', flush=True)\nwhile True: print('x' * 99, flush=True); time.sleep(0.0001)"
    talker = program(tmp_path, "talker", code)
    supervisor = Supervisor([talker], announced.append)
    supervisor.start()
    try:
        older = talker.log.with_suffix(".1.log")
        for _ in range(3):
            assert until(lambda: talker.log.stat().st_size > 60_000)
            supervisor.look_after()
            assert talker.log.stat().st_size < 50_000
            assert older.stat().st_size >= 50_000
        assert b"\0" not in talker.log.read_bytes(), "it goes on at the beginning"
    finally:
        supervisor.stop()
