"""Of pyproject.toml in the working directory: what the images need of it.

`requirements.py server worker` prints what the project and these extras require, one per line;
`requirements.py --about FOLDER` says in FOLDER which release it is, as an installed package would.
"""

import sys
import tomllib
from pathlib import Path
from typing import Any


def main(words: list[str]) -> None:
    """Does what the words say."""
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    match words:
        case ["--about", folder]:
            about(project, Path(folder))
        case extras:
            require(project, extras)


def require(project: dict[str, Any], extras: list[str]) -> None:
    """There are no self-references to follow."""
    optional = project["optional-dependencies"]
    wanted = {*project["dependencies"], *(one for extra in extras for one in optional[extra])}
    print("\n".join(sorted(wanted)))


def about(project: dict[str, Any], folder: Path) -> None:
    """A name and a version where `importlib.metadata` looks."""
    named = folder / f"{project['name']}-{project['version']}.dist-info"
    named.mkdir()
    lines = ("Metadata-Version: 2.1", f"Name: {project['name']}", f"Version: {project['version']}")
    (named / "METADATA").write_text("".join(f"{line}\n" for line in lines))


main(sys.argv[1:])
