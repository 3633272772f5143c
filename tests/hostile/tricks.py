"""More bad habits, beside those of `predict.py`: runs inside a container as /app/predict.py."""

# Bare calls of the operating system, as such programs make them:
# ruff: noqa: PTH101, PTH102, PTH104, PTH105, PTH106, PTH108, PTH123, PTH211, S103, S606

import contextlib
import ctypes
import fcntl
import mmap
import os
import signal
import struct
import sys
import threading
import time
from collections.abc import Callable

from tests.hostile.predict import BEHAVIOURS, INPUTS, OUTPUT, behaviour, fill, good, write

SUCCEEDED = 9
"""Exit code of a program that could do what must be denied."""


def must_fail(act: Callable[[], object]) -> None:
    try:
        act()
    except OSError:
        return
    sys.exit(SUCCEEDED)


@behaviour
def fills_shared_memory() -> None:
    fill("/dev/shm")


@behaviour
def allocates_shared_memory() -> None:
    """As libraries do that map a file there: the kernel ends them, and nothing is in the log."""
    for number in range(100):
        file = os.open(f"/dev/shm/block-{number}", os.O_CREAT | os.O_RDWR)
        os.ftruncate(file, 16 << 20)
        memory = mmap.mmap(file, 16 << 20)
        for start in range(0, 16 << 20, 4096):
            memory[start] = 1


@behaviour
def fills_dev() -> None:
    fill("/dev")


@behaviour
def fills_hosts_file() -> None:
    """Engines like to mount these three from a folder of their own on the host."""
    block = os.urandom(1 << 20)
    for name in ("hosts", "hostname", "resolv.conf") * 100:
        with open(f"/etc/{name}", "ab") as file:
            for _ in range(8):
                file.write(block)
                file.flush()
        time.sleep(0.02)


@behaviour
def fills_a_file_of_the_engine() -> None:
    """Neither this nor what lies in the layer is too much, but both together are."""
    block = os.urandom(1 << 20)
    for path in ("/etc/hostname", "/var/fill"):
        with open(path, "ab") as file:
            for _ in range(36):
                file.write(block)
    time.sleep(2)
    write(good())


@behaviour
def fills_below_a_deep_folder() -> None:
    """A folder whose path is too long for any path: 30 names of 200 letters."""
    os.chdir("/var")
    for _ in range(30):
        os.mkdir("d" * 200)
        os.chdir("d" * 200)
    block = os.urandom(1 << 20)
    for number in range(100):
        with open(f"fill-{number}", "wb") as file:
            file.write(block)
        time.sleep(0.01)
    write(good())


@behaviour
def fills_by_allocation() -> None:
    for number in range(100):
        with open(f"/tmp/reserved-{number}", "wb") as file:
            os.posix_fallocate(file.fileno(), 0, 8 << 20)


@behaviour
def fills_memory_without_a_file() -> None:
    block = os.urandom(1 << 20)
    while True:
        file = os.memfd_create("bomb")
        for _ in range(8):
            os.write(file, block)


@behaviour
def loses_a_child_to_the_memory_killer() -> None:
    """As a program of several workers does: the one that asked for too much is killed, the others give up."""
    if os.fork() == 0:
        BEHAVIOURS["eats_memory"]()
    _, status = os.wait()
    sys.exit(1 if os.WIFSIGNALED(status) else SUCCEEDED)


@behaviour
def is_refused_a_process_and_gives_up() -> None:
    """And says so at once: nobody has had time to look."""
    with contextlib.suppress(OSError):
        while os.fork():
            pass
        time.sleep(60)
    os._exit(1)


@behaviour
def is_refused_a_process_and_gives_up_late() -> None:
    with contextlib.suppress(OSError):
        while os.fork():
            pass
        time.sleep(60)
    time.sleep(2.5)
    os._exit(1)


@behaviour
def makes_threads_without_end() -> None:
    while True:
        threading.Thread(target=time.sleep, args=[60], daemon=True).start()


@behaviour
def makes_zombies() -> None:
    while True:
        if os.fork() == 0:
            os._exit(0)


@behaviour
def opens_files_without_end() -> None:
    held = []
    while True:
        held.append(os.dup(0))


@behaviour
def makes_empty_files_in_tmp() -> None:
    number = 0
    while True:
        os.close(os.open(f"/tmp/{number}", os.O_CREAT))
        number += 1


@behaviour
def makes_100000_empty_files() -> None:
    os.mkdir("/var/many")
    for number in range(100_000):
        os.close(os.open(f"/var/many/{number}", os.O_CREAT))
    write(good())


@behaviour
def nests_folders() -> None:
    write(good())
    for top in ("/output", "/tmp", ".", "/var/tmp"):
        os.chdir(top)
        with contextlib.suppress(OSError):
            for _ in range(2000):
                os.mkdir("d")
                os.chdir("d")
        os.chdir("/proctor")


ODD = (b"a\nb", b"\xff\xfe", b"-rf", b" ", b"x" * 255, b"\x1b[2J", b"$(reboot)", "\u202egpj".encode())


@behaviour
def odd_names() -> None:
    for top in (b"/output", b"/tmp", b"/var/tmp", b"."):
        for name in ODD:
            os.close(os.open(top + b"/" + name, os.O_CREAT | os.O_WRONLY))
    write(good())


@behaviour
def odd_names_only() -> None:
    odd_names()
    os.unlink(OUTPUT)


@behaviour
def name_with_a_line_break() -> None:
    write(good(), OUTPUT + "\n")


@behaviour
def sleeps() -> None:
    write(good())
    time.sleep(10_000)


@behaviour
def ignores_every_signal() -> None:
    write(good())
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    while True:
        pass


@behaviour
def stops_itself() -> None:
    write(good())
    os.kill(os.getpid(), signal.SIGSTOP)


@behaviour
def executes_itself_without_end() -> None:
    os.execv(sys.executable, [sys.executable, *sys.argv])


@behaviour
def kills_init() -> None:
    os.kill(1, signal.SIGKILL)
    os.kill(1, signal.SIGSTOP)
    write(good())


@behaviour
def asks_init_to_end() -> None:
    os.kill(1, signal.SIGTERM)
    time.sleep(60)


@behaviour
def kills_everything() -> None:
    write(good())
    os.kill(-1, signal.SIGKILL)


@behaviour
def exits_137() -> None:
    write(good())
    sys.exit(137)


@behaviour
def crashes() -> None:
    write(good())
    ctypes.string_at(0)


@behaviour
def pretends_that_init_failed() -> None:
    print("[FATAL tini (8)] exec python failed: No such file or directory", file=sys.stderr)
    sys.exit(127)


@behaviour
def leaves_a_daemon_that_writes() -> None:
    """Its values are good ones, so whichever is there at the end has to be valid and whole."""
    write(good())
    if os.fork() == 0:
        os.setsid()
        while True:
            write(b"0.75\n", OUTPUT + ".new")
            os.replace(OUTPUT + ".new", OUTPUT)
    time.sleep(0.1)
    os._exit(0)


@behaviour
def swaps_the_output_for_a_link() -> None:
    if os.fork() == 0:
        while True:
            write(good(), OUTPUT + ".a")
            os.replace(OUTPUT + ".a", OUTPUT)
            os.symlink("/etc/passwd", OUTPUT + ".b")
            os.replace(OUTPUT + ".b", OUTPUT)
    time.sleep(0.1)
    os._exit(0)


@behaviour
def removes_the_inputs() -> None:
    for path in INPUTS:
        must_fail(lambda path=path: os.unlink(path))  # type: ignore[misc]
        must_fail(lambda path=path: os.truncate(path, 0))  # type: ignore[misc]
        must_fail(lambda path=path: os.rename(path, path + ".gone"))  # type: ignore[misc]
        must_fail(lambda path=path: os.chmod(path, 0))  # type: ignore[misc]
        must_fail(lambda path=path: os.utime(path))  # type: ignore[misc]
    write(good())


@behaviour
def moves_the_mounts() -> None:
    must_fail(lambda: os.rename("/output", "/other"))
    must_fail(lambda: os.rename("/input", "/other"))
    must_fail(lambda: os.rmdir("/output"))
    must_fail(lambda: os.rename(INPUTS[0], OUTPUT))
    must_fail(lambda: os.link(INPUTS[0], OUTPUT))
    write(good())


@behaviour
def links_to_an_input() -> None:
    os.symlink(INPUTS[0], OUTPUT)


@behaviour
def links_to_endless_zeros() -> None:
    os.symlink("/dev/zero", OUTPUT)


@behaviour
def links_to_itself() -> None:
    os.symlink(OUTPUT.rsplit("/", 1)[1], OUTPUT)


@behaviour
def links_to_the_host() -> None:
    os.symlink("/proc/1/root/etc/shadow", OUTPUT)


@behaviour
def makes_a_device() -> None:
    os.mknod(OUTPUT, 0o020666, os.makedev(1, 5))


@behaviour
def closes_its_output() -> None:
    write(good())
    os.chmod(OUTPUT, 0)
    os.chmod("/output", 0)


IMMUTABLE, APPEND = 0x10, 0x20


@behaviour
def flags_its_output() -> None:
    """Immutable and append-only files, which not even root could remove."""
    write(good())
    with open(OUTPUT, "rb") as file:
        for flag in (IMMUTABLE, APPEND):
            must_fail(lambda flag=flag: fcntl.ioctl(file, 0x40086602, struct.pack("l", flag)))  # type: ignore[misc]


@behaviour
def attributes_of_its_output() -> None:
    write(good())
    with contextlib.suppress(OSError):
        os.setxattr(OUTPUT, "user.note", b"x" * 4000)
    # An access list by which nobody at all may read it.
    entries = [(1, 0, 2**32 - 1), (4, 0, 2**32 - 1), (16, 0, 2**32 - 1), (32, 0, 2**32 - 1)]
    access = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *one) for one in entries)
    with contextlib.suppress(OSError):
        os.setxattr(OUTPUT, "system.posix_acl_access", access)
    must_fail(lambda: os.setxattr(OUTPUT, "security.capability", b"\x01\x00\x00\x02" + bytes(16)))
    must_fail(lambda: os.setxattr(OUTPUT, "trusted.overlay.opaque", b"y"))


@behaviour
def makes_setuid_output() -> None:
    write(good())
    os.chmod(OUTPUT, 0o6777)


@behaviour
def a_hole_larger_than_allowed() -> None:
    write(good())
    must_fail(lambda: os.truncate(OUTPUT, 1 << 40))


@behaviour
def holes_in_tmp() -> None:
    for number in range(100):
        with open(f"/tmp/hole-{number}", "wb") as file:
            file.truncate(40 << 20)
    write(good())


@behaviour
def logs_bytes() -> None:
    write(good())
    os.write(1, bytes(range(256)) * 64 + b"\x1b]0;x\x07" + b'{"log":"x"}\n')


@behaviour
def logs_one_line() -> None:
    write(good())
    for _ in range(16):
        os.write(1, b"y" * (1 << 20))


if __name__ == "__main__":
    BEHAVIOURS[os.environ.get("BEHAVIOUR") or os.environ["PROCTOR_TRACK"]]()
