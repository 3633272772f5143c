"""What one case might leave for the next: files in every writable place, shared memory, queues, sockets, processes."""

import ctypes
import os
import socket
import time

from .acts import call, libc
from .files import MARKER, everything, writable_directories

NAME = "leaving something behind"
DENIED = "files, shared memory, message queues, sockets and processes that the next case could find"
_KEY = 0x70726F63
_QUEUE = b"proctor-conformance"


def leave() -> list[str]:
    """Leaves a mark in every place there is; returns the places."""
    left = []
    for top in writable_directories():
        try:
            os.close(os.open(f"{top}/{MARKER}", os.O_WRONLY | os.O_CREAT, 0o600))
            left.append(top)
        except OSError:
            continue
    if libc.shmget(ctypes.c_int(_KEY), ctypes.c_size_t(4096), 0o1666) >= 0:
        left.append("shared memory")
    if call(240, _QUEUE, os.O_CREAT | os.O_RDWR, 0o600, None)[0] >= 0:
        left.append("message queue")
    if os.fork() == 0:
        _stay()
    return left


def _stay() -> None:
    """A process that outlives its parents and holds a socket without a file."""
    os.setsid()
    null = os.open("/dev/null", os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    held = socket.socket(socket.AF_UNIX)
    held.bind(f"\0{MARKER}")
    held.listen()
    time.sleep(600)
    os._exit(0)


def find() -> str | None:
    """What is here of a case before this one."""
    found = [path for path in everything() if path.endswith(MARKER)]
    found += [path for path in (f"/dev/shm/{MARKER}", f"/dev/mqueue/{MARKER}") if os.path.exists(path)]
    for top in ("/output", "/proctor", "/tmp", "/dev/shm"):
        found += [f"{top}/{name}" for name in os.listdir(top)]
    if libc.shmget(ctypes.c_int(_KEY), ctypes.c_size_t(4096), 0o666) >= 0:
        found.append("shared memory")
    if call(240, _QUEUE, os.O_RDWR, 0, None)[0] >= 0:
        found.append("a message queue")
    with socket.socket(socket.AF_UNIX) as probe:
        if probe.connect_ex(f"\0{MARKER}") == 0:
            found.append("a socket and its process")
    return f"found {sorted(set(found))[:5]}" if found else None
