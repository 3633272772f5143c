"""Acts that would give a process more than it was started with, or show it processes that are not its own."""

import ctypes
import errno
import os

from .acts import REFUSED, Facts, act, denied, libc, opened_for_writing, text

SETUID_PROGRAM = "/conformance/setuid"
SETUID_OWNER = 1234
_DAC_OVERRIDE = 1 << 1
_NEVER_OURS = 4321


def _status(name: str) -> str:
    lines = text("/proc/self/status").splitlines()
    return next((line.split(None, 1)[1] for line in lines if line.startswith(name + ":")), "")


@act("capabilities", "every capability but DAC_OVERRIDE, and that one too in the profile `strict`")
def capabilities(facts: Facts) -> str | None:
    allowed = _DAC_OVERRIDE if facts["profile"] == "compatible" else 0
    held = {name: int(_status(name) or "-1", 16) for name in ("CapPrm", "CapEff", "CapBnd")}
    held |= {name: int(_status(name) or "0", 16) for name in ("CapInh", "CapAmb")}  # unknown to some kernels
    more = {name: f"{bits:#x}" for name, bits in held.items() if bits & ~allowed}
    return f"holds {more}" if more else None


@act("new privileges", "privileges by executing a program (no_new_privs is set)")
def no_new_privileges(facts: Facts) -> str | None:
    return None if libc.prctl(39, 0, 0, 0, 0) == 1 else "no_new_privs is not set"


@act("call filter", "running without a filter of system calls")
def call_filter(facts: Facts) -> str | None:
    mode = libc.prctl(21, 0, 0, 0, 0)
    return None if mode == 2 else f"the filter's mode is {mode}"


@act("setuid programs", "another user by executing a setuid program")
def setuid_program(facts: Facts) -> str | None:
    child = os.fork()
    if child == 0:
        os.execv(SETUID_PROGRAM, [SETUID_PROGRAM])  # noqa: S606 - its exit code is its effective user
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return None if code == os.geteuid() & 0xFF else f"it ran as a user ending in {code}"


@act("other users", "becoming another user or joining another group")
def other_users(facts: Facts) -> str | None:
    return denied(
        {
            "setuid": lambda: os.setuid(_NEVER_OURS),
            "setgid": lambda: os.setgid(_NEVER_OURS),
            "setgroups": lambda: os.setgroups([_NEVER_OURS]),
            "setresuid": lambda: os.setresuid(_NEVER_OURS, _NEVER_OURS, _NEVER_OURS),
        }
    )


@act("user of the slot", "running as root, or as a user of another slot", profile="strict")
def slot_user(facts: Facts) -> str | None:
    ids = (os.getuid(), os.geteuid(), os.getgid(), os.getegid(), *os.getgroups())
    return None if set(ids) == {facts["uid"]} else f"runs as {ids}"


@act("user mappings", "mapping users of the host")
def mappings(facts: Facts) -> str | None:
    done = []
    for name in ("uid_map", "gid_map"):
        try:
            with open(f"/proc/self/{name}", "w") as file:
                file.write("0 0 1\n")
            done.append(name)
        except OSError:
            continue
    return f"wrote {done}" if done else None


@act("priority", "real-time scheduling and priority over others", of_host=True)
def priority(facts: Facts) -> str | None:
    changed = denied(
        {
            "nice": lambda: os.setpriority(os.PRIO_PROCESS, 0, -5),
            "real-time": lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)),
        },
        (errno.EINVAL,),
    )
    ctypes.set_errno(0)
    real_time = libc.syscall(ctypes.c_long(251), 1, 0, 1 << 13) == 0
    return changed or ("could: real-time disk access" if real_time else None)


@act("escape from the memory killer", "being passed over when memory is short", of_host=True)
def memory_killer(facts: Facts) -> str | None:
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("-1000")
    except OSError as error:
        return None if error.errno in REFUSED else f"said {error.strerror}"
    return "lowered its score" if text("/proc/self/oom_score_adj").strip() == "-1000" else None


@act("processes of the host", "seeing or signalling processes outside the container")
def processes(facts: Facts) -> str | None:
    numbers = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    parents = {
        number: int(text(f"/proc/{number}/stat").rpartition(")")[2].split()[1] or 0) for number in numbers
    }
    strangers = [number for number in numbers if number != 1 and parents[number] == 0]
    first = text("/proc/1/comm").strip()
    if strangers or parents.get(1) != 0:
        return f"processes {strangers} that this container did not start"
    return (
        None if first in {"docker-init", "tini", "exe", "podman-init"} else f"the first process is {first!r}"
    )


@act("open files of the host", "files that the engine left open")
def open_files(facts: Facts) -> str | None:
    more = {number: path for number, path in _AT_START.items() if number > 2}
    return f"open: {more}" if more else "standard input can be read" if _reads() else None


def _reads() -> bool:
    os.set_blocking(0, False)
    try:
        return os.read(0, 1) != b""
    except BlockingIOError:
        return True


def _open_now() -> dict[int, str]:
    descriptors = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            descriptors[int(name)] = os.readlink(f"/proc/self/fd/{name}")
        except OSError:  # the descriptor with which the directory was read
            continue
    return descriptors


_AT_START = _open_now()


@act("kernel's settings", "writing to /proc/sys, /proc/sysrq-trigger and the core pattern", of_host=True)
def settings(facts: Facts) -> str | None:
    paths = [f"{top}/{name}" for top, _, names in os.walk("/proc/sys") for name in names]
    return opened_for_writing([*paths, "/proc/sysrq-trigger", "/proc/irq/default_smp_affinity", "/proc/mtrr"])
