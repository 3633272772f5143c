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

    def __post_init__(self) -> None:
        """Raises ValueError where these are no vectors of one length with a scalar, as in a foreign checkpoint."""
        parts = (self.mean, self.scale, self.weight, self.bias)
        if not all(isinstance(part, Tensor) and part.is_floating_point() for part in parts):
            raise ValueError("a linear head is made of tensors")
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

    def tensors(self) -> dict[str, Tensor]:
        """The head as a checkpoint stores it."""
        return {"mean": self.mean, "scale": self.scale, "weight": self.weight, "bias": self.bias}
