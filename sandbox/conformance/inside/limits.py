"""Acts that would use more than the challenge allows, and survive: processes, files, memory disks, cores."""

import ctypes
import errno
import os
import resource
import signal
import struct
import time

from .acts import REFUSED, Facts, act, call, libc, text

_MORE = 24
_CLOCK_MONOTONIC = 1
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


def _number(facts: Facts, name: str) -> int:
    return int(str(facts[name]))


@act("resource limits", "core files, and raising the bounds on open files, file sizes, signals and queues")
def resource_limits(facts: Facts) -> str | None:
    wanted = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: _number(facts, "file_size"),
        resource.RLIMIT_SIGPENDING: _number(facts, "pending_signals"),
        resource.RLIMIT_MSGQUEUE: _number(facts, "queue_bytes"),
    }
    wrong = [which for which, value in wanted.items() if resource.getrlimit(which) != (value, value)]
    raised = []
    for which in (*wanted, resource.RLIMIT_NOFILE):
        hard = resource.getrlimit(which)[1]
        try:
            resource.setrlimit(which, (hard + 1, hard + 1))
            raised.append(which)
        except (OSError, ValueError):
            continue
    return f"limits {wrong} are not set, {raised} could be raised" if wrong or raised else None


@act("core files", "leaving the memory of a crashed process behind")
def core_files(facts: Facts) -> str | None:
    os.chdir("/tmp")
    before = set(os.listdir("."))
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGABRT, signal.SIG_DFL)
        os.abort()
    os.waitpid(child, 0)
    left = set(os.listdir(".")) - before
    return f"left {sorted(left)}" if left else None


@act("open files", "opening more files than allowed")
def open_files(facts: Facts) -> str | None:
    most = _number(facts, "nofile")
    for count in range(most + 1):
        try:
            os.open("/dev/null", os.O_RDONLY)
        except OSError as error:
            return None if error.errno == errno.EMFILE else f"after {count} files: {error.strerror}"
    return f"opened more than {most} files"


@act(
    "queued signals", "timers and queued signals, counted by user, beyond a part of the host's", of_host=True
)
def queued_signals(facts: Facts) -> str | None:
    most = _number(facts, "pending_signals")
    timer, place = ctypes.c_int(), _CLOCK_MONOTONIC
    for count in range(most + 1):
        ctypes.set_errno(0)
        if libc.syscall(ctypes.c_long(222), ctypes.c_long(place), None, ctypes.byref(timer)) != 0:
            code = ctypes.get_errno()
            return None if code == errno.EAGAIN else f"after {count} timers: {os.strerror(code)}"
    return f"made more than {most} timers"


@act("message queues", "memory of message queues, counted by user, beyond a part of the host's", of_host=True)
def message_queues(facts: Facts) -> str | None:
    most = _number(facts, "queue_bytes")
    sizes = struct.pack("=8q", 0, 10, 8192, 0, 0, 0, 0, 0)
    names = [f"queue-{number}".encode() for number in range(most // (10 * 8192) + 1)]
    try:
        for name in names:
            code = call(240, name, os.O_CREAT | os.O_RDWR, 0o600, sizes)[1]
            if code:
                return None if code in (errno.EMFILE, errno.ENOSPC) else f"said {os.strerror(code)}"
    finally:
        for name in names:
            call(241, name)
    return f"more than {most} bytes"


@act("file size", "one file larger than everything that may be written")
def file_size(facts: Facts) -> str | None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    file = os.open("/tmp/large", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.ftruncate(file, _number(facts, "file_size") + 1)
    except OSError as error:
        return None if error.errno in (errno.EFBIG, errno.ENOSPC) else f"said {error.strerror}"
    finally:
        os.unlink("/tmp/large")
    return "made it"


def processes(facts: Facts) -> str | None:
    """Tries to have more processes than allowed; not one of the acts, for some runtimes end the container then."""
    most = _number(facts, "processes")
    children: list[int] = []
    try:
        while len(children) < most + _MORE:
            child = os.fork()
            if child == 0:
                time.sleep(60)
                os._exit(0)
            children.append(child)
    except OSError as error:
        return None if error.errno == errno.EAGAIN else f"said {error.strerror}"
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
        for child in children:
            os.waitpid(child, 0)
    return f"started {len(children)} processes"


def _filled(path: str, most: int) -> str | None:
    """None if files of together `most` bytes do not fit below `path`."""
    written = 0
    made: list[str] = []
    try:
        while written <= most:
            size = min(1 << 20, most)
            made.append(f"{path}/fill-{len(made)}")
            file = os.open(made[-1], os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.posix_fallocate(file, 0, size)
            finally:
                os.close(file)
            written += size
    except OSError as error:
        if error.errno in _NO_SPACE:
            return None
        return f"after {written} bytes: {error.strerror}"
    finally:
        for queue in made:
            os.unlink(queue)
    return f"{written} bytes fit"


@act("shared memory", "more of /dev/shm than the challenge allows")
def shared_memory(facts: Facts) -> str | None:
    return _filled("/dev/shm", _number(facts, "shm") + (1 << 20))


@act("bytes of /output", "more bytes in /output than the challenge allows")
def output_bytes(facts: Facts) -> str | None:
    return _filled("/output", 2 * _number(facts, "output") + (32 << 20)) if facts["disks"] else None


@act("files of /output", "more files in /output than the challenge allows")
def output_files(facts: Facts) -> str | None:
    if not facts["disks"]:
        return None
    most = 2 * _number(facts, "output_files") + 100
    made: list[str] = []
    try:
        for number in range(most):
            made.append(f"/output/{number}")
            os.close(os.open(made[-1], os.O_WRONLY | os.O_CREAT, 0o600))
    except OSError as error:
        made.pop()
        return None if error.errno in _NO_SPACE else f"said {error.strerror}"
    finally:
        for path in made:
            os.unlink(path)
    return f"made {most} files"


@act("disks", "a writable place that is the host's own disk")
def own_disks(facts: Facts) -> str | None:
    if not facts["disks"]:
        return None
    unbounded = []
    for top in ("/output", "/proctor", "/tmp"):
        state = os.statvfs(top)
        most = max(_number(facts, "disk"), 2 * _number(facts, "output") + (32 << 20))
        if state.f_blocks * state.f_frsize > most or not 0 < state.f_files < 1_000_000:
            unbounded.append(top)
    return f"without a bound of their own: {unbounded}" if unbounded else None


@act("cores of other slots", "processor cores that the slot does not own")
def cores(facts: Facts) -> str | None:
    own = facts["cores"]
    try:
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
    except OSError as error:
        if error.errno not in (*REFUSED, errno.EINVAL):
            return f"said {error.strerror}"
    more = os.sched_getaffinity(0) - own if isinstance(own, set) else set()
    return f"may use cores {sorted(more)}" if more else None


@act("swap space", "memory of the host's disk when the memory is used up")
def swap_space(facts: Facts) -> str | None:
    old = "/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes", "/sys/fs/cgroup/memory/memory.limit_in_bytes"
    both, memory = (text(path).strip() for path in old)
    if both and int(both) > int(memory):
        return f"{both} bytes of memory and swap, {memory} of memory"
    swap = text("/sys/fs/cgroup/memory.swap.max").strip()
    return f"{swap} bytes of swap" if swap not in ("", "0") else None
