"""Runs `proctor` as a system without POSIX would: `python tests/client/elsewhere.py submit …`.

The libraries are loaded first, and are held to know such systems. Then the modules and names that Windows lacks are
taken away, but for what the standard library itself uses on this one, and everything of ours is loaded anew.
"""

import importlib
import importlib.abc
import os
import pkgutil
import signal
import sys

MODULES = {
    *("curses", "fcntl", "grp", "posix", "pty", "pwd", "readline", "resource", "syslog", "termios", "tty"),
}
OURS = {"client", "contract", "evaluator", "sandbox"}
NAMES = {
    os: """
        O_CLOEXEC O_DIRECTORY O_NOCTTY O_NOFOLLOW O_NONBLOCK O_PATH O_SYNC O_TMPFILE chown fchmod fchown fork
        geteuid getegid getgid getgroups getloadavg getpgid getuid killpg mkfifo posix_fadvise posix_fallocate pread
        preadv pwrite sched_getaffinity sched_setaffinity setsid statvfs fstatvfs sysconf uname
    """,
    signal: "SIGALRM SIGHUP SIGPIPE SIGQUIT SIGUSR1 SIGUSR2 alarm setitimer pthread_sigmask",
}


class Lacking(importlib.abc.MetaPathFinder):
    """Says of the modules that they are not there."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        if fullname in MODULES:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)


def leave_posix() -> None:
    """From here on this process has neither the modules nor the names, and nothing of ours is loaded."""
    for name in ("client.commands", "client.trying", "client.begun"):
        importlib.import_module(name)
    for name in [*sys.modules]:
        if name in MODULES or name.partition(".")[0] in OURS:
            del sys.modules[name]
    take_away()


def take_away() -> None:
    """No module of `MODULES` is found from here on, and the names of `NAMES` are gone."""
    sys.meta_path.insert(0, Lacking())
    for module, names in NAMES.items():
        for name in names.split():
            if hasattr(module, name):
                delattr(module, name)


def every_module() -> list[str]:
    """What `proctor` is made of, all of it loaded but what `proctor try` alone needs."""
    package = importlib.import_module("client")
    found = {one.name for one in pkgutil.walk_packages(package.__path__, "client.")}
    names = sorted(found - {"client.trial", "client.trying"})
    for name in names:
        importlib.import_module(name)
    return names


if __name__ == "__main__":
    leave_posix()
    if sys.argv[1:] == ["every-module"]:
        sys.stdout.write("\n".join(every_module()))
    else:
        importlib.import_module("client.main").main()
