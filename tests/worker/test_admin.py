"""`proctor-admin`: what the commands say on this machine, and what each process is told."""

import fcntl
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sandbox.engine import Engine
from worker.admin import doctor
from worker.admin.commands import TOPICS, commands
from worker.admin.findings import DoctorFinding, FindingState
from worker.admin.main import collect
from worker.admin.platform import OF_STORE, Platform, run_worker_environment, server_environment, services
from worker.admin.slots import SlotShare, deal
from worker.admin.up import serve
from worker.embedded.account import SetupError
from worker.embedded.data import CHECKOUT, data_directory, path_digest, prepare
from worker.supervisor import Program


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform.on(prepare(tmp_path / "data"), run_workers=2)


def test_every_command_is_listed_under_one_topic() -> None:
    named = [name for names in TOPICS.values() for name in names]
    assert sorted(named) == sorted(declared.name for declared in commands())
    shown = CliRunner().invoke(collect(), ["--help"]).stdout
    assert [line.removesuffix(":") for line in shown.splitlines() if line.endswith(":")][1:] == list(TOPICS)


def test_without_the_servers_packages_one_sentence_says_what_to_install() -> None:
    script = (
        "import importlib.util, sys; found = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *rest: None if name == 'sqlalchemy' else found(name, *rest)\n"
        "from worker.admin.main import main; main()"
    )
    command = [sys.executable, "-c", script, "doctor"]
    ended = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "proctor-admin needs the server's packages: pip install '.[server,worker]'\n"


def test_a_database_that_is_away_is_said_in_a_sentence_and_in_no_line_of_a_log(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"postgresql+psycopg://proctor:secret@127.0.0.1:{free.getsockname()[1]}/proctor"
        told = {"DATABASE_URL": nobody, "PROCTOR_DATA": str(tmp_path), "PROCTOR_SECRET_KEY": "k" * 32}
        command = [sys.executable, "-m", "worker.admin", "status"]
        ended = subprocess.run(
            command,
            cwd=CHECKOUT,
            env=os.environ | told,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ended.returncode == 1
    assert "The database of this installation does not answer" in ended.stderr
    assert "warning" not in ended.stdout + ended.stderr
    assert "secret" not in ended.stdout + ended.stderr


def test_doctor_finds_this_machine_fit() -> None:
    result = CliRunner().invoke(collect(), ["doctor", "--json"])
    findings = {finding["subject"]: finding for finding in json.loads(result.stdout)}
    assert findings["engine version"]["state"] == "ok"
    assert findings["processes"]["state"] == "ok"
    assert all(finding["remedy"] for finding in findings.values() if finding["state"] != "ok")


def test_doctor_looks_at_the_port_where_the_installation_listens(tmp_path: Path) -> None:
    (tmp_path / "address").write_text("http://127.0.0.1:8999\n")
    found = {one.subject: one.found for one in doctor.examine(tmp_path, None)}
    assert found["port"] == "8999, where Proctor listens"
    assert "http://127.0.0.1:8999 by default" in found["public address"]


def test_doctor_says_what_to_do_without_an_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    (finding,) = doctor.engine(Engine.connect)
    assert finding.state is FindingState.FAIL
    assert "make engine" in finding.remedy


@pytest.mark.parametrize(
    ("finding", "state"),
    [
        (doctor.python((3, 10)), FindingState.FAIL),
        (doctor.architecture("Linux", "aarch64"), FindingState.FAIL),
        (doctor.engine_version("19.03.8"), FindingState.FAIL),
        (doctor.engine_version("20.10.24+dfsg1"), FindingState.OK),
        (doctor.storage("vfs"), FindingState.WARN),
        (doctor.page_scripts({"one": object(), "other": None}), FindingState.WARN),
        (doctor.page_scripts({"one": object(), "other": object()}), FindingState.OK),
        (doctor.disk("disk", Path("/tmp"), warn=1, fail=10**18), FindingState.FAIL),
        (doctor.disk("disk", Path("/tmp"), warn=10**18, fail=1), FindingState.WARN),
    ],
)
def test_doctor_judges(finding: DoctorFinding, state: FindingState) -> None:
    assert finding.state is state
    assert state is FindingState.OK or finding.remedy


def test_run_workers_are_told_neither_database_nor_data_directory(platform: Platform) -> None:
    env = run_worker_environment(platform, SlotShare((0,), 2**30))
    server = server_environment(platform)
    assert not {"DATABASE_URL", "PROCTOR_DATA", "PROCTOR_SECRET_KEY", "PROCTOR_SETUP_TOKEN"} & set(env)
    assert not any(server["PROCTOR_SECRET_KEY"] in value for value in env.values())
    assert env["PROCTOR_SERVER_URL"] == platform.server_url


def test_only_the_server_and_score_workers_are_told_where_the_blobs_are(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in OF_STORE:
        monkeypatch.setenv(name, f"value of {name}")
    told = {
        service.name: OF_STORE[0] in service.env()
        for service in services(platform)
        if isinstance(service, Program)
    }
    assert {name for name, known in told.items() if known} == {"server", "score-1"}
    server = server_environment(platform)
    assert set(OF_STORE) <= server.keys()
    assert not {value for name, value in server.items() if name in OF_STORE} & {
        value
        for service in services(platform)
        if isinstance(service, Program) and service.name not in ("server", "score-1")
        for value in service.env().values()
    }


def test_the_order_is_database_migrations_server_token_workers(platform: Platform) -> None:
    names = [service.name for service in services(platform)]
    assert names == [
        "postgres",
        "redis",
        "migrations",
        "secret key",
        "server",
        "worker token",
        "beat",
        "run-1",
        "run-2",
        "score-1",
        "courier",
    ]


def test_only_who_sends_knows_the_mail_server_and_who_sends_knows_no_keys(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROCTOR_SMTP_URL", "smtp://me:word@mail.example")
    told = {
        service.name: set(service.env()) for service in services(platform) if isinstance(service, Program)
    }
    assert {name for name, known in told.items() if "PROCTOR_SMTP_URL" in known} == {"server", "courier"}
    assert not {"PROCTOR_SECRET_KEY", "PROCTOR_DATA", "REDIS_URL"} & told["courier"]


def test_secrets_are_made_once_and_closed_to_others(platform: Platform) -> None:
    first = platform.secret("secret_key")
    path = platform.data / "secrets" / "secret_key"
    assert platform.secret("secret_key") == first
    assert len(first) >= 32
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_taken_port_is_said_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SetupError, match=f"Port {port} .*--port"):
            Platform.on(tmp_path, port=port)


def test_a_second_up_is_refused_in_one_sentence_and_leaves_the_first_ones_address(platform: Platform) -> None:
    announced: list[str] = []
    platform.address_file.write_text("http://127.0.0.1:1\n")
    with (platform.data / "postgres.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(SetupError, match=r"already runs on .* at http://127.0.0.1:1"):
            serve(platform, announced.append)
    assert platform.address_file.is_file()
    assert announced == []


def test_slots_share_all_cores_and_never_all_memory() -> None:
    slots = deal(3)
    assert all(slot.cores for slot in slots)
    assert sum(slot.memory for slot in slots) < 0.9 * deal(1)[0].memory / 0.8


def test_the_data_directory_is_the_chosen_one_or_one_per_checkout(tmp_path: Path) -> None:
    assert data_directory({"PROCTOR_DATA": str(tmp_path)}) == tmp_path
    default = data_directory({}, CHECKOUT)
    assert default in {
        CHECKOUT / ".data",
        Path("/var/lib/proctor") / f"{CHECKOUT.name}-{path_digest(CHECKOUT)}",
    }
    assert data_directory({}, tmp_path) != default
