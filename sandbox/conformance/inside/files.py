"""Acts on files: devices, the kernel's trees, the inputs, and whatever does not belong to this case."""

import errno
import os
import stat

from .acts import Facts, act, denied, opened_for_writing, text

_HARMLESS = {(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 2)}
_EMULATED = {(10, 200), (10, 229)}  # gVisor's own tun and fuse, which reach nothing of the host
_PTS = range(136, 144)
_SOCKETS = ("docker.sock", "containerd/containerd.sock", "podman/podman.sock", "crio/crio.sock")
MASKED = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/diskstats",
    "/proc/fs",
    "/proc/interrupts",
    "/proc/kallsyms",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/pagetypeinfo",
    "/proc/partitions",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/slabinfo",
    "/proc/timer_list",
    "/proc/vmallocinfo",
    "/sys/devices/virtual/block",
    "/sys/devices/virtual/dmi",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
    "/sys/fs/ext4",
)
"""What tells of the host or of other cases: files have to be empty, directories too."""
MARKER = "left-by-the-previous-case"
_KERNEL = ("proc", "sys")
_ENGINES = {
    *("/.dockerenv", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/etc/mtab"),
    *("/sbin/docker-init", "/dev/init"),
    *("/run", "/run/.containerenv", "/run/podman-init"),
}


def everything() -> list[str]:
    """Every path in the container but those of /proc, /sys and /dev."""
    paths = []
    for top, directories, names in os.walk("/"):
        if top == "/":
            directories[:] = [name for name in directories if name not in (*_KERNEL, "dev")]
        paths += [os.path.join(top, name) for name in (*directories, *names)]
    return paths


def writable_directories() -> list[str]:
    """Every directory in the container in which a file can be made."""
    writable = []
    for top, directories, _ in os.walk("/"):
        if top == "/":
            directories[:] = [name for name in directories if name not in _KERNEL]
        if _can_write(top):
            writable.append(top)
    return writable


def _can_write(top: str) -> bool:
    path = os.path.join(top, ".try")
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        os.unlink(path)
    except OSError:
        return False
    return True


@act("device nodes", "making devices, with which the host's disks and memory could be read")
def make_devices(facts: Facts) -> str | None:
    memory, disk = os.makedev(1, 1), os.makedev(8, 0)
    places = ("/output", "/proctor", "/tmp", "/dev", "/dev/shm", "/root")
    gone = (errno.ENOENT, errno.ENOTDIR)
    return denied(
        {
            f"{top}: {kind}": lambda top=top, mode=mode, device=device: os.mknod(f"{top}/made", mode, device)  # type: ignore[misc]
            for top in places
            for kind, mode, device in (
                ("character device", stat.S_IFCHR | 0o600, memory),
                ("block device", stat.S_IFBLK | 0o600, disk),
            )
        },
        gone,
    )


@act("devices", "devices but null, zero, full, random, urandom and the container's own terminals")
def devices(facts: Facts) -> str | None:
    more = []
    harmless = _HARMLESS | (_EMULATED if facts["runtime"] == "runsc" else set())
    for top, _, names in os.walk("/dev"):
        for name in names:
            state = os.lstat(os.path.join(top, name))
            if stat.S_ISBLK(state.st_mode):
                more.append(f"{top}/{name}")
            if stat.S_ISCHR(state.st_mode):
                number = os.major(state.st_rdev), os.minor(state.st_rdev)
                if number not in harmless and number[0] not in _PTS:
                    more.append(f"{top}/{name}")
    return f"there are {more[:10]}" if more else None


@act("GPUs of others", "graphics processors that the slot does not own")
def gpus(facts: Facts) -> str | None:
    nodes = [name for name in os.listdir("/dev") if name.startswith(("nvidia", "dri", "kfd"))]
    if text("/proc/driver/nvidia/version"):
        nodes.append("/proc/driver/nvidia")
    return f"there are {nodes}" if nodes else None


@act("masked paths", "what /proc and /sys tell of the host and of other cases")
def masked(facts: Facts) -> str | None:
    shown = [path for path in MASKED if _content(path)]
    return f"shows {shown}" if shown else None


def _content(path: str) -> object:
    try:
        if os.path.isdir(path):
            return os.listdir(path)
        with open(path, "rb") as file:
            return file.read(1)
    except OSError:
        return None


@act("files behind loop devices", "the host's paths, other cases' among them, that loop devices show in /sys")
def loop_devices(facts: Facts) -> str | None:
    loops = []
    for top in ("/sys/block", "/sys/class/block", "/sys/dev/block"):
        try:
            names = os.listdir(top)
        except OSError:
            continue
        loops += [name for name in names if text(f"{top}/{name}/loop/backing_file")]
    return f"shows the files of {loops[:5]}" if loops else None


@act("kernel's devices", "writing to /sys")
def sys_files(facts: Facts) -> str | None:
    named = [
        "/sys/power/state",
        "/sys/kernel/uevent_helper",
        "/sys/kernel/mm/ksm/run",
        "/sys/kernel/profiling",
    ]
    for top in ("/sys/kernel", "/sys/module", "/sys/fs/cgroup", "/sys/devices/system/cpu/cpu0"):
        for count, (place, _, names) in enumerate(os.walk(top)):
            named += [f"{place}/{name}" for name in names]
            if count > 100:
                break
    return opened_for_writing(named[:3000])


@act("control groups", "loosening one's own bounds, or running a program of the host by release_agent")
def control_groups(facts: Facts) -> str | None:
    tops = [line.split()[4] for line in text("/proc/self/mountinfo").splitlines() if " - cgroup" in line]
    made = denied({f"directory in {top}": lambda top=top: os.mkdir(f"{top}/made") for top in tops},  # type: ignore[misc]
                  (errno.ENOENT, errno.EEXIST))  # fmt: skip
    names = (
        "release_agent",
        "cgroup.procs",
        "tasks",
        "memory.limit_in_bytes",
        "memory.max",
        "pids.max",
        "devices.allow",
    )
    return made or opened_for_writing([f"{top}/{name}" for top in tops for name in names])


@act("writing inputs", "changing, replacing, renaming or adding inputs")
def write_inputs(facts: Facts) -> str | None:
    inputs = [f"/input/{name}" for name in os.listdir("/input")]
    path = inputs[0]
    return opened_for_writing(inputs) or denied(
        {
            "truncate": lambda: os.truncate(path, 0),
            "remove": lambda: os.unlink(path),
            "rename": lambda: os.rename(path, path + ".other"),
            "mode": lambda: os.chmod(path, 0o777),
            "time": lambda: os.utime(path, (1, 1)),
            "add": lambda: os.symlink("/", "/input/added"),
            "link": lambda: os.link(path, "/output/linked"),
        },
        (errno.EXDEV,),
    )


@act("times of inputs", "learning from a file's time when a scan was made, copied or downloaded")
def input_times(facts: Facts) -> str | None:
    times = {name: os.stat(f"/input/{name}").st_mtime for name in os.listdir("/input")}
    times["/input"] = os.stat("/input").st_mtime
    told = {name: when for name, when in times.items() if when != facts["file_time"]}
    shared = [name for name in os.listdir("/input") if os.stat(f"/input/{name}").st_nlink != 1]
    return f"times {told}, links {shared}" if told or shared else None


@act("other cases", "any file but the image's, this case's inputs and what the engine puts there")
def other_cases(facts: Facts) -> str | None:
    with open("/conformance/files", encoding="utf-8") as listed:
        known = set(listed.read().splitlines()) | _ENGINES
    more = [path for path in everything() if path not in known and not _mount_point(path)]
    return f"there are {more[:5]} ({len(more)} in all)" if more else None


def _mount_point(path: str) -> bool:
    return path in ("/input", "/input/facts.txt", "/output", "/proctor", "/tmp", "/proc", "/sys", "/dev")


@act("sockets of the engine", "the engine's own socket, which is root on the host")
def engine_sockets(facts: Facts) -> str | None:
    known = [f"{top}/{name}" for top in ("/run", "/var/run") for name in _SOCKETS]
    sockets = [path for path in [*everything(), *known] if _is_socket(path)]
    return f"there are {sockets}" if sockets else None


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.lstat(path).st_mode)
    except OSError:
        return False


@act("root file system", "writing anywhere but to the case's own places", profile="strict")
def read_only_root(facts: Facts) -> str | None:
    ours = ("/output", "/proctor", "/tmp", "/dev/shm", "/dev/mqueue")
    more = [path for path in writable_directories() if not path.startswith(ours)]
    return f"could write to {more}" if more else None


@act("new programs", "executing a file that was written while the case runs", "strict", of_host=True)
def new_programs(facts: Facts) -> str | None:
    done = []
    with open("/conformance/setuid", "rb") as file:
        program = file.read()
    for top in writable_directories():
        path = f"{top}/program"
        try:
            with open(path, "wb") as file:
                file.write(program)
            os.chmod(path, 0o755)
        except OSError:  # a queue of messages looks like a file and takes none
            continue
        if _executes(path):
            done.append(top)
        os.unlink(path)
    return f"executed from {done}" if done else None


def _executes(path: str) -> bool:
    child = os.fork()
    if child == 0:
        try:
            os.execv(path, [path])  # noqa: S606
        except OSError:
            os._exit(113)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 113
