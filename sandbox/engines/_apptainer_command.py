"""The command line and the environment by which Apptainer runs a container, each option with its reason."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.engines._errors import EngineRefused
from sandbox.options import INPUT, OUTPUT, WORK

_OPTIONS = (
    "--userns",  # no setuid program of the host takes part, even where one is installed
    "--containall",  # processes, IPC, /dev, environment and home of its own
    "--cleanenv",  # no variable of the host
    "--no-eval",  # values are values, never code for the shell that sets them
    "--no-umask",  # the image's programs see the usual 0022, not the caller's
    "--no-privs",  # no capability, and none to be gained
    "--no-mount=tmp,cwd,hostfs,bind-paths",  # /tmp is the image's own; what apptainer.conf binds stays out
    "--net",  # a network of its own,
    "--network=none",  # in which there is nothing but loopback
    "--hostname=proctor",  # not the host's
    "--dns=127.0.0.1",  # else the host's resolver addresses show in /etc/resolv.conf
)
_LIMITS = {
    "core": "core",
    "nofile": "nofile",
    "fsize": "fsize",
    "sigpending": "sigpending",
    "msgqueue": "msgqueue",
}
_HOSTS = ("PATH", "LANG", "TMPDIR", "XDG_RUNTIME_DIR")
_OTHER_MARKS = frozenset(":,\n")


@dataclass(frozen=True)
class ContainerPlaces:
    """Where a container is on the host: the image's files, and the folders that take what it writes."""

    image: Path
    upper: Path
    output: Path
    work: Path


def build_command(program: str, target: Path, archive: Path) -> list[str]:
    """The command that makes the folder `target` of an archive as `docker save` writes it.

    A folder and no SIF: it needs no FUSE to be mounted, and can be looked into before anything runs.
    """
    kind = (
        "--sandbox",
        "--fix-perms",
        "--disable-cache",
    )  # what the image forbids its owner is still removed
    return [program, "--quiet", "build", *kind, str(target), f"docker-archive:{archive}"]


def run_command(
    program: str, config: Mapping[str, Any], places: ContainerPlaces, argv: list[str]
) -> list[str]:
    """The command that runs `argv` in a container with the options `config`, which `refusal` has nothing against."""
    host = config["HostConfig"]
    limits = [f"--{_LIMITS[one['Name']]}={one['Soft']}:{one['Hard']}" for one in host["Ulimits"]]
    inputs = next(mount["Source"] for mount in host["Mounts"] if mount["Target"] == INPUT)
    folders = (inputs, places.image, places.upper, places.output, places.work)
    if any(_OTHER_MARKS & set(str(folder)) for folder in folders):
        raise EngineRefused(503, "Apptainer takes no folder whose path has a colon or a comma")
    gpu = ["--nv"] if host["DeviceRequests"] else []  # the driver's libraries and devices
    return [
        *("prlimit", *limits, program, "--silent", "exec", *_OPTIONS, *gpu),
        f"--overlay={places.upper}",  # the root can be written to, and the image stays as it is
        f"--home={places.work}:{WORK}",
        f"--bind={places.output}:{OUTPUT}",
        f"--bind={inputs}:{INPUT}:ro",
        f"--pwd={config['WorkingDir']}",
        str(places.image),
        *argv,
    ]


def environment(config: Mapping[str, Any]) -> dict[str, str]:
    """The variables of Apptainer's own process, which hands on those behind its prefix and nothing else.

    Its settings are variables too, so that none of the caller's is kept.
    """
    ours = {name: os.environ[name] for name in _HOSTS if name in os.environ}
    inside = dict(variable.partition("=")[::2] for variable in config["Env"])
    uuids = [uuid for request in config["HostConfig"]["DeviceRequests"] for uuid in request["DeviceIDs"]]
    inside["CUDA_VISIBLE_DEVICES"] = ",".join(uuids)  # --nv shows every device that the job may open
    return ours | {f"APPTAINERENV_{name}": value for name, value in inside.items()}


def refusal(config: Mapping[str, Any]) -> str | None:
    """What of these options Apptainer cannot hold; None where it can."""
    host = config["HostConfig"]
    if host["Runtime"] != "runc":
        return f"Apptainer starts containers itself, and {host['Runtime']} was asked for"
    if config["OpenStdin"]:
        return "one container for many cases is not run on Apptainer"
    if host["ReadonlyRootfs"] or "User" in config:
        return "the profile strict is not held on Apptainer, which runs everything as its caller"
    if any(mount["Type"] != "bind" or mount["Target"] != INPUT for mount in host["Mounts"]):
        return "disks are not mounted by Apptainer"
    unknown = sorted({one["Name"] for one in host["Ulimits"]} - set(_LIMITS))
    return f"limits that are not known for Apptainer: {', '.join(unknown)}" if unknown else None
