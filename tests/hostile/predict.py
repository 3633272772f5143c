"""One program with every bad habit: runs inside a container, where only the standard library is at hand.

`BEHAVIOUR` (baked into an image) or else `PROCTOR_TRACK` (so that one image serves a whole suite) names what to do.
"""

# Bare calls of the operating system, as such programs make them:
# ruff: noqa: PTH101, PTH102, PTH103, PTH108, PTH109, PTH110, PTH111, PTH119, PTH123, PTH207, PTH208, PTH211, S103

import ctypes
import glob
import gzip
import mmap
import os
import pickle
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator

MARKER = "left-by-another-case"
ARGUMENTS = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=False))
OUTPUT = ARGUMENTS["--output"]
INPUTS = [value for flag, value in ARGUMENTS.items() if flag != "--output"]
BEHAVIOURS: dict[str, Callable[[], None]] = {}


def behaviour(function: Callable[[], None]) -> Callable[[], None]:
    BEHAVIOURS[function.__name__] = function
    return function


def write(content: bytes, path: str = OUTPUT) -> None:
    with open(path, "wb") as file:
        file.write(content)


def shape() -> tuple[int, ...]:
    with gzip.open(INPUTS[0]) as file:
        header = file.read(348)
    return struct.unpack_from("<8h", header, 40)[1:4]


def nifti(dims: tuple[int, ...], code: int, bits: int, voxels: bytes) -> bytes:
    """An uncompressed NIfTI-1 file with 1 mm voxels and the identity as its affine."""
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, len(dims), *dims, *[1] * (7 - len(dims)))
    struct.pack_into("<hh", header, 70, code, bits)
    struct.pack_into("<8f", header, 76, *[1.0] * 8)
    struct.pack_into("<f", header, 108, 352.0)
    struct.pack_into("<ff", header, 112, 1.0, 0.0)
    struct.pack_into("<hh", header, 252, 0, 1)
    struct.pack_into("<12f", header, 280, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0)
    header[344:348] = b"n+1\0"
    return bytes(header) + voxels


def mask(dims: tuple[int, ...], fill: int = 0) -> bytes:
    count = 1
    for size in dims:
        count *= size
    return gzip.compress(nifti(dims, 2, 8, bytes([fill]) * count), 1)


def npy(header: str, data: bytes) -> bytes:
    padded = header.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded.encode() + data


def good() -> bytes:
    if OUTPUT.endswith(".txt"):
        return b"0.25\n"
    if OUTPUT.endswith(".npy"):
        return npy(
            "{'descr': '<f4', 'fortran_order': False, 'shape': (4,), }", struct.pack("<4f", 1, 2, 3, 4)
        )
    return mask(shape())


@behaviour
def valid() -> None:
    write(good())


@behaviour
def exits_3() -> None:
    write(good())
    sys.exit(3)


@behaviour
def kills_itself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@behaviour
def hangs() -> None:
    write(good())
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(60)


@behaviour
def eats_memory() -> None:
    held = []
    while True:
        held.append(bytearray(os.urandom(4096)) * 1024)


@behaviour
def asks_for_another_machine() -> None:
    """As libraries do that fetch their weights when they are imported."""
    socket.getaddrinfo("weights.example", 443)


@behaviour
def prints_and_hangs() -> None:
    """Without a flush, as programs do."""
    print(f"loading takes one of {os.environ['PROCTOR_SECONDS']} seconds")
    time.sleep(10_000)


@behaviour
def child_eats_memory() -> None:
    child = os.fork()
    if child == 0:
        eats_memory()
    os.waitpid(child, 0)
    write(good())


def fill(path: str) -> None:
    block = os.urandom(1 << 20)
    number = 0
    while True:
        with open(f"{path}/fill-{number}", "wb") as file:
            for _ in range(4):
                file.write(block)
        number += 1


@behaviour
def fills_output() -> None:
    fill("/output")


@behaviour
def fills_output_and_exits_0() -> None:
    try:
        fill("/output")
    except OSError:
        sys.exit(0)


@behaviour
def fills_tmp() -> None:
    fill("/tmp")


@behaviour
def fills_working_directory() -> None:
    fill(".")


@behaviour
def fills_root() -> None:
    os.makedirs("/var/filled", exist_ok=True)
    fill("/var/filled")


@behaviour
def fills_root_and_memory() -> None:
    """As a fast writer does on a slow disk: what is not written yet waits in the memory."""
    os.makedirs("/var/filled", exist_ok=True)
    for number in range(60):
        with open(f"/var/filled/{number}", "wb") as file:
            file.write(os.urandom(1 << 20))
    eats_memory()


@behaviour
def fills_root_with_one_file() -> None:
    os.makedirs("/var/filled", exist_ok=True)
    block = os.urandom(1 << 20)
    with open("/var/filled/large", "wb") as file:
        while True:
            file.write(block)


@behaviour
def fills_root_with_deleted_files() -> None:
    held = []
    block = os.urandom(1 << 20)
    while True:
        file = open("/var/deleted", "wb")  # noqa: SIM115
        os.unlink("/var/deleted")
        for _ in range(4):
            file.write(block)
            file.flush()
            time.sleep(0.01)
        held.append(file)


@behaviour
def fills_root_with_mapped_files() -> None:
    """Deleted, closed, and kept by nothing but a page that is mapped."""
    held = []
    block = os.urandom(1 << 20)
    while True:
        file = os.open("/var/mapped", os.O_CREAT | os.O_RDWR)
        os.unlink("/var/mapped")
        for _ in range(4):
            os.write(file, block)
            time.sleep(0.01)
        held.append(mmap.mmap(file, 1))
        os.closerange(3, 4096)  # the mapping has a descriptor of its own, which goes too


@behaviour
def fills_a_volume() -> None:
    fill("/data")


@behaviour
def lists_a_volume() -> None:
    print("data:", *os.listdir("/data"))
    write(good())


@behaviour
def makes_many_files() -> None:
    number = 0
    while True:
        write(b"", f"/output/{number}")
        number += 1


@behaviour
def forks_without_end() -> None:
    while True:
        os.fork()


@behaviour
def leaves_processes_behind() -> None:
    write(good())
    for _ in range(5):
        if os.fork() == 0:
            os.setsid()
            time.sleep(600)
    os._exit(0)


@behaviour
def writes_nothing() -> None:
    pass


@behaviour
def symlink() -> None:
    os.symlink("/etc/passwd", OUTPUT)


@behaviour
def hard_link() -> None:
    write(good(), OUTPUT + ".other")
    os.link(OUTPUT + ".other", OUTPUT)


@behaviour
def fifo() -> None:
    os.mkfifo(OUTPUT)


@behaviour
def directory() -> None:
    os.mkdir(OUTPUT)


@behaviour
def unix_socket() -> None:
    os.chdir("/output")
    socket.socket(socket.AF_UNIX).bind(os.path.basename(OUTPUT))


@behaviour
def huge_sparse_file() -> None:
    with open(OUTPUT, "wb") as file:
        file.truncate(30 << 20)


@behaviour
def four_dimensions() -> None:
    write(mask((*shape(), 2)))


@behaviour
def wrong_shape() -> None:
    write(mask((3, 4, 5)))


@behaviour
def label_out_of_range() -> None:
    write(mask(shape(), 7))


@behaviour
def not_a_number() -> None:
    if OUTPUT.endswith(".txt"):
        write(b"nan\n")
    elif OUTPUT.endswith(".npy"):
        nan = struct.pack("<4f", 1, 2, float("nan"), 4)
        write(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4,), }", nan))
    else:
        x, y, z = shape()
        write(gzip.compress(nifti((x, y, z), 16, 32, struct.pack("<f", float("nan")) * (x * y * z)), 1))


@behaviour
def doubled_suffix() -> None:
    suffix = OUTPUT[OUTPUT.index(".", OUTPUT.rindex("/")) :]
    write(good(), OUTPUT + suffix)


@behaviour
def pickled() -> None:
    class Exploit:
        def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
            return os.system, ("touch /tmp/exploited",)

    header = "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
    write(npy(header, pickle.dumps(Exploit())))


@behaviour
def bare_pickle() -> None:
    write(pickle.dumps([1.0, 2.0]))


@behaviour
def gzip_bomb() -> None:
    """A header of the right shape and then 4 GiB of zeros, in about 4 MB: gzip files may be put one after another."""
    zeros = gzip.compress(bytes(16 << 20))
    write(gzip.compress(nifti(shape(), 2, 8, b"")) + zeros * 256)


@behaviour
def lies_about_its_size() -> None:
    write(gzip.compress(nifti((30000, 30000, 30000), 64, 64, b"")))


@behaviour
def not_gzip() -> None:
    write(b"\0" * 1000)


@behaviour
def floods_the_log() -> None:
    line = "x" * 1023 + "\n"
    for _ in range(4096):
        sys.stdout.write(line)
    sys.stdout.write("the end\n")
    write(good())


@behaviour
def shouts() -> None:
    """Says all it knows and could make up, wherever it can, and then fails."""
    with gzip.open(INPUTS[0]) as file:
        seen = file.read().hex()
    for line in ("canarystdout", *sys.argv, *os.environ, seen[:4000]):
        print(line)
    sys.stderr.write("canarystderr\n")
    write(good())
    write(b"canarycontent", "/output/canaryfile.txt")
    os.mkdir("/output/canaryfolder")
    raise RuntimeError("canaryexception " + seen[-80:])


def reachable() -> Iterator[str]:
    """What answers on this machine or near it; loopback inside the container does not count."""
    ports = [int(port) for port in os.environ.get("PORTS", "22,80,443,5432,6379,8000,2375").split(",")]
    hosts = [
        "172.17.0.1",
        "172.18.0.1",
        "10.0.0.1",
        "10.255.255.53",
        "169.254.169.254",
        "1.1.1.1",
        "127.0.0.1",
    ]
    for host in hosts:
        for port in ports:
            with socket.socket() as probe:
                probe.settimeout(0.2)
                if probe.connect_ex((host, port)) == 0:
                    yield f"{host}:{port}"
    for path in ("/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock"):
        if os.path.exists(path):
            yield path
    for family in (40, 17, 38):  # vsock, packet, alg
        try:
            socket.socket(family, socket.SOCK_STREAM if family == 40 else socket.SOCK_RAW).close()
            yield f"family {family}"
        except OSError:
            pass
    try:
        socket.getaddrinfo("deb.debian.org", 80)
        yield "name server"
    except OSError:
        pass


@behaviour
def opens_sockets() -> None:
    print("reached:", *reachable())
    write(good())


PLACES = (
    "/tmp",
    ".",
    "/output",
    "/root",
    "/var/tmp",
    "/dev/shm",
    "/app",
    "/input",
    "/",
    "/run",
    "/sys/fs/cgroup",
)


def traces() -> Iterator[str]:
    """What another case left, or files of other cases."""
    for place in PLACES:
        yield from glob.glob(f"{place}/{MARKER}*")
    expected = {os.path.basename(path) for path in INPUTS}
    yield from sorted(set(os.listdir("/input")) - expected)
    yield from os.listdir("/output")
    yield from os.listdir(".")
    own = {str(os.getpid()), "1"}
    yield from (f"process {name}" for name in os.listdir("/proc") if name.isdigit() and name not in own)


@behaviour
def looks_for_other_cases() -> None:
    print("found:", *traces())
    placed = []
    for place in PLACES:
        try:
            write(b"marker", f"{place}/{MARKER}")
            placed.append(place)
        except OSError:
            pass
    print("left:", *placed)
    write(good())


@behaviour
def leaks_host_paths() -> None:
    with open("/proc/self/mountinfo") as file:
        print(file.read())
    write(good())


@behaviour
def breaks_out() -> None:
    """Acts that must be refused; prints those that were not."""
    libc = ctypes.CDLL(None, use_errno=True)
    acts = {
        "mount": lambda: libc.mount(b"none", b"/mnt", b"tmpfs", 0, None),
        "unshare": lambda: libc.unshare(0x10000000),
        "ptrace": lambda: libc.ptrace(16, 1, 0, 0),
        "io_uring": lambda: libc.syscall(425, 1, ctypes.create_string_buffer(256)),
        "bpf": lambda: libc.syscall(321, 0, 0, 0),
        "keyctl": lambda: libc.syscall(250, 0, -3, 0),
        "perf": lambda: libc.syscall(298, ctypes.create_string_buffer(256), 0, -1, -1, 0),
        "userfaultfd": lambda: libc.syscall(323, 0),
        "device": lambda: libc.mknod(b"/tmp/device", 0o020666, 0x0103),
        "chroot": lambda: libc.chroot(b"/tmp"),
        "setuid root": lambda: libc.setns(0, 0),
        "host name": lambda: libc.sethostname(b"x", 1),
        "clock": lambda: libc.syscall(227, 0, ctypes.create_string_buffer(16)),
    }
    done = [name for name, act in acts.items() if act() >= 0]
    for path in (
        "/proc/sys/kernel/core_pattern",
        "/proc/sysrq-trigger",
        INPUTS[0],
        "/sys/kernel/uevent_helper",
    ):
        try:
            with open(path, "r+b") as file:
                file.write(b"x")
            done.append(path)
        except OSError:
            pass
    print("done:", *done)
    write(good())


@behaviour
def reads_its_world() -> None:
    """What honest programs do: multiprocessing, shared memory, temporary files, caches below HOME."""
    import multiprocessing
    import tempfile

    with multiprocessing.Pool(2) as pool:
        assert pool.map(abs, [-1, 2]) == [1, 2]
    with multiprocessing.Manager() as manager:
        shared = manager.dict()
        shared["x"] = 1
        assert shared["x"] == 1
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"x")
    os.makedirs(os.path.expanduser("~/.cache/honest"))
    os.makedirs("lightning_logs/version_0")
    write(b"#!/bin/sh\nexit 0\n", "/tmp/program")
    os.chmod("/tmp/program", 0o755)
    assert os.system("/tmp/program") == 0  # noqa: S605
    space = os.statvfs("/dev/shm")
    print("shm", space.f_blocks * space.f_frsize, "tmp", *sorted(os.listdir("/tmp")), "cwd", os.getcwd())
    print("who", os.getuid(), os.environ["HOME"], "task", os.environ["PROCTOR_TASK"])
    write(good())


if __name__ == "__main__":
    BEHAVIOURS[os.environ.get("BEHAVIOUR") or os.environ["PROCTOR_TRACK"]]()
