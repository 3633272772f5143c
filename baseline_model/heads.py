"""The linear heads as the image uses them; `selection.py` chooses and fits them at training time."""

from dataclasses import dataclass

from torch import Tensor

CLAMP = 4.0  # spreads


@dataclass(frozen=True)
class LinearHead:
    """`(features − mean) / scale · weight + bias`; vectors of one length, `bias` a scalar tensor."""

    mean: Tensor
    scale: Tensor
    weight: Tensor
    bias: Tensor

    def __call__(self, features: Tensor) -> Tensor:
        """One value per row of `features` [n, d]; columns are held to ±CLAMP spreads, against scans unlike any seen."""
        standard = ((features - self.mean) / self.scale).clamp(-CLAMP, CLAMP)
        return standard @ self.weight + self.bias

    def tensors(self) -> dict[str, Tensor]:
        """The head as a checkpoint stores it."""
        return {"mean": self.mean, "scale": self.scale, "weight": self.weight, "bias": self.bias}
