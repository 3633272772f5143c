"""What is kept of each container of Apptainer: a folder with what it is, and those that take what it writes."""

import json
import secrets
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sandbox.engines._apptainer_command import ContainerPlaces
from sandbox.engines._apptainer_images import remove
from sandbox.engines._apptainer_process import began
from sandbox.engines._errors import EngineRefused
from sandbox.options import OUTPUT

_STATE = "container.json"


class ContainerFolders:
    """The containers below `top`, of every process of this user."""

    def __init__(self, top: Path) -> None:
        self.top = top

    def make(self, name: str, told: dict[str, Any]) -> None:
        """Make the folders of a container; refused as a conflict where there is one of this name."""
        try:
            (self.top / name).mkdir(mode=0o700)
        except FileExistsError as error:
            raise EngineRefused(409, f"there is a container {name}") from error
        places = self.places(name, told)
        for path in (places.upper, places.output, places.work):
            path.mkdir()
        self.tell(name, told)

    def names(self) -> list[str]:
        """The names of all containers, sorted."""
        return sorted(file.parent.name for file in self.top.glob(f"*/{_STATE}"))

    def places(self, name: str, told: Mapping[str, Any]) -> ContainerPlaces:
        """Where a container is, which `told` says what it is."""
        top = self.top / name
        return ContainerPlaces(Path(told["files"]), top / "upper", top / OUTPUT[1:], top / "work")

    def told(self, name: str) -> dict[str, Any]:
        """What is known of a container; refused as missing where there is none."""
        try:
            return dict(json.loads((self.top / name / _STATE).read_text()))
        except OSError as error:
            raise EngineRefused(404, f"no such container: {name}") from error

    def tell(self, name: str, told: Mapping[str, Any]) -> None:
        """Keep what is known of a container; whoever reads it meanwhile has the old or the new whole."""
        target = self.top / name / _STATE
        new = target.with_name(secrets.token_hex(8))
        new.write_text(json.dumps(told))
        new.replace(target)

    def remove(self, name: str) -> None:
        """Remove its folders."""
        remove(self.top / name)


def alive(told: Mapping[str, Any]) -> bool:
    """Whether the first process of a container is there."""
    return "pid" in told and began(int(told["pid"])) == told["began"]


def size(top: Path) -> int:
    """Bytes of disk below a folder, where files may vanish meanwhile."""
    # du reaches what stands behind a path that is longer than the kernel takes.
    told = subprocess.run(
        ["du", "--summarize", "--block-size=1", "--one-file-system", "--", str(top)],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    first = told.partition("\t")[0]
    return int(first) if first.isdecimal() else 0
