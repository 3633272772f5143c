"""The network: a small residual 3-D U-Net over one sequence, pretrained without labels."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTHS = (24, 48, 96)  # at 1/2, 1/4 and 1/8 of the grid
DETAIL = WIDTHS[0]  # channels of the decoder's features
DESCRIPTOR = 2 * sum(WIDTHS) + 12 * WIDTHS[-1]  # width of `describe`


class Trunk(nn.Module):
    """Encoder and decoder shared by every task.

    Input [n, 1, x, y, z], normalised intensities on the common grid; sides are multiples of 8. Cubes of 2 voxels
    enter as 8 channels, which keeps a forward pass at a fraction of a second on one processor core.
    """

    def __init__(self) -> None:
        super().__init__()
        small, middle, large = WIDTHS
        self.down = nn.ModuleList(
            (ResidualBlock(8, small, 1), ResidualBlock(small, middle, 2), ResidualBlock(middle, large, 2))
        )
        self.up = nn.ModuleList(
            (ResidualBlock(large + middle, middle, 1), ResidualBlock(middle + small, small, 1))
        )
        self.reconstruct = nn.Conv3d(DETAIL, 8, 1)
        self.unseen = nn.Parameter(torch.zeros(()))  # what stands in place of a hidden voxel

    def encode(self, volume: Tensor) -> list[Tensor]:
        """Feature maps at a half, a quarter and an eighth of the grid."""
        maps: list[Tensor] = []
        deep = fold(volume)
        for block in self.down:
            deep = cast("Tensor", block(deep))
            maps.append(deep)
        return maps

    def decode(self, maps: list[Tensor]) -> Tensor:
        """Features [n, DETAIL, …] at half the grid, with what the whole volume says about each place."""
        deep = maps[-1]
        for block, shallow in zip(self.up, maps[-2::-1], strict=True):
            larger = functional.interpolate(deep, size=shallow.shape[2:], mode="nearest")
            deep = cast("Tensor", block(torch.cat([larger, shallow], dim=1)))
        return deep

    def forward(self, volume: Tensor, hidden: Tensor) -> Tensor:
        """The volume as the network believes it to be where `hidden` is 1, [n, 1, x, y, z] each: pretraining."""
        shown = torch.where(hidden > 0, self.unseen, volume)
        return unfold(cast("Tensor", self.reconstruct(self.decode(self.encode(shown)))))


def fold(volume: Tensor) -> Tensor:
    """[n, 1, 2x, 2y, 2z] → [n, 8, x, y, z]: every cube of 2 voxels becomes channels."""
    n, _, x, y, z = volume.shape
    cubes = volume.reshape(n, x // 2, 2, y // 2, 2, z // 2, 2)
    return cubes.permute(0, 2, 4, 6, 1, 3, 5).reshape(n, 8, x // 2, y // 2, z // 2)


def unfold(channels: Tensor) -> Tensor:
    """[n, 8, x, y, z] → [n, 1, 2x, 2y, 2z]: the inverse of `fold`."""
    n, _, x, y, z = channels.shape
    cubes = channels.reshape(n, 2, 2, 2, x, y, z).permute(0, 4, 1, 5, 2, 6, 3)
    return cubes.reshape(n, 1, 2 * x, 2 * y, 2 * z)


def describe(maps: list[Tensor]) -> Tensor:
    """One vector per volume, [n, DESCRIPTOR]: mean and spread of every map, and the deepest map by region."""
    parts: list[Tensor] = []
    for level in maps:
        flat = level.flatten(2)
        parts += [flat.mean(dim=2), flat.std(dim=2)]
    parts.append(functional.adaptive_avg_pool3d(maps[-1], (2, 3, 2)).flatten(1))
    return torch.cat(parts, dim=1)


class ResidualBlock(nn.Module):
    """Two convolutions that add to what came in, [n, inputs, x, y, z]; `stride` of the first."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.change = nn.Sequential(
            nn.Conv3d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
            nn.GroupNorm(8, outputs),
            nn.ReLU(inplace=True),
            nn.Conv3d(outputs, outputs, 3, padding=1, bias=False),
            nn.GroupNorm(8, outputs),
        )
        self.kept = nn.Conv3d(inputs, outputs, 1, stride=stride, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        """[n, outputs, …], at 1/stride of the size."""
        return functional.relu(cast("Tensor", self.change(maps)) + cast("Tensor", self.kept(maps)))


class SegmentationHead(nn.Module):
    """Labels per voxel from a trunk's features and the scans themselves."""

    def __init__(self, sequences: int, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.layers = nn.Sequential(
            nn.Conv3d(sequences * (DETAIL + 16), 24, 3, padding=1),
            nn.GroupNorm(8, 24),
            nn.ReLU(inplace=True),
            nn.Conv3d(24, 24, 3, padding=1),
            nn.GroupNorm(8, 24),
            nn.ReLU(inplace=True),
            nn.Conv3d(24, 8 * classes, 1),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Logits [n, classes, 2x, 2y, 2z] from the features and folded voxels of every sequence, [n, …, x, y, z]."""
        out = cast("Tensor", self.layers(features))
        return torch.cat([unfold(part) for part in out.chunk(self.classes, dim=1)], dim=1)


class MaskNetwork(nn.Module):
    """A trunk of its own with a head that labels voxels; both are trained on the labelled cases."""

    def __init__(self, trunk: Trunk, sequences: int, classes: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.head = SegmentationHead(sequences, classes)

    def forward(self, seen: Tensor) -> Tensor:
        """Logits [n, classes, x, y, z] of windows of `with_other_side`, [n, 2 · sequences, x, y, z].

        Sides are multiples of 8.
        """
        n, _, *shape = seen.shape
        one, other = (half.reshape(-1, 1, *shape) for half in seen.chunk(2, dim=1))
        parts = torch.cat([self.trunk.decode(self.trunk.encode(one)), fold(one), fold(other)], dim=1)
        return cast("Tensor", self.head(parts.reshape(n, -1, *parts.shape[2:])))


def with_other_side(volumes: Tensor) -> Tensor:
    """Volumes [sequences, x, y, z] and how each voxel differs from the opposite side: [2 · sequences, x, y, z]."""
    return torch.cat([volumes, volumes - volumes.flip(1)])
