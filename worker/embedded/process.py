"""Child processes that cannot outlive their parent."""

import ctypes
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from worker.embedded.account import SystemUser

_PR_SET_PDEATHSIG = 1
_LARGE_LOG = 20_000_000
_libc = ctypes.CDLL(None, use_errno=True)


class ServiceError(RuntimeError):
    """A service did not start or did not get ready; the text ends with the last lines of its log."""


def tied_to_parent(death_signal: signal.Signals) -> Callable[[], None]:
    """A `preexec_fn` after which the kernel sends `death_signal` when the starting thread dies.

    Linux clears the setting when the user id changes, so it has to run after `Popen(user=…)` took
    effect; Python calls `preexec_fn` in that order. The thread that starts a child must live as long
    as the child should: start long-lived children from the main thread.
    """
    parent = os.getpid()

    def tie() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return tie


def spawn(
    command: Sequence[str | Path],
    *,
    log: Path,
    env: Mapping[str, str],
    cwd: Path,
    death_signal: signal.Signals = signal.SIGTERM,
    account: SystemUser | None = None,
    stdin: bytes = b"",
) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own, output appended to `log`, gone when this process is gone.

    Its own session keeps the terminal's Ctrl-C away from it: the supervisor decides who stops when.
    `stdin` is small (a configuration): it is written whole before this returns.
    """
    _set_aside(log)
    with log.open("ab") as out:
        child = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=dict(env),
            cwd=cwd,
            start_new_session=True,
            preexec_fn=tied_to_parent(death_signal),
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    feed(child, stdin)
    return child


def _set_aside(log: Path) -> None:
    """Start a new log file where the last one has grown large; one older file is kept."""
    if log.exists() and log.stat().st_size > _LARGE_LOG:
        log.replace(log.with_suffix(".1.log"))


def keep_short(log: Path) -> None:
    """Sets aside what a running program has written once it is large; what it writes in that moment may be lost.

    The program goes on in the same file, for it appends. On a full disk what is there is given up instead.
    """
    try:
        if log.stat().st_size <= _LARGE_LOG:
            return
        older = log.with_suffix(".1.log")
        try:
            shutil.copyfile(log, older)
        except OSError:
            older.unlink(missing_ok=True)
        os.truncate(log, 0)
    except FileNotFoundError:
        return


def feed(child: subprocess.Popen[bytes], data: bytes) -> None:
    """Write all of a child's standard input and close it; a child that died already is left to its caller."""
    if child.stdin is None:
        return
    try:
        child.stdin.write(data)
        child.stdin.close()
    except BrokenPipeError:
        return


def stop(child: subprocess.Popen[bytes], steps: Sequence[tuple[signal.Signals, float]]) -> int:
    """Send each signal in turn, waiting its seconds for the child to leave; SIGKILL is the last resort."""
    for number, seconds in steps:
        if child.poll() is not None:
            return child.returncode
        child.send_signal(number)
        try:
            return child.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
    child.kill()
    return child.wait()


def last_lines(log: Path, count: int = 12) -> str:
    """The end of a log file, for an error message; empty when there is none."""
    if not log.exists():
        return ""
    return "\n".join(log.read_text(errors="replace").splitlines()[-count:])
