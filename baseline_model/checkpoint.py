"""The one checkpoint that serves every task: plain tensors, loaded without running anything from the file."""

from dataclasses import astuple, dataclass, fields
from pathlib import Path

import torch
from torch import Tensor, nn

from baseline_model.features import Norms
from baseline_model.heads import LinearHead
from baseline_model.network import SegmentationHead, Trunk

DEFAULT = Path(__file__).with_name("checkpoint.pt")


@dataclass(frozen=True)
class TrainedModel:
    """All that training made."""

    trunk: Trunk
    norms: Norms
    infarct: LinearHead
    age: LinearHead
    folding: LinearHead
    meningioma: SegmentationHead
    nerve: SegmentationHead


def untrained_heads() -> tuple[SegmentationHead, SegmentationHead]:
    """The segmentation heads of tasks 2 (two sequences, one label) and 4 (one sequence, two labels)."""
    return SegmentationHead(2, 2), SegmentationHead(1, 3)


def save(model: TrainedModel, path: Path) -> None:
    """Writes the checkpoint; weights of the networks as 16-bit floats."""
    norms = dict(zip((field.name for field in fields(Norms)), astuple(model.norms), strict=True))
    modules = {"trunk": model.trunk, "meningioma": model.meningioma, "nerve": model.nerve}
    heads = {"infarct": model.infarct, "age": model.age, "folding": model.folding}
    torch.save(
        {
            **{name: _halved(module) for name, module in modules.items()},
            **{name: head.tensors() for name, head in heads.items()},
            "norms": norms,
        },
        path,
    )


def load_model(path: Path = DEFAULT) -> TrainedModel:
    """Reads a checkpoint that `save` wrote.

    Raises:
        FileNotFoundError: there is none.
        RuntimeError: it belongs to another version of the network.
    """
    stored: dict[str, dict[str, Tensor]] = torch.load(path, map_location="cpu", weights_only=True)
    trunk, (meningioma, nerve) = Trunk(), untrained_heads()
    for name, module in (("trunk", trunk), ("meningioma", meningioma), ("nerve", nerve)):
        module.load_state_dict({key: value.float() for key, value in stored[name].items()})
        module.eval()
    infarct, age, folding = (LinearHead(**stored[name]) for name in ("infarct", "age", "folding"))
    return TrainedModel(trunk, Norms(**stored["norms"]), infarct, age, folding, meningioma, nerve)


def _halved(module: nn.Module) -> dict[str, Tensor]:
    return {key: value.detach().half() for key, value in module.state_dict().items()}
