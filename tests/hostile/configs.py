"""Images whose settings or files are the attack: each is less than a kilobyte of program and what is done to it."""

import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.hostile.table import VALID, Row
from tests.hostile.tiny import ARM64, Entry, entry, file, image, layer, program

LINK, FOLDER, PIPE = tarfile.SYMTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE
PROGRAM = "usr/bin/python"


@dataclass(frozen=True)
class Image(Row):
    """`make` gives the archive; it passes the check unless `expected` is a code of the check."""

    make: Callable[[], bytes]


def _settings(name: str, defence: str, expected: str, **settings: Any) -> Image:
    return Image(name, defence, expected, lambda: image(**settings))


def _files(name: str, defence: str, expected: str, *entries: Entry, **settings: Any) -> Image:
    return Image(name, defence, expected, lambda: image(*entries, **settings))


def _volumes(name: str, expected: str, *paths: str) -> Image:
    return _settings(name, "VOLUMEs are bounded or refused", expected, Volumes={path: {} for path in paths})


def _program(name: str, expected: str, *entries: Entry) -> Image:
    """Something in the program's place, by a layer of its own."""
    return Image(name, _START, expected, lambda: image(layers=(layer(*entries),)))


def _mounted(name: str, expected: str, *entries: Entry) -> Image:
    return _files(name, "what stands where the engine mounts", expected, *entries)


def _env(*variables: str) -> list[str]:
    return ["PATH=/usr/bin", *variables]


def _accounts(name: str, *entries: Entry, **settings: Any) -> Image:
    defence = "accounts are ordinary files, or the engine does not start"
    return _files(name, defence, "no_start", *entries, **settings)


_DEVICE = entry("dev/x", tarfile.CHRTYPE, devmajor=1, devminor=3)
_USER = "the image's user exists, or nothing starts"
_INSIDE = "links are followed inside the container only"
_NODES = "no device but the container's own can be opened"
_START = "what cannot be executed is the image's fault"

_ACCOUNTS = (
    file("etc/passwd", b"someone:x:1:1::/:/bin/sh\n"),
    file("etc/group", b"".join(b"g%d:x:%d:someone\n" % (number, number) for number in range(100_000))),
)

IMAGES: list[Image] = [
    _settings("an honest tiny image", "none: it shows that the others' programs are sound", VALID),
    _settings("unknown user", _USER, "no_start", User="nobody-there"),
    _settings("unknown group", _USER, "no_start", User="0:nobody-there"),
    _settings("user beyond every number", _USER, "no_start", User="99999999999"),
    _settings("negative user", _USER, "no_start", User="-1"),
    _settings("user with a line break", _USER, "no_start", User="root\nx"),
    _accounts("password file that is a pipe", entry("etc/passwd", PIPE)),
    _accounts("password file of 17 MiB", file("etc/passwd", b"a:x:1:1::/:/\n" * (17 * 2**20 // 13))),
    _accounts("password file that is a folder", entry("etc/passwd", FOLDER), User="someone"),
    _accounts("password file that is endless", entry("etc/passwd", LINK, "/dev/zero"), User="a"),
    _accounts("password file that links to a pipe", entry("etc/passwd", LINK, "../x/p"), entry("x/p", PIPE)),
    _mounted(
        "/etc that is a link to a folder with pipes", VALID, entry("etc", LINK, "x"), entry("x/passwd", PIPE)
    ),
    _accounts("group file that is the host's device", entry("etc/group", LINK, "/dev/x"), _DEVICE),
    _accounts("group file that is the container's log", entry("etc/group", LINK, "/proc/self/fd/1")),
    _mounted("/etc that is a link into /proc", VALID, entry("etc", LINK, "/proc/self/fd")),
    _settings("user called like a GPU", _USER, "no_start", User="gpu-nvidia"),
    _files("user of 100,000 groups", _USER, "no_start", *_ACCOUNTS, User="someone"),
    _volumes("nine VOLUMEs", "no_start", *[f"/data{number}" for number in range(9)]),
    _volumes("eight VOLUMEs", VALID, *[f"/data{number}" for number in range(8)]),
    _volumes("VOLUME at the root", "no_start", "/"),
    _volumes("VOLUME in /proc", "no_start", "/proc/sys"),
    _volumes("VOLUME in /input", "no_start", "/input/more"),
    _volumes("VOLUME over /input", VALID, "/input"),
    _volumes("VOLUME over /output and /tmp", VALID, "/output", "/tmp", "/output/../output"),
    _volumes("VOLUME below /output", VALID, "/output/below"),
    _volumes("VOLUME that climbs", "no_start", "/data/../../proc"),
    _volumes("VOLUME without a path", "no_start", "data"),
    _volumes("VOLUME with a colon", "valid or no_start", "/a:/b:ro"),
    _volumes("VOLUME over the program", "valid or no_start", "/usr/bin"),
    _files(
        "VOLUME through a link into /proc",
        "VOLUMEs are bounded or refused",
        "no_start",
        entry("data", LINK, "/proc"),
        Volumes={"/data": {}},
    ),
    _files(
        "VOLUME over a file",
        "VOLUMEs are bounded or refused",
        "valid or no_start",
        file("data", b"x"),
        Volumes={"/data": {}},
    ),
    _settings(
        "HEALTHCHECK", "health checks are off", VALID, Healthcheck={"Test": ["CMD", "/usr/bin/python"]}
    ),
    _settings("STOPSIGNAL that is none", "the stop signal is ours", VALID, StopSignal="SIGNOTHING"),
    _settings("LD_PRELOAD", "variables that steer the host are emptied", VALID, Env=_env("LD_PRELOAD=/x.so")),
    _settings("every GPU", "one GPU by its id, or none", VALID, Env=_env("NVIDIA_VISIBLE_DEVICES=all")),
    _settings("variable without a name", _START, "no_start", Env=_env("=x", "alone", "")),
    _settings("variable of nearly all bytes allowed", _START, VALID, Env=_env("X=" + "x" * 130_000)),
    _settings("working directory elsewhere", "the working directory is ours", VALID, WorkingDir="/proc/self"),
    _settings("trusting labels", "labels mean nothing", VALID, Labels={"proctor.valid": "1"}),
    _settings("own ENTRYPOINT", "the challenge says what is called", VALID, Entrypoint=["/nothing"]),
    _settings("PATH that leads nowhere", _START, "no_start", Env=["PATH=/nowhere"]),
    _program("program without permission", "no_start", file(PROGRAM, program(), 0o644)),
    _program("program that is empty", "no_start", file(PROGRAM)),
    _files("program that is a folder", _START, "no_start", entry("opt/python", FOLDER), Env=["PATH=/opt"]),
    _files(
        "program that is a pipe", _START, "no_start", entry("opt/python", PIPE, mode=0o755), Env=["PATH=/opt"]
    ),
    _program("program that is a link in a circle", "no_start", entry(PROGRAM, LINK, "python")),
    _program("program without its interpreter", "no_start", file(PROGRAM, b"#!/nowhere\n")),
    _program("program that is cut off", "no_start or exit_code", file(PROGRAM, program()[:70])),
    _program("program for ARM", "wrong_architecture", file(PROGRAM, program(ARM64))),
    _files(
        "program for ARM that the check cannot find",
        _START,
        "no_start",
        file("proctor-bin/python", program(ARM64)),
        Env=["PATH=../proctor-bin"],
    ),
    Image("label for ARM", "architecture by config", "wrong_architecture", lambda: image(machine="arm64")),
    _mounted("/output that is a link into /proc", "no_start", entry("output", LINK, "/proc")),
    _files(
        "a path twice in a layer",
        "a layer that no engine loads is the image's fault",
        "layer_invalid",
        file(PROGRAM),
    ),
    _mounted("/output that is a link upwards", VALID, entry("output", LINK, "../../../../etc")),
    _files("link that climbs out of the image", _INSIDE, VALID, entry("a/b", LINK, "../../../../etc")),
    _files("disk of the host as a device node", _NODES, VALID, entry("sda", tarfile.BLKTYPE, devmajor=8)),
    _files(
        "memory of the host as a device node",
        _NODES,
        VALID,
        entry("app/dev/mem", tarfile.CHRTYPE, devmajor=1, devminor=1),
    ),
    _mounted("/output that is a link to /etc", VALID, entry("output", LINK, "/etc")),
    _mounted("/output that is a file", "no_start", file("output", b"x")),
    _files(
        "/output that is a file, and accounts that are pipes",
        "what cannot be asked for is not started",
        "no_start",
        file("output"),
        entry("etc/passwd", PIPE),
    ),
    _mounted(
        "/input that is a link to /output", "valid or output_missing:missing", entry("input", LINK, "/output")
    ),
    _mounted("/tmp that is a file", "no_start", file("tmp", b"x")),
    _mounted("/proctor that is a file", "no_start", file("proctor", b"x")),
    _mounted("/tmp with more than its disk holds", "no_start", file("tmp/large", bytes(50 << 20))),
    _mounted("/tmp that is a link in a circle", "no_start", entry("tmp", LINK, "tmp")),
    _mounted("/proctor that is a link to /sys", VALID, entry("proctor", LINK, "/sys")),
    _mounted("/proc that is a link", VALID, entry("proc", LINK, "/etc")),
    _mounted("/sys that is a link", VALID, entry("sys", LINK, "/etc")),
    _mounted("/dev that is a link", VALID, entry("dev", LINK, "/etc")),
    _mounted("/dev that is a file", VALID, file("dev", b"x")),
    _mounted("/proc that is a file", VALID, file("proc", b"x")),
    _mounted("/etc that is a file", VALID, file("etc", b"x")),
    _mounted("/dev/shm that is a link", VALID, entry("dev/shm", LINK, "/output")),
    _mounted("/sbin/docker-init that is a folder", "no_start", entry("sbin/docker-init", FOLDER)),
    _mounted("/sbin/docker-init that is a program", VALID, file("sbin/docker-init", b"#!/bin/false\n")),
    _mounted("/sbin that is a link into /proc", "no_start", entry("sbin", LINK, "/proc")),
    _mounted("/run that is a link into /proc", VALID, entry("run", LINK, "/proc")),
    _mounted("/run/podman-init that is a folder", VALID, entry("run/podman-init", FOLDER)),
]
