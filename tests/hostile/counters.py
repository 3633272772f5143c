"""A program that takes as much as it gets of what the kernel counts by user, says how much that was, and holds it."""

import ctypes
import errno
import sys
import time
from collections.abc import Callable
from pathlib import Path

MOST = 200_000
libc = ctypes.CDLL(None, use_errno=True)


def timer() -> int:
    """A timer, which holds a queued signal."""
    return int(libc.syscall(ctypes.c_long(222), ctypes.c_long(1), None, ctypes.byref(ctypes.c_int())))


def queue(number: int) -> int:
    """A message queue of 80 KiB."""
    sizes = (ctypes.c_long * 8)(0, 10, 8192)
    return int(libc.syscall(ctypes.c_long(240), f"q{number}".encode(), 0o102, 0o600, sizes))


def watch() -> int:
    """An instance of inotify."""
    return int(libc.inotify_init1(0))


def taken(take: Callable[[int], int]) -> tuple[int, str]:
    """How often `take` succeeds, and how it fails then."""
    for count in range(MOST):
        if take(count) < 0:
            return count, errno.errorcode[ctypes.get_errno()]
    return MOST, "nothing"


def main() -> None:
    """Takes everything and holds it for a while."""
    arguments = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=True))
    print("timers", *taken(lambda number: timer()))
    print("queues", *taken(queue))
    print("watches", *taken(lambda number: watch()), flush=True)
    time.sleep(1)
    Path(arguments["--output"]).write_text("0.5\n", encoding="utf-8")


if __name__ == "__main__":
    main()
