"""Linear heads fitted in closed form or by Newton's method: what a few dozen labels can carry."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class LinearHead:
    """`(features − mean) / scale · weight + bias`; vectors of one length, `bias` a scalar tensor."""

    mean: Tensor
    scale: Tensor
    weight: Tensor
    bias: Tensor

    def __call__(self, features: Tensor) -> Tensor:
        """One value per row of `features` [n, d]; columns are held to ±4 spreads, against scans unlike any seen."""
        return self._standard(features) @ self.weight + self.bias

    def _standard(self, features: Tensor) -> Tensor:
        return ((features - self.mean) / self.scale).clamp(-4, 4)

    def tensors(self) -> dict[str, Tensor]:
        """The head as a checkpoint stores it."""
        return {"mean": self.mean, "scale": self.scale, "weight": self.weight, "bias": self.bias}


def fit_ridge(features: Tensor, wanted: Tensor, penalty: float) -> LinearHead:
    """Least squares with an L2 penalty per case; `features` [n, d], `wanted` [n]."""
    head = _blank(features)
    rows, middle = head._standard(features).double(), wanted.double().mean()
    gram = rows.T @ rows + penalty * len(rows) * torch.eye(rows.shape[1], dtype=torch.double)
    weight = torch.linalg.solve(gram, rows.T @ (wanted.double() - middle))
    return LinearHead(head.mean, head.scale, weight.float(), middle.float())


def fit_logistic(features: Tensor, wanted: Tensor, penalty: float) -> LinearHead:
    """Logistic regression with an L2 penalty per case; `wanted` [n] of 0 and 1. Gives log odds."""
    head = _blank(features)
    rows = torch.cat([head._standard(features), torch.ones(len(features), 1)], dim=1).double()
    stiff = penalty * len(rows) * torch.eye(rows.shape[1], dtype=torch.double)
    stiff[-1, -1] = 1e-6
    weight = torch.zeros(rows.shape[1], dtype=torch.double)
    for _ in range(30):
        chance = torch.sigmoid(rows @ weight)
        slope = rows.T @ (chance - wanted.double()) + stiff @ weight
        curve = (rows.T * (chance * (1 - chance)).clamp(min=1e-6)) @ rows + stiff
        weight = weight - torch.linalg.solve(curve, slope)
    return LinearHead(head.mean, head.scale, weight[:-1].float(), weight[-1].float())


def _blank(features: Tensor) -> LinearHead:
    none = torch.zeros(features.shape[1])
    return LinearHead(features.mean(dim=0), features.std(dim=0).clamp(min=1e-4), none, torch.zeros(()))
