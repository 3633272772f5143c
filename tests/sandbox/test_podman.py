"""Podman keeps what Docker keeps: the options in its own words, and the acts and programs that matter, on a real one.

`make test` runs these few; `make test-long` runs every test of this folder on it.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evaluator.verdicts import PlatformFault
from sandbox import cgroups, conformance, options, podman_bounds
from sandbox.cgroups import Cgroup
from sandbox.disks import BoundedDisk
from sandbox.engine import Engine
from sandbox.engines import SETTING, EngineSilent, connect
from sandbox.engines._podman_spec import specification, unknown
from sandbox.engines.podman import PodmanEngine, address
from sandbox.faults import EngineFault
from sandbox.jobs import CaseJob, Slot
from sandbox.start import not_started
from tests.sandbox.conftest import Run
from tests.sandbox.engines import Answer, engine_that

ENGINES = ("podman",)
GPU = "GPU-9a3c1f60-0c4b-4c8e-8b1f-2d9f5a6b7c8d"


@pytest.fixture
def config(challenge: Any, tmp_path: Path, volume: Path) -> Callable[..., dict[str, Any]]:
    def config(profile: str = "compatible", slot: Slot | None = None) -> dict[str, Any]:
        limits = challenge.limits.model_copy(update={"profile": profile})
        job = CaseJob(
            name="proctor-1",
            image="sha256:abc",
            task=challenge.tasks["task5"],
            task_name="task5",
            track="methods",
            inputs={one.key: volume for one in challenge.tasks["task5"].all_inputs},
            pseudonym="p",
            limits=limits,
            slot=slot or Slot(cpuset="2-5"),
            scratch=tmp_path,
        )
        places = (options.OUTPUT, options.WORK, options.TMP)
        disks = {
            place: BoundedDisk(f"proctor-1.{number}", f"/dev/loop{number}", tmp_path)
            for number, place in enumerate(places)
        }
        return options.build(job, options.Host(8, "/proctor/proctor-1"), options.Mounts(tmp_path, disks))

    return config


FILES = {"seccomp": Path("/ours/seccomp"), "/etc/hosts": Path("/ours/hosts")}


def test_every_option_of_a_case_is_said_in_its_own_words(config: Callable[..., dict[str, Any]]) -> None:
    given = config(slot=Slot(cpuset="2-5", gpu_uuid=GPU))
    made, host = specification(given, "proctor-1", FILES), given["HostConfig"]
    assert unknown(given) == []
    assert (made["image"], made["command"], made["hostname"]) == ("sha256:abc", given["Cmd"], "proctor")
    assert made["netns"] == {"nsmode": "none"}
    assert {made[name]["nsmode"] for name in ("ipcns", "pidns", "utsns", "cgroupns")} == {"private"}
    assert (made["cap_drop"], made["cap_add"]) == (["ALL"], ["DAC_OVERRIDE"])
    assert (made["no_new_privileges"], made["systemd"], made["httpproxy"]) == (True, "false", False)
    assert (made["seccomp_profile_path"], made["mask"]) == ("/ours/seccomp", host["MaskedPaths"])
    assert made["resource_limits"] == {
        "memory": {"limit": host["Memory"], "swap": host["Memory"]},
        "pids": {"limit": host["PidsLimit"]},
        "cpu": {"cpus": host["CpusetCpus"]},
    }
    assert {one["type"] for one in made["r_limits"]} == {
        *("core", "fsize", "msgqueue", "nofile", "nproc", "sigpending"),
    }
    assert made["devices"] == [{"path": f"nvidia.com/gpu={GPU}"}]
    assert made["cgroup_parent"] == "/proctor/proctor-1"


def test_inputs_and_what_names_a_host_are_read_only_and_disks_are_not_devices(
    config: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    made = specification(config(), "proctor-1", FILES)
    binds = {one["destination"]: (one["source"], one["options"]) for one in made["mounts"]}
    assert binds == {
        "/input": (str(tmp_path), ["bind", "ro", "rprivate"]),
        "/etc/hosts": ("/ours/hosts", ["bind", "ro", "rprivate"]),
    }
    disks = {one["Dest"]: one["Options"] for one in made["volumes"]}
    assert disks["/output"] == ["rw", "nosuid", "nodev", "exec", "nocopy"]
    assert len({tuple(one) for one in disks.values()}) == 1, "what the image has is copied by us"


def test_the_strict_profile_is_strict(config: Callable[..., dict[str, Any]]) -> None:
    made = specification(config("strict"), "proctor-1", FILES)
    assert (made["read_only_filesystem"], made["user"], made["cap_add"]) == (True, "61000:61000", [])
    assert all("noexec" in one["Options"] for one in made["volumes"])


def test_a_part_of_a_core_is_a_quota(config: Callable[..., dict[str, Any]]) -> None:
    given = config()
    given["HostConfig"] |= {"NanoCpus": 500_000_000, "CpusetCpus": ""}
    assert specification(given, "x", FILES)["resource_limits"]["cpu"] == {"period": 100_000, "quota": 50_000}


def test_an_option_that_is_not_known_is_never_left_out(
    config: Callable[..., dict[str, Any]], engine: Engine
) -> None:
    given = config() | {"Shell": ["/bin/sh"]}
    given["HostConfig"] |= {"Sysctls": {"kernel.x": "1"}}
    assert unknown(given) == ["Shell", "Sysctls"]
    with pytest.raises(Exception, match="not known for Podman: Shell, Sysctls"):
        engine.raw.create(given, "proctor-1")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"CONTAINER_HOST": "unix:///a.sock", "XDG_RUNTIME_DIR": "/run/user/7"}, "unix:///a.sock"),
        ({}, "unix:///run/podman/podman.sock"),
    ],
)
def test_it_is_asked_where_its_own_client_would(
    settings: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CONTAINER_HOST", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert address() == expected


def test_an_engine_that_there_is_not_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SETTING, "dockre")
    with pytest.raises(EngineSilent, match="'dockre'"):
        connect()
    with pytest.raises(EngineFault) as caught:
        Engine.connect()
    assert caught.value.fault is PlatformFault.ENGINE_UNAVAILABLE


def test_docker_is_not_taken_for_podman() -> None:
    said = {"ApiVersion": "1.41", "Components": [{"Name": "Engine"}]}

    def answer(method: str, path: str, body: bytes) -> Answer:
        return 200, json.dumps(said).encode()

    with engine_that(answer) as docker:
        where = docker.raw.connections[0].base_url  # type: ignore[attr-defined]
        with pytest.raises(EngineSilent, match="is not Podman"):
            PodmanEngine.connect(where.replace("http://", "tcp://"))


def test_podman_behind_dockers_address_is_known_for_what_it_is(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", address())
    monkeypatch.setenv(SETTING, "docker")
    found = connect()
    found.close()
    assert found.kind == "podman"


@pytest.mark.parametrize(
    ("log", "hint"),
    [
        ("ERROR (catatonit:6): failed to exec pid1: No such file or directory\n", "a file it needs is not"),
        ("ERROR (catatonit:12): failed to exec pid1: Permission denied\n", "does not allow"),
    ],
)
def test_its_init_says_that_nothing_was_executed(log: str, hint: str) -> None:
    verdict = not_started(1, log)
    assert verdict is not None
    assert hint in verdict.message
    assert not_started(0, log) is None


def test_a_group_goes_with_that_of_its_monitor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cgroups, "_ROOT", tmp_path)
    group = Cgroup("one", {"CgroupDriver": "cgroupfs", "CgroupVersion": "2"}, privileged=True)
    (tmp_path / "proctor" / "one" / "conmon").mkdir(parents=True)
    group.remove()
    assert list((tmp_path / "proctor").iterdir()) == []


def test_files_of_the_host_for_every_container_are_found(tmp_path: Path) -> None:
    assert podman_bounds.secrets(tmp_path).level == "ok"
    file = tmp_path / "usr/share/containers/mounts.conf"
    file.parent.mkdir(parents=True)
    file.write_text("# nothing\n\n")
    assert podman_bounds.secrets(tmp_path).level == "ok"
    file.write_text("/usr/share/rhel/secrets:/run/secrets\n")
    found = podman_bounds.secrets(tmp_path)
    assert (found.level, "/usr/share/containers/mounts.conf" in found.message) == ("problem", True)
    own = tmp_path / "etc/containers/mounts.conf"
    own.parent.mkdir(parents=True)
    own.touch()
    assert podman_bounds.secrets(tmp_path).level == "ok", "it is read instead of the other"


def test_a_runtime_that_starts_nothing_here_is_found(tmp_path: Path) -> None:
    assert podman_bounds.runtime({"DefaultRuntime": "crun"}, tmp_path).level == "ok"
    file = tmp_path / "sys/fs/cgroup/unified/cgroup.controllers"
    file.parent.mkdir(parents=True)
    file.write_text("hugetlb\n")
    assert podman_bounds.runtime({"DefaultRuntime": "crun"}, tmp_path).level == "problem"
    assert podman_bounds.runtime({"DefaultRuntime": "runc"}, tmp_path).level == "ok"


def test_a_gpu_without_a_name_is_found(tmp_path: Path) -> None:
    assert podman_bounds.devices([GPU], tmp_path).level == "problem"
    (tmp_path / "etc/cdi").mkdir(parents=True)
    (tmp_path / "etc/cdi/nvidia.yaml").write_text(f"kind: nvidia.com/gpu\ndevices:\n- name: {GPU}\n")
    assert podman_bounds.devices([GPU], tmp_path).level == "ok"
    assert GPU[:-1] + "0" in podman_bounds.devices([GPU, GPU[:-1] + "0"], tmp_path).message


@pytest.mark.parametrize("profile", ["compatible", "strict"])
def test_every_act_is_denied_and_the_canary_answers(profile: str, engine: Engine, tmp_path: Path) -> None:
    tmp_path.chmod(0o711)
    results = conformance.run(engine, profile, "runc", tmp_path, slot=Slot(cpuset="0", uid=61_003))
    results += conformance.canary(engine, profile, "runc", tmp_path)
    assert {one.name: one.detail for one in results if not one.held} == {}


CODES = {
    "valid": "valid",
    "eats_memory": "out_of_memory",
    "fills_output": "disk_full",
    "fills_root": "disk_full",
    "hangs": "timeout",
    "symlink": "output_invalid:not_a_regular_file",
    "writes_nothing": "output_missing:missing",
}


@pytest.mark.parametrize(("behaviour", "code"), CODES.items(), ids=CODES)
def test_the_verdict_is_that_of_docker(behaviour: str, code: str, run: Run) -> None:
    assert run(behaviour, seconds_per_case=4).verdict.code == code


def test_it_is_refused_where_bounds_would_not_hold(engine: Engine) -> None:
    with pytest.raises(EngineFault, match="for root alone"):
        Engine.connect(engine.raw.kind, privileged=False)


def test_a_runtime_that_it_does_not_have_is_not_the_images_fault(run: Run) -> None:
    with pytest.raises(EngineFault, match="runsc was asked for"):
        run("valid", runtime="runsc")
