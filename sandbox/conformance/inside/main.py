"""The program's parts: `acts`, `next` (what the next case finds), and those that may end the container."""

import ast
import os
import time

from . import calls, files, limits, network, pages, previous, privileges
from .acts import ACTS, Facts, text, tried
from .canary import write_output

_STOP = 1 << 30
__all__ = ["ACTS", "calls", "files", "limits", "main", "network", "pages", "privileges"]


def report(kind: str, name: str, value: object) -> None:
    """One line for the host, which reads it with `ast.literal_eval`."""
    print(repr((kind, name, value)), flush=True)


def acts(facts: Facts) -> None:
    """Tries every denied act and then leaves something in every writable place."""
    for act in ACTS:
        if act.concerns(facts["profile"], facts["runtime"]):
            report("act", act.name, tried(act, facts))
    for name in (
        "/proc/self/mountinfo",
        "/proc/self/cgroup",
        "/etc/hosts",
        "/etc/hostname",
        "/etc/resolv.conf",
    ):
        report("world", name, text(name))
    report("world", "environment", dict(os.environ))
    report("world", "uname", tuple(os.uname()))
    report("world", "left", previous.leave())


def next_case(facts: Facts) -> None:
    """Looks for what `acts` left."""
    report("act", previous.NAME, previous.find())


def memory(facts: Facts) -> None:
    """Uses memory until the container is killed, or far too much was given."""
    held: list[bytes] = []
    while len(held) << 23 < 4 * int(str(facts["memory"])):
        held.append(b"x" * (8 << 20))
    report("act", "memory", f"{len(held) * 8} MiB were given")


def processes(facts: Facts) -> None:
    """Starts processes until it is refused, or the container is killed."""
    report("act", "processes", limits.processes(facts))


def disk(facts: Facts) -> None:
    """Writes wherever it can until the container is killed, or far too much was taken."""
    place = "/var" if facts["profile"] == "compatible" else "/tmp"
    os.makedirs(place, exist_ok=True)
    block = os.urandom(1 << 20)
    for number in range(_STOP >> 20):
        with open(f"{place}/fill-{number}", "wb") as file:
            file.write(block)
        time.sleep(0.01)  # so that this host does not suffer where nothing stops it
    report("act", "disk", f"{_STOP >> 20} MiB were taken")


def main(arguments: list[str]) -> None:
    """Does the part that `PROCTOR_TRACK` names, and writes a valid output."""
    named = dict(zip(arguments[::2], arguments[1::2], strict=True))
    part = os.environ["PROCTOR_TRACK"]
    if part == "canary":
        write_output(named["--output"], os.environ["PROCTOR_TASK"], named["--scan"])
        return
    with open(named["--facts"], encoding="utf-8") as file:
        facts: Facts = ast.literal_eval(file.read())
    parts = {"acts": acts, "next": next_case, "memory": memory, "processes": processes, "disk": disk}
    parts[part](facts)
    with open(named["--output"], "w", encoding="utf-8") as output:
        output.write("0.5\n")
