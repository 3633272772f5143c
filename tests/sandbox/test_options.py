"""The options of a container follow from the limits, the profile and the slot, and from nothing in the image."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox import options, seccomp
from sandbox.conformance.inside.files import MASKED
from sandbox.disks import BoundedDisk
from sandbox.faults import EngineFault
from sandbox.jobs import CaseJob, Slot
from sandbox.options import Host, Mounts, build, cores, receipt, refused_volumes, volumes_to_bound

ENGINES = ("docker",)

HOST = Host(cpus=8, cgroup_parent=None)
DANGEROUS = """
    _sysctl acct add_key adjtimex bpf chroot clock_adjtime clock_settime clone clone3 delete_module fanotify_init
    finit_module fsconfig fsmount fsopen fspick init_module io_uring_enter io_uring_register io_uring_setup ioperm
    iopl kcmp kexec_file_load kexec_load keyctl lookup_dcookie mbind migrate_pages mknod mknodat modify_ldt mount
    mount_setattr move_mount move_pages name_to_handle_at nfsservctl open_by_handle_at open_tree perf_event_open
    personality pidfd_getfd pivot_root process_madvise process_vm_readv process_vm_writev ptrace quotactl
    quotactl_fd reboot request_key setdomainname sethostname setns settimeofday socket socketpair swapoff swapon
    syslog umount2 unshare uselib userfaultfd vhangup vm86
"""


@pytest.fixture
def job(make_job: Callable[..., CaseJob]) -> CaseJob:
    return make_job()


def test_every_bound_is_set(job: CaseJob, tmp_path: Path) -> None:
    host = build(job, HOST, Mounts(tmp_path, {}))["HostConfig"]
    assert host["NetworkMode"] == "none"
    assert host["CapDrop"] == ["ALL"]
    assert host["CapAdd"] == ["DAC_OVERRIDE"]
    assert host["SecurityOpt"][0] == "no-new-privileges:true"
    assert host["Memory"] == host["MemorySwap"] == job.limits.memory
    assert host["PidsLimit"] == job.limits.processes
    assert host["ShmSize"] == job.limits.shm
    assert host["IpcMode"] == "private"
    assert host["Init"]
    assert {limit["Name"]: limit["Hard"] for limit in host["Ulimits"]}["core"] == 0


def test_inputs_are_read_only_and_nothing_else_is_mounted_but_disks(job: CaseJob, tmp_path: Path) -> None:
    disk = BoundedDisk("proctor-x.0", "/dev/loop7", tmp_path)
    mounts = build(job, HOST, Mounts(tmp_path, {"/output": disk, "/tmp": disk}))["HostConfig"]["Mounts"]
    assert [mount["Target"] for mount in mounts] == ["/input", "/output", "/tmp"]
    assert mounts[0]["ReadOnly"]
    assert mounts[1]["VolumeOptions"]["NoCopy"]
    assert not mounts[2]["VolumeOptions"]["NoCopy"]


def test_a_slot_lends_its_cores_and_one_gpu(make_job: Callable[..., CaseJob], tmp_path: Path) -> None:
    job = make_job(slot=Slot(cpuset="2-3,6", gpu_uuid="GPU-1"), cpus=32)
    config = build(job, HOST, Mounts(tmp_path, {}))
    assert config["HostConfig"]["CpusetCpus"] == "2,3,6"
    assert config["HostConfig"]["NanoCpus"] == 0, "whole cores of its own need no quota"
    assert config["HostConfig"]["DeviceRequests"][0]["DeviceIDs"] == ["GPU-1"]
    assert "NVIDIA_VISIBLE_DEVICES=GPU-1" in config["Env"]


@pytest.mark.parametrize(("cpus", "cpuset", "quota"), [(2, "2,3", 0), (1.5, "2,3", 1.5e9), (8, "2,3,6", 0)])
def test_a_task_gets_as_many_of_the_slots_cores_as_it_may_have(
    cpus: float, cpuset: str, quota: float, make_job: Callable[..., CaseJob], tmp_path: Path
) -> None:
    host = build(make_job(slot=Slot(cpuset="2-3,6"), cpus=cpus), HOST, Mounts(tmp_path, {}))["HostConfig"]
    assert (host["CpusetCpus"], host["NanoCpus"]) == (cpuset, quota)


def test_containers_that_share_a_slot_get_a_share_of_its_memory(
    make_job: Callable[..., CaseJob], tmp_path: Path
) -> None:
    job = make_job(slot=Slot(memory=64 * 2**20))
    host = build(job, HOST, Mounts(tmp_path, {}))["HostConfig"]
    assert host["Memory"] == host["MemorySwap"] == 64 * 2**20
    roomy = make_job(slot=Slot(memory=2**40))
    assert build(roomy, HOST, Mounts(tmp_path, {}))["HostConfig"]["Memory"] == roomy.limits.memory


def test_without_a_gpu_none_is_visible(job: CaseJob, tmp_path: Path) -> None:
    config = build(job, HOST, Mounts(tmp_path, {}))
    assert config["HostConfig"]["DeviceRequests"] == []
    assert "NVIDIA_VISIBLE_DEVICES=void" in config["Env"]
    assert "LD_PRELOAD=" in config["Env"]


def test_no_more_processors_are_asked_for_than_the_host_has(
    make_job: Callable[..., CaseJob], tmp_path: Path
) -> None:
    assert build(make_job(cpus=32), HOST, Mounts(tmp_path, {}))["HostConfig"]["NanoCpus"] == 8e9


def test_the_strict_profile_has_no_root(make_job: Callable[..., CaseJob], tmp_path: Path) -> None:
    disk = BoundedDisk("proctor-x.0", "/dev/loop7", tmp_path)
    job = make_job(profile="strict", slot=Slot(uid=61_005))
    config = build(job, HOST, Mounts(tmp_path, {"/output": disk}))
    assert config["User"] == "61005:61005"
    assert "noexec" in config["HostConfig"]["Mounts"][1]["VolumeOptions"]["DriverConfig"]["Options"]["o"]
    assert config["HostConfig"]["ReadonlyRootfs"]
    assert config["HostConfig"]["CapAdd"] == []


def test_a_task_without_a_call_uses_the_images_entry_point(
    make_job: Callable[..., CaseJob], tmp_path: Path
) -> None:
    job = make_job()
    assert build(job, HOST, Mounts(tmp_path, {}))["Entrypoint"] == ["python", "/app/predict.py"]
    bare = make_job(task="task5")
    without = build(
        CaseJob(**(vars(bare) | {"task": bare.task.model_copy(update={"call": None})})),
        HOST,
        Mounts(tmp_path, {}),
    )
    assert "Entrypoint" not in without
    assert without["Cmd"][:2] == ["--t1", "/input/t1w.nii.gz"]


def test_the_strict_profile_needs_bounded_disks(make_job: Callable[..., CaseJob], tmp_path: Path) -> None:
    with pytest.raises(EngineFault, match="strict"):
        build(make_job(profile="strict"), HOST, Mounts(tmp_path, {}))


def test_the_images_own_health_check_stop_signal_and_labels_mean_nothing(
    job: CaseJob, tmp_path: Path
) -> None:
    declared = {"Labels": {"a": "b"}, "StopSignal": "SIGUSR1", "Healthcheck": {"Test": ["CMD", "x"]}}
    config = build(job, HOST, Mounts(tmp_path, {}), {"Config": declared})
    assert config["StopSignal"] == "SIGKILL"
    assert config["Healthcheck"] == {"Test": ["NONE"]}
    assert config == build(job, HOST, Mounts(tmp_path, {}))


def test_variables_that_steer_the_hosts_tools_are_overridden_and_others_stay(
    job: CaseJob, tmp_path: Path
) -> None:
    declared = [
        "LD_AUDIT=x",
        "NVIDIA_MIG_CONFIG_DEVICES=all",
        "NVIDIA_VISIBLE_DEVICES=all",
        "NVIDIA_PRODUCT_NAME=x",
    ]
    declared += [
        "LD_PRELOAD=/x.so",
        "LD_LIBRARY_PATH=/opt/lib:lib::/proc/self/cwd/lib:/usr/lib",
        "OMP_NUM_THREADS=4",
    ]
    env = build(job, HOST, Mounts(tmp_path, {}), {"Config": {"Env": declared}})["Env"]
    found = dict(one.split("=", 1) for one in env)
    assert found["LD_PRELOAD"] == found["LD_AUDIT"] == found["NVIDIA_MIG_CONFIG_DEVICES"] == ""
    assert found["NVIDIA_VISIBLE_DEVICES"] == "void"
    assert found["LD_LIBRARY_PATH"] == "/opt/lib:/usr/lib"
    assert not {"NVIDIA_PRODUCT_NAME", "OMP_NUM_THREADS"} & set(found)


def test_a_runtime_is_always_named(make_job: Callable[..., CaseJob], tmp_path: Path) -> None:
    def chosen(**changes: object) -> str:
        return str(build(make_job(**changes), HOST, Mounts(tmp_path, {}))["HostConfig"]["Runtime"])

    assert chosen() == "runc"
    assert chosen(slot=Slot(runtime="runsc")) == "runsc"
    assert chosen(slot=Slot(runtime="runsc"), runtime="runc") == "runc"


def test_what_tells_of_the_host_is_masked_and_what_steers_it_is_read_only(
    job: CaseJob, tmp_path: Path
) -> None:
    host = build(job, HOST, Mounts(tmp_path, {}))["HostConfig"]
    assert set(host["MaskedPaths"]) >= set(MASKED)
    assert {"/proc/sys", "/proc/sysrq-trigger", "/sys/fs/cgroup"} <= set(host["ReadonlyPaths"])


@pytest.mark.parametrize(
    "path", ["/", "//", "data", "/input/x", "/input/./y/", "/proc", "/sys/a", "/dev/shm", "/a/../proc/b"]
)
def test_volumes_where_none_can_be_are_refused_in_words(path: str) -> None:
    sentence = refused_volumes({"Config": {"Volumes": {path: {}, "/fine": {}}}})
    assert sentence is not None
    assert "VOLUME" in sentence


def test_volumes_where_we_mount_anyway_or_elsewhere_are_fine() -> None:
    volumes = ["/input", "/input/", "/output", "/tmp/", "/proctor", "/data", "/inputs", "/devices"]
    assert refused_volumes({"Config": {"Volumes": dict.fromkeys(volumes)}}) is None
    assert refused_volumes({"Config": {"Volumes": {f"/{one}": {} for one in range(9)}}}) is not None


def test_declared_volumes_are_bounded_unless_they_are_ours() -> None:
    image = {"Config": {"Volumes": {"/data": {}, "/tmp": {}, "/output/": {}, "/input": {}}}}
    assert volumes_to_bound(image) == ["/data"]
    assert volumes_to_bound({"Config": {"Volumes": None}}) == []


def test_a_core_list_is_read_as_the_kernel_does() -> None:
    assert cores("0-2,8") == {0, 1, 2, 8}


def test_the_receipt_names_the_system_call_profile_by_its_digest(job: CaseJob, tmp_path: Path) -> None:
    shown = options.receipt(build(job, HOST, Mounts(tmp_path, {})))
    assert seccomp.digest() in shown["HostConfig"]["SecurityOpt"][1]
    assert str(tmp_path) not in json.dumps(shown)


def test_the_profile_lists_no_dangerous_call_without_a_condition() -> None:
    rules = json.loads(seccomp.profile())["syscalls"]
    allowed = {
        name
        for rule in rules
        if rule["action"] == "SCMP_ACT_ALLOW" and "args" not in rule
        for name in rule["names"]
    }
    dangerous = set(DANGEROUS.split())
    assert not allowed & dangerous


def test_a_container_is_told_its_time_and_python_keeps_nothing_back(
    make_job: Callable[..., CaseJob], tmp_path: Path
) -> None:
    def environment(image: dict[str, object] | None = None) -> dict[str, str]:
        config = build(make_job(seconds_per_case=90.5), HOST, Mounts(tmp_path, {}), image)
        return dict(one.partition("=")[::2] for one in config["Env"])

    assert environment()["PROCTOR_SECONDS"] == "90.5"
    assert environment()["PYTHONUNBUFFERED"] == "1"
    own = {"Config": {"Env": ["PYTHONUNBUFFERED=", "PROCTOR_SECONDS=1000"]}}
    assert "PYTHONUNBUFFERED" not in environment(own), "the image's own setting stays"
    assert environment(own)["PROCTOR_SECONDS"] == "90.5"
    seconds = receipt(build(make_job(), HOST, Mounts(tmp_path, {})))["Env"]
    assert "PROCTOR_SECONDS=30" in seconds


def test_options_for_another_image_hold_nothing_that_this_one_chose(
    make_job: Callable[..., CaseJob], tmp_path: Path
) -> None:
    disk = BoundedDisk("proctor-x.0", "/dev/loop7", tmp_path)
    long = "/" + "x" * 300
    image = {"Config": {"Env": [f"LD_LIBRARY_PATH=/{'y' * 200_000}", "GCONV_PATH=/x"], "Volumes": {long: {}}}}
    config = build(make_job(), HOST, Mounts(tmp_path, {"/output": disk, long: disk}), image)
    other = options.for_another(config, "sha256:other", "/program")
    assert "xxx" not in str(other)
    assert "yyy" not in str(other)
    assert (other["Image"], other["Entrypoint"], other["Cmd"]) == ("sha256:other", ["/program"], [])
    assert len(other["HostConfig"]["Mounts"]) == 3
    changed = {"Mounts"}
    same = {key: value for key, value in config["HostConfig"].items() if key not in changed}
    assert same == {key: value for key, value in other["HostConfig"].items() if key not in changed}
