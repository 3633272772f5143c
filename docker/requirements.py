"""Prints what the project and its named extras require, one per line: `requirements.py server worker`."""

import sys
import tomllib
from pathlib import Path


def main(extras: list[str]) -> None:
    """Read pyproject.toml in the working directory; it has no self-references to follow."""
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    optional = project["optional-dependencies"]
    wanted = {*project["dependencies"], *(one for extra in extras for one in optional[extra])}
    print("\n".join(sorted(wanted)))


main(sys.argv[1:])
