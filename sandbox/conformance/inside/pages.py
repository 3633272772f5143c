"""Acts on the page cache, which keeps an image's files from one case to the next, and on watches of files."""

import ctypes
import mmap
import os
import resource

from .acts import Facts, act, call, libc, refused

_SIZE = 16 * mmap.PAGESIZE
_NOWAIT, _DONTCACHE = 0x8, 0x80
_DONTNEED, _PAGEOUT = 4, 21
libc.mmap.restype = ctypes.c_void_p
_HIGH = 1 << 32
"""A bit that the kernel does not look at, and a filter that compares whole registers would."""


@act(
    "pages in memory", "asking which pages of a file are in memory, where an earlier case may have left them"
)
def pages_in_memory(facts: Facts) -> str | None:
    span, buffer = bytes(16), bytes(40)
    return refused(
        mincore=(27, 0, 0, buffer),
        cachestat=(451, 0, span, buffer, 0),
        readahead=(187, 0, 0, 0),
        preadv2_nowait=(327, 0, None, 0, 0, 0, _NOWAIT),
        preadv2_dontcache=(327, 0, None, 0, 0, 0, _DONTCACHE),
        preadv2_high=(327, 0, None, 0, 0, 0, _HIGH | _NOWAIT),
    )


@act(
    "asynchronous reads",
    "calls whose blocks no filter sees, and in which reads may refuse to wait for the disk",
)
def asynchronous(facts: Facts) -> str | None:
    return refused(io_setup=(206, 1, bytes(8)), io_submit=(209, 0, 0, None))


@act("dropping pages", "taking pages of a file out of memory, so that the next case finds them gone")
def dropping(facts: Facts) -> str | None:
    path = "/tmp/pages"
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.write(file, bytes(_SIZE))
        os.fsync(file)
        # A page of the interpreter may have to be read at such a moment, too, but not each time.
        done = [name for name, drop in _WAYS.items() if all(_is_gone(file, drop) for _ in range(_TIMES))]
    finally:
        os.close(file)
        os.unlink(path)
    return f"dropped by {done}" if done else None


_TIMES = 5
_WAYS = {
    "fadvise64": (221, _DONTNEED),
    "fadvise64, high bit": (221, _HIGH | _DONTNEED),
    "madvise": (28, _PAGEOUT),
    "madvise, high bit": (28, _HIGH | _PAGEOUT),
}


def _is_gone(file: int, way: tuple[int, int]) -> bool:
    """Whether the first page has to be read from the disk after one of the calls."""
    number, advice = way
    place = libc.mmap(None, ctypes.c_size_t(_SIZE), 1, mmap.MAP_SHARED, file, ctypes.c_long(0))
    try:
        if number == 28:
            ctypes.string_at(place, 1)
            call(number, place, _SIZE, advice)
        else:
            call(number, file, 0, _SIZE, advice)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_majflt
        ctypes.string_at(place, 1)
        return resource.getrusage(resource.RUSAGE_SELF).ru_majflt > before
    finally:
        call(11, place, _SIZE)


@act("watches of files", "instances of inotify, which are counted by user over all containers and the host")
def watches(facts: Facts) -> str | None:
    return refused(inotify_init=(253,), inotify_init1=(294, 0), add_watch=(254, 0, b"/", 1))
