"""The one checkpoint that serves every task: plain tensors, loaded without running anything from the file."""

from dataclasses import astuple, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from baseline_model.faults import written_whole
from baseline_model.features import Norms
from baseline_model.heads import LinearHead
from baseline_model.network import MaskNetwork, Trunk

DEFAULT = Path(__file__).with_name("checkpoint.pt")


@dataclass(frozen=True)
class TrainedModel:
    """All that training made. The networks of masks began with `trunk` and have been trained on.

    `notes` says in a line per task how its linear head was chosen and what to expect of it.
    left_out: the tasks that nothing was trained for; what stands in its place answers nothing.
    """

    trunk: Trunk
    norms: Norms
    infarct: LinearHead
    age: LinearHead
    folding: LinearHead
    meningioma: MaskNetwork
    nerve: MaskNetwork
    notes: dict[str, str] = field(default_factory=dict)
    left_out: frozenset[str] = frozenset()


def untrained_masks() -> tuple[MaskNetwork, MaskNetwork]:
    """The networks of tasks 2 (two sequences, one label) and 4 (one sequence, two labels)."""
    return MaskNetwork(Trunk(), 2, 2), MaskNetwork(Trunk(), 1, 3)


def save(model: TrainedModel, path: Path) -> None:
    """Writes the checkpoint, whole or not at all; weights of the networks as 16-bit floats.

    Raises:
        TrainingError: the file cannot be written.
    """
    norms = dict(zip((one.name for one in fields(Norms)), astuple(model.norms), strict=True))
    modules = {"trunk": model.trunk, "meningioma": model.meningioma, "nerve": model.nerve}
    heads = {"infarct": model.infarct, "age": model.age, "folding": model.folding}
    stored = {
        **{name: _halved(module) for name, module in modules.items()},
        **{name: head.tensors() for name, head in heads.items()},
        "norms": norms,
        "notes": dict(model.notes),
        "left_out": sorted(model.left_out),
    }
    written_whole(path, lambda part: torch.save(stored, part))


def load_model(path: Path = DEFAULT) -> TrainedModel:
    """Reads a checkpoint that `save` wrote.

    Raises:
        FileNotFoundError: there is none.
        RuntimeError: it is damaged, or belongs to another model or another version of this one.
    """
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise
    except Exception as error:  # noqa: BLE001 - a damaged file raises nearly anything, and each means this
        reason = str(error).partition("\n")[0]
        raise RuntimeError(f"it is damaged, or not of tensors alone: {reason}") from None
    try:
        return _assembled(stored)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError):
        raise RuntimeError("it belongs to another model, or to another version of this one") from None


def _assembled(stored: dict[str, Any]) -> TrainedModel:
    trunk, (meningioma, nerve) = Trunk(), untrained_masks()
    for name, module in (("trunk", trunk), ("meningioma", meningioma), ("nerve", nerve)):
        module.load_state_dict({key: value.float() for key, value in stored[name].items()})
        module.eval()
    infarct, age, folding = (LinearHead(**stored[name]) for name in ("infarct", "age", "folding"))
    notes = {str(task): str(note) for task, note in stored["notes"].items()}
    left_out = frozenset(str(task) for task in stored.get("left_out", ()))
    norms = read_norms(stored["norms"])
    return TrainedModel(trunk, norms, infarct, age, folding, meningioma, nerve, notes, left_out)


def read_norms(stored: dict[str, Tensor]) -> Norms:
    """The norms of these tensors.

    Raises:
        TypeError, ValueError, AttributeError: they are other ones, as in a foreign checkpoint.
    """
    norms = Norms(**stored)
    if not norms.maps_mean.shape == norms.maps_scale.shape == norms.mirrored_scale.shape:
        raise ValueError("the norms of maps have one shape")
    if norms.maps_mean.ndim != 4 or norms.axes.ndim != 2 or norms.middle.shape != norms.axes.shape[:1]:
        raise ValueError("the norms are of maps [5, x, y, z] and of one descriptor")
    return norms


def _halved(module: nn.Module) -> dict[str, Tensor]:
    return {key: value.detach().half() for key, value in module.state_dict().items()}
