"""What Podman holds, or not, that Docker has no question about."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from sandbox.engine import Engine
from sandbox.findings import BoundFinding
from sandbox.gpu import gpus

_ROOT = Path("/")
_MOUNTS = ("etc/containers/mounts.conf", "usr/share/containers/mounts.conf")
_DEVICES = ("etc/cdi", "var/run/cdi")
_BOTH_GROUPS = "sys/fs/cgroup/unified/cgroup.controllers"


def findings(engine: Engine, info: dict[str, Any]) -> list[BoundFinding]:
    """What is known of this Podman and of this host; nothing of another engine."""
    if engine.raw.kind != "podman":
        return []
    found = [_user(info), runtime(info, _ROOT), secrets(_ROOT)]
    cards = [card.uuid for card in gpus()]
    return [*found, devices(cards, _ROOT)] if cards else found


def _user(info: dict[str, Any]) -> BoundFinding:
    if not any("rootless" in option for option in info.get("SecurityOptions") or ()):
        return BoundFinding("Podman's user", "ok", "It runs as root, as it was tried.")
    message = "It runs without root, where neither disks nor control groups were tried: bounds may not hold."
    remedy = "Take root's: systemctl enable --now podman.socket, and run the worker as root."
    return BoundFinding("Podman's user", "problem", message, remedy)


def runtime(info: dict[str, Any], root: Path) -> BoundFinding:
    """What it starts every container with, for no call can choose; crun starts none where groups are of both kinds."""
    name = str(info.get("DefaultRuntime"))
    both = root / _BOTH_GROUPS
    if name == "crun" and both.is_file() and both.read_text().strip():
        message = "crun starts nothing on this host, which divides its control groups between both versions."
        remedy = 'Install runc and set runtime = "runc" under [engine] in /etc/containers/containers.conf.'
        return BoundFinding("Podman's runtime", "problem", message, remedy)
    return BoundFinding("Podman's runtime", "ok", f"Every container runs under {name}.")


def secrets(root: Path) -> BoundFinding:
    """Whether Podman would give every container files of the host."""
    read = next((name for name in _MOUNTS if (root / name).is_file()), None)  # the first that there is
    if read is None or not _says(root / read):
        return BoundFinding("Podman's own mounts", "ok", "Containers are given no files of the host.")
    message = f"Every container is given the files of the host that /{read} names."
    remedy = "Make /etc/containers/mounts.conf an empty file."
    return BoundFinding("Podman's own mounts", "problem", message, remedy)


def _says(file: Path) -> bool:
    """Whether it names anything."""
    lines = file.read_text(errors="replace").splitlines()
    return any(line.strip() and not line.lstrip().startswith("#") for line in lines)


def devices(uuids: Collection[str], root: Path) -> BoundFinding:
    """Whether the GPUs have names by which Podman can give one of them to a container."""
    texts = [
        file.read_text(errors="replace")
        for folder in _DEVICES
        for file in sorted((root / folder).glob("*.*"))
        if file.is_file()
    ]
    nameless = [uuid for uuid in uuids if not any(uuid in text for text in texts)]
    if not nameless:
        return BoundFinding("Podman's GPUs", "ok", "Each has a name of the Container Device Interface.")
    message = f"No name of the Container Device Interface is known for {', '.join(nameless)}."
    remedy = "nvidia-ctk cdi generate --device-name-strategy=uuid --output=/etc/cdi/nvidia.yaml"
    return BoundFinding("Podman's GPUs", "problem", message, remedy)
