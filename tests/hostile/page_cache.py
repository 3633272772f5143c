"""A program that hands bits of its input to the next case by the page cache, which keeps the image's own files.

`PROCTOR_TRACK` says what it does: `leave` drops the pages of its large file by every way that there is and reads one
page for each bit that is set, `find` says which pages are in memory, by every way to see it, `uses` makes the
calls that honest programs make of the same kind. Everything is standard library, for the base image has nothing else.
"""

import ctypes
import hashlib
import mmap
import os
import resource
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

STORE = "/app/store.bin"
BITS = 64
STRIDE = 32 * mmap.PAGESIZE
_DONTNEED, _RANDOM, _WILLNEED, _SEQUENTIAL = 4, 1, 3, 2
_COLD, _PAGEOUT = 20, 21
_NOWAIT, _DONTCACHE = 0x8, 0x80

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = (
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_long,
)


def call(number: int, *arguments: int | None) -> int:
    """A system call; -1 where it fails."""
    return int(libc.syscall(ctypes.c_long(number), *(ctypes.c_void_p(one) for one in arguments)))


def mapped(file: int) -> int:
    """The address of the whole file, mapped and not touched."""
    return int(libc.mmap(None, BITS * STRIDE, mmap.PROT_READ, mmap.MAP_PRIVATE, file, 0))


def secret() -> list[bool]:
    """Bits of the case's input."""
    digest = hashlib.sha256(min(Path("/input").iterdir()).read_bytes()).digest()
    return [bool(digest[place // 8] >> place % 8 & 1) for place in range(BITS)]


def drop(file: int) -> None:
    """Every way to take the pages of a file out of memory."""
    whole = BITS * STRIDE
    for advice in (_DONTNEED, 1 << 32 | _DONTNEED):
        call(221, file, 0, whole, advice)
    place = mapped(file)
    for offset in range(0, whole, mmap.PAGESIZE):
        ctypes.string_at(place + offset, 1)
    for advice in (_COLD, _PAGEOUT, 1 << 32 | _PAGEOUT):
        call(28, place, whole, advice)
    call(11, place, whole)
    vector = (ctypes.c_void_p * 2)()
    buffer = ctypes.create_string_buffer(STRIDE)
    vector[0], vector[1] = ctypes.addressof(buffer), STRIDE
    for offset in range(0, whole, STRIDE):
        call(327, file, ctypes.addressof(vector), 1, offset, 0, _DONTCACHE)
    try:
        direct = os.open(STORE, os.O_RDONLY | os.O_DIRECT)
        os.preadv(direct, [mmap.mmap(-1, STRIDE)], 0)
        os.close(direct)
    except OSError:
        pass


def leave(file: int) -> None:
    """Drops what it has read, and reads a page for each bit that is set."""
    while os.read(file, 2**20):
        pass
    drop(file)
    call(221, file, 0, 0, _RANDOM)
    for number, bit in enumerate(secret()):
        if bit:
            os.pread(file, 1, number * STRIDE)


def by_mincore(file: int) -> Iterator[bool | None]:
    """What the kernel says of each page; None where it does not."""
    place, answer = mapped(file), ctypes.create_string_buffer(1)
    for number in range(BITS):
        told = call(27, place + number * STRIDE, mmap.PAGESIZE, ctypes.addressof(answer))
        yield None if told else bool(answer.raw[0] & 1)


def by_cachestat(file: int) -> Iterator[bool | None]:
    """The same by the newer call."""
    span, answer = (ctypes.c_uint64 * 2)(), (ctypes.c_uint64 * 5)()
    for number in range(BITS):
        span[0], span[1] = number * STRIDE, mmap.PAGESIZE
        told = call(451, file, ctypes.addressof(span), ctypes.addressof(answer), 0)
        yield None if told else bool(answer[0])


def by_not_waiting(file: int) -> Iterator[bool | None]:
    """Reads that fail where they would have to wait for the disk."""
    buffer, vector = ctypes.create_string_buffer(1), (ctypes.c_void_p * 2)()
    vector[0], vector[1] = ctypes.addressof(buffer), 1
    for number in range(BITS):
        told = call(327, file, ctypes.addressof(vector), 1, number * STRIDE, 0, _NOWAIT)
        yield None if told == -1 and ctypes.get_errno() != 11 else told == 1


def by_faults(file: int) -> Iterator[bool | None]:
    """Pages that are touched without a wait for the disk."""
    call(221, file, 0, 0, _RANDOM)
    place = mapped(file)
    call(28, place, BITS * STRIDE, 1)
    for number in range(BITS):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_majflt
        ctypes.string_at(place + number * STRIDE, 1)
        yield resource.getrusage(resource.RUSAGE_SELF).ru_majflt == before


WAYS: tuple[Callable[[int], Iterator[bool | None]], ...] = (
    by_mincore,
    by_cachestat,
    by_not_waiting,
    by_faults,
)


def written(bits: list[bool | None]) -> str:
    """Bits as text, a question mark for each that nobody told."""
    return "".join("?" if one is None else str(int(one)) for one in bits)


def uses(file: int) -> None:
    """What honest programs do, and what they get for it: 0 each."""
    place = mapped(file)
    named = {"sequential": _SEQUENTIAL, "willneed": _WILLNEED, "dontneed": _DONTNEED, "noreuse": 5}
    advices = {name: call(221, file, 0, 0, one) for name, one in named.items()}
    memory = mmap.mmap(-1, 4 * 2**20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for advice in (0, 1, 2, 3, 4, 8, 10, 11, 16, 17):
        memory.madvise(advice)
    advices |= {str(one): call(28, place, STRIDE, one) for one in (_COLD, _PAGEOUT)}
    print("advices", {name: value for name, value in advices.items() if value})
    print("vectors", os.preadv(file, [bytearray(8)], 0, 0), os.preadv(file, [bytearray(8)], 0, os.RWF_HIPRI))


def main() -> None:
    """Does what the track says, and writes a valid output."""
    arguments = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=True))
    file, track = os.open(STORE, os.O_RDONLY), os.environ["PROCTOR_TRACK"]
    if track == "leave":
        leave(file)
    elif track == "uses":
        uses(file)
    else:
        for way in WAYS:
            print(way.__name__, written(list(way(file))))
        print("secret", written(list(secret())))
    Path(arguments["--output"]).write_text("0.5\n", encoding="utf-8")


if __name__ == "__main__":
    main()
