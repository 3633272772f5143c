"""The register of denied acts, and how one is tried: in a child of its own, which it may lose."""

import ctypes
import errno
import os
import signal
from collections.abc import Callable

Facts = dict[str, object]
Attempt = Callable[[Facts], str | None]
"""Returns None if the act was denied, else what could be done."""

REFUSED = (errno.EPERM, errno.ENOSYS, errno.EACCES, errno.EROFS)
_KILLED_BY_FILTER = signal.SIGSYS


class Act:
    """One denied act: `name`, what is `denied` in words, and the attempt.

    `profile` is None for all profiles. `of_host`: it matters where the kernel is the host's; a runtime with a kernel
    of its own may allow it, for it reaches that kernel only.
    """

    def __init__(self, name: str, denied: str, attempt: Attempt, profile: str | None, of_host: bool) -> None:
        self.name, self.denied, self.attempt = name, denied, attempt
        self.profile, self.of_host = profile, of_host

    def concerns(self, profile: object, runtime: object) -> bool:
        """Whether it is tried under this profile and runtime."""
        return self.profile in (None, profile) and not (self.of_host and runtime == OWN_KERNEL)


ACTS: list[Act] = []
OWN_KERNEL = "runsc"


def act(
    name: str, denied: str, profile: str | None = None, *, of_host: bool = False
) -> Callable[[Attempt], Attempt]:
    """Registers the function below as the act `name`."""

    def register(attempt: Attempt) -> Attempt:
        ACTS.append(Act(name, denied, attempt, profile, of_host))
        return attempt

    return register


def tried(deed: Act, facts: Facts) -> str | None:
    """What could be done, or None if the act was denied; a child that the call filter kills was denied."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            got = deed.attempt(facts)
            os.write(writer, b"-" if got is None else b"+" + got.encode()[:400])
        except BaseException as error:  # noqa: BLE001 - reported by the parent, never taken for a denial
            os.write(writer, f"+the act itself failed: {type(error).__name__}: {error}".encode()[:400])
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        said = pipe.read()
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return None if number == _KILLED_BY_FILTER else f"the act ended by signal {number}"
    return said[1:].decode(errors="replace") if said[:1] == b"+" else None if said else "the act said nothing"


libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def call(number: int, *arguments: int | bytes | None) -> tuple[int, int]:
    """A system call by its number: its result and its errno (0 if it succeeded)."""
    passed = [
        ctypes.c_long(argument) if isinstance(argument, int) else ctypes.c_char_p(argument)
        for argument in arguments
    ]
    ctypes.set_errno(0)
    result = int(libc.syscall(ctypes.c_long(number), *passed))
    return result, ctypes.get_errno() if result == -1 else 0


def refused(**calls: tuple[int | bytes | None, ...]) -> str | None:
    """None if every one of these calls, (number, arguments…), is refused before the kernel looks at it."""
    reached = []
    for name, (number, *arguments) in calls.items():
        result, code = call(int(str(number)), *arguments)
        if code not in REFUSED:
            reached.append(f"{name}: {errno.errorcode.get(code, 'succeeded') if code else result}")
    return "reached " + ", ".join(reached) if reached else None


def denied(attempts: dict[str, Callable[[], object]], also: tuple[int, ...] = ()) -> str | None:
    """None if every attempt raises an OSError that means a refusal; `also` lists further errno values."""
    done = []
    for name, attempt in attempts.items():
        try:
            attempt()
        except OSError as error:
            if error.errno not in (*REFUSED, *also):
                done.append(f"{name}: {error.strerror}")
        else:
            done.append(name)
    return "could: " + ", ".join(done) if done else None


def opened_for_writing(paths: list[str]) -> str | None:
    """None if none of these files can be opened for writing; a missing one cannot."""
    done = []
    for path in paths:
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY))
            done.append(path)
        except OSError:
            continue
    return f"could open for writing: {', '.join(done[:5])} ({len(done)} in all)" if done else None


def text(path: str) -> str:
    """A file's text; empty where it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
