"""The suite of denied acts: everything holds here, and every weakened option is noticed by the checks named for it."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sandbox import conformance, options
from sandbox.conformance import Result, _image
from sandbox.engine import Engine
from sandbox.faults import EngineFault
from sandbox.jobs import CaseJob, Slot
from worker.admin.main import collect

Config = dict[str, Any]
Weaken = Callable[[Config, CaseJob], None]


def failed(results: list[Result]) -> dict[str, str]:
    return {one.name: one.detail for one in results if not one.held}


def test_every_act_is_denied_in_the_strict_profile(engine: Engine, tmp_path: Path) -> None:
    results = conformance.run(engine, "strict", "runc", tmp_path, slot=Slot(cpuset="0", uid=61_007))
    assert failed(results) == {}
    assert [one.name for one in results] == [one.name for one in conformance.checks("strict")]
    assert len(results) > 60
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_answer_fails_the_canary(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = options.build

    def for_another_kind(job: CaseJob, *arguments: Any) -> Config:
        config = real(job, *arguments)
        config["Env"] = [one.replace("PROCTOR_TASK=number", "PROCTOR_TASK=scores") for one in config["Env"]]
        return config

    monkeypatch.setattr(options, "build", for_another_kind)
    found = failed(conformance.canary(engine, "compatible", "runc", tmp_path))
    assert list(found) == ["canary: number"]
    assert "output_invalid" in found["canary: number"]


def without_privilege_bounds(config: Config, job: CaseJob) -> None:
    config["HostConfig"]["SecurityOpt"] = ["seccomp=unconfined"]
    config["HostConfig"]["CapAdd"] = [
        "SETUID",
        "SETGID",
        "SYS_CHROOT",
        "SYS_NICE",
        "SYS_RESOURCE",
        "MKNOD",
        "NET_RAW",
    ]
    config["HostConfig"]["OomScoreAdj"] = 0


def with_the_hosts_namespaces(config: Config, job: CaseJob) -> None:
    config["NetworkDisabled"] = False
    config["HostConfig"] |= {"NetworkMode": "host", "PidMode": "host", "CgroupnsMode": "host"}
    config["HostConfig"] |= {"MaskedPaths": [], "ReadonlyPaths": []}
    config["Env"].append("HOST_SECRET=x")
    del config["Hostname"]


def without_bounds_on_use(config: Config, job: CaseJob) -> None:
    config["HostConfig"] |= {"PidsLimit": -1, "Ulimits": [], "Memory": 0, "MemorySwap": 0, "CpusetCpus": ""}
    config["HostConfig"]["ShmSize"] = 2**30


def with_places_of_the_host(config: Config, job: CaseJob) -> None:
    mounts = config["HostConfig"]["Mounts"]
    mounts[0]["ReadOnly"] = False
    mounts[:] = [one for one in mounts if one["Target"] != options.OUTPUT]
    shared = job.scratch.parent / "shared"
    shared.mkdir(exist_ok=True)
    shared.chmod(0o777)
    named = str(job.inputs["facts"])
    for source, target in ((str(shared), options.OUTPUT), (str(shared), "/shared"), (named, "/named")):
        mounts.append({"Type": "bind", "Source": source, "Target": target, "ReadOnly": False})


# Only what every kernel allows then: user namespaces, 32-bit calls and others depend on how it was built and set up.
WEAKENED: dict[Weaken, set[str]] = {
    without_privilege_bounds: {
        *("capabilities", "new privileges", "call filter", "setuid programs", "other users", "device nodes"),
        *("chroot", "ptrace", "memory of other processes", "keyrings", "priority", "personality"),
        *("raw IP sockets", "packet sockets", "files by handle", "escape from the memory killer"),
        *("pages in memory", "asynchronous reads", "dropping pages", "watches of files"),
    },
    with_the_hosts_namespaces: {
        *("network interfaces", "host's loopback", "host's abstract sockets", "processes of the host"),
        *("masked paths", "kernel's settings", "environment", "name of the host"),
    },
    without_bounds_on_use: {
        "processes",
        "resource limits",
        "queued signals",
        "message queues",
        "memory",
        "shared memory",
        "cores of other slots",
    },
    with_places_of_the_host: {
        *("writing inputs", "leaving something behind", "other cases", "mounts", "names of cases"),
        *("bytes of /output", "files of /output", "disks"),
    },
}


@pytest.mark.parametrize("engine", ["docker"], indirect=True)  # that of Podman takes no weaker ones
@pytest.mark.parametrize(("weaken", "named"), WEAKENED.items(), ids=lambda one: getattr(one, "__name__", ""))
def test_a_weakened_option_fails_the_checks_named_for_it(
    weaken: Weaken, named: set[str], engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = options.build

    def weakened(job: CaseJob, *arguments: Any) -> Config:
        config = real(job, *arguments)
        weaken(config, job)
        return config

    monkeypatch.setattr(options, "build", weakened)
    results = conformance.run(engine, "compatible", "runc", tmp_path, slot=Slot(cpuset="0"))
    assert named - set(failed(results)) == set()


def test_a_container_that_does_not_start_fails_every_check(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = options.build
    monkeypatch.setattr(options, "build", lambda *arguments: real(*arguments) | {"Entrypoint": ["/absent"]})
    results = conformance.run(engine, "compatible", "runc", tmp_path)
    assert [one.name for one in results if one.held] == ["left on the host"]


def test_the_strict_profile_is_refused_where_no_disk_can_be_made(tmp_path: Path) -> None:
    engine = Engine.connect(privileged=False)
    try:
        results = conformance.run(engine, "strict", "runc", tmp_path)
    finally:
        engine.close()
    assert all("run the worker as root" in detail for detail in failed(results).values())
    assert len(failed(results)) > 60


def test_the_image_is_made_of_this_interpreter_and_the_same_each_time(engine: Engine) -> None:
    assert _image.ensure(engine) == _image.ensure(engine)
    assert engine.has_image(_image.ensure(engine))


def test_doctor_tries_every_act_and_the_canary(engine: Engine) -> None:
    command = ["doctor", "--conformance", "--profile", "compatible", "--json"]
    shown = CliRunner().invoke(collect(), command)
    rows = json.loads(shown.stdout)
    assert shown.exit_code == 0, [row for row in rows if not row["held"]]
    names = [row["name"] for row in rows if row["runtime"] == "runc"]
    kinds = ["number", "scores", "segmentation", "embedding", "points", "table"]
    assert names == [one.name for one in conformance.checks("compatible")] + [
        f"canary: {one}" for one in kinds
    ]


def documented() -> str:
    """The table of docs/security.md."""
    lines = ["| check | what is denied | runc | gVisor |", "|---|---|---|---|"]
    asked = {one.name for one in conformance.checks("strict", "runsc")}
    always = {one.name for one in conformance.checks("compatible")}
    for one in conformance.checks("strict"):
        mark = "" if one.name in always else " ¹"
        gvisor = "yes" if one.name in asked else "not asked"
        lines.append(f"| {one.name}{mark} | {one.denied} | yes | {gvisor} |")
    return "\n".join(lines)


def test_the_table_in_the_documentation_is_the_suite() -> None:
    page = (Path(__file__).parents[2] / "docs/security.md").read_text()
    between = page.split("<!-- conformance:")[1].split("-->", 1)[1].split("<!-- end of conformance -->")[0]
    assert between.strip() == documented()


@pytest.fixture(scope="session")
def gvisor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine of our own that knows runsc, beside the one that the other tests use."""
    runsc = shutil.which("runsc")
    if runsc is None or shutil.which("dockerd") is None or os.geteuid() != 0:
        pytest.skip("runsc was not tried: it needs root, dockerd and the package runsc")
    folder = tmp_path_factory.mktemp("gvisor")
    flags = ["--platform=ptrace", "--network=none", "--oci-seccomp"]
    settings = folder / "daemon.json"
    settings.write_text(json.dumps({"runtimes": {"runsc": {"path": runsc, "runtimeArgs": flags}}}))
    address = f"unix://{folder}/docker.sock"
    places = ["--data-root", folder / "data", "--exec-root", folder / "exec", "--pidfile", folder / "pid"]
    command = [
        "dockerd",
        "--config-file",
        settings,
        "--host",
        address,
        *places,
        "--bridge=none",
        "--iptables=false",
    ]
    with (folder / "log").open("wb") as log:
        daemon = subprocess.Popen(list(map(str, command)), stdout=log, stderr=log, start_new_session=True)
    try:
        yield (found := answering(address))
        found.close()
    finally:
        daemon.terminate()
        daemon.wait(60)


def answering(address: str) -> Engine:
    deadline = time.monotonic() + 60
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", address)
        while True:
            try:
                found = Engine.connect()
                found.ping()
            except EngineFault:
                assert time.monotonic() < deadline, "the second engine does not answer"
                time.sleep(0.2)
            else:
                return found


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_every_act_is_denied_by_gvisor(gvisor: Engine, tmp_path: Path) -> None:
    results = conformance.run(gvisor, "compatible", "runsc", tmp_path, slot=Slot(cpuset="0", uid=61_007))
    assert failed(results) == {}
    assert failed(conformance.canary(gvisor, "compatible", "runsc", tmp_path)) == {}


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_every_act_is_denied_by_gvisor_in_the_strict_profile(gvisor: Engine, tmp_path: Path) -> None:
    results = conformance.run(gvisor, "strict", "runsc", tmp_path, slot=Slot(cpuset="0", uid=61_007))
    assert failed(results) == {}
