"""The linear heads as the image uses them; `selection.py` chooses and fits them at training time."""

from dataclasses import dataclass

import torch
from torch import Tensor

CLAMP = 4.0  # spreads
PRECISIONS = (torch.float32, torch.float64)


@dataclass(frozen=True)
class LinearHead:
    """`(features − mean) / scale · weight + bias`; vectors of one length, `bias` a scalar tensor."""

    mean: Tensor
    scale: Tensor
    weight: Tensor
    bias: Tensor

    def __post_init__(self) -> None:
        """Raises ValueError where these are no vectors of one length with a scalar, as in a foreign checkpoint."""
        parts = (self.mean, self.scale, self.weight, self.bias)
        if not all(isinstance(part, Tensor) for part in parts) or self.mean.dtype not in PRECISIONS:
            raise ValueError("a linear head is made of tensors of 32-bit or 64-bit floats")
        if any(part.dtype != self.mean.dtype for part in parts):
            raise ValueError("the tensors of a linear head have one precision")
        if not all(bool(part.isfinite().all()) for part in parts) or not bool((self.scale > 0).all()):
            raise ValueError("the values of a linear head are finite, and its scales above 0")
        if (
            self.mean.ndim != 1
            or not self.mean.shape == self.scale.shape == self.weight.shape
            or self.bias.ndim
        ):
            raise ValueError("the vectors of a linear head have one length, and its bias is one number")

    def __call__(self, features: Tensor) -> Tensor:
        """One value per row of `features` [n, d]; columns are held to ±CLAMP spreads, against scans unlike any seen."""
        standard = ((features - self.mean) / self.scale).clamp(-CLAMP, CLAMP)
        return standard @ self.weight + self.bias

    @classmethod
    def empty(cls) -> "LinearHead":
        """Stands for the head of a task that was not trained."""
        none = torch.zeros(0)
        return cls(none, none, none, torch.tensor(0.0))

    def tensors(self) -> dict[str, Tensor]:
        """The head as a checkpoint stores it."""
        return {"mean": self.mean, "scale": self.scale, "weight": self.weight, "bias": self.bias}
