"""Puts the PyTorch template into the wheel for `proctor init`, but nothing that a build or a training left in it."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_LEFT_OUT, _BUILT = {"wheels", "__pycache__", "run", "data"}, {".tar", ".sif"}


class Template(BuildHookInterface):  # type: ignore[type-arg]
    """Adds every file of `baseline_model`."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Of an ordinary build; an editable one reads the checkout."""
        top = Path(self.root).parents[1] / "baseline_model"
        for path in top.rglob("*"):
            inside = path.relative_to(top)
            kept = not _LEFT_OUT & set(inside.parts) and path.suffix not in _BUILT
            if version == "standard" and path.is_file() and kept:
                build_data["force_include"][str(path)] = f"client/packed/baseline_model/{inside.as_posix()}"
