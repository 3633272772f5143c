"""What the stage finetune leaves in `heads.pt`: linear heads, norms, and for which tasks and on which trunk it ran."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from baseline_model.checkpoint import read_norms
from baseline_model.faults import TrainingError, written_whole
from baseline_model.features import Norms
from baseline_model.heads import LinearHead
from baseline_model.network import Trunk

LABELLED = range(1, 6)
NAMES = {1: "infarct", 3: "age", 5: "folding"}
"""The tasks whose answer is a number, and what the checkpoint calls their heads."""


@dataclass(frozen=True)
class FittedHeads:
    """Linear heads by task, with a note on each.

    tasks: those that were trained, with masks or numbers. trunk: its digest. kept: it is the committed checkpoint's,
    which keeps its heads of the other tasks.
    """

    norms: Norms
    heads: dict[int, LinearHead]
    notes: dict[str, str]
    tasks: frozenset[int]
    trunk: str
    kept: bool

    def write(self, path: Path) -> None:
        """Keeps them, whole or not at all.

        Raises:
            TrainingError: the file cannot be written.
        """
        stored = {
            "norms": dict(vars(self.norms)),
            "notes": self.notes,
            "tasks": sorted(self.tasks),
            "trunk": self.trunk,
            "kept": self.kept,
            **{NAMES[task]: head.tensors() for task, head in self.heads.items()},
        }
        written_whole(path, lambda part: torch.save(stored, part))

    @classmethod
    def read(cls, path: Path) -> "FittedHeads":
        """What `write` left.

        Raises:
            TrainingError: there is nothing, or it is damaged or of another network.
        """
        if not path.exists():
            raise TrainingError(f"{path}: the heads have not been fitted; run the stage finetune first")
        try:
            stored: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # noqa: BLE001 - a damaged file raises nearly anything, and each means this
            reason = str(error).partition("\n")[0]
            raise TrainingError(f"{path}: cannot be read ({reason})") from None
        try:
            tasks = frozenset(stored["tasks"])
            if not tasks or not tasks <= frozenset(LABELLED):
                raise ValueError("these are no tasks with labels")
            heads = {task: LinearHead(**stored[name]) for task, name in NAMES.items() if task in tasks}
            norms, notes = read_norms(stored["norms"]), dict(stored["notes"])
            return cls(norms, heads, notes, tasks, str(stored["trunk"]), bool(stored["kept"]))
        except (LookupError, TypeError, ValueError, AttributeError):
            raise TrainingError(
                f"{path}: holds no heads of this network; run the stage finetune again"
            ) from None


def digest_of(trunk: Trunk) -> str:
    """The sha256 of the trunk's weights: heads serve the trunk alone that they were fitted on."""
    digest = hashlib.sha256()
    for tensor in trunk.state_dict().values():
        digest.update(tensor.cpu().numpy().tobytes())
    return digest.hexdigest()
