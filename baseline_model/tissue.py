"""Where the brain is, and which tissue fills it: robust measures that need no training."""

import torch
from torch import Tensor

from baseline_model.volumes import box_mean


def brain_mask(volume: Tensor, erosion: int = 4) -> Tensor:
    """The inside of the head, `erosion` voxels below the skin; bool [x, y, z] from raw intensities ≥ 0."""
    bright = volume[volume > volume.mean()]
    head = volume > (0.3 * bright.mean() if bright.numel() else 0)
    filled = _between(head, 0) & _between(head, 1)
    for axis in (0, 1, 2) * erosion:
        last, inner = filled.shape[axis] - 1, filled.clone()
        inner.narrow(axis, 1, last).logical_and_(filled.narrow(axis, 0, last))
        inner.narrow(axis, 0, last).logical_and_(filled.narrow(axis, 1, last))
        filled = inner
    return filled


def _between(head: Tensor, axis: int) -> Tensor:
    """Voxels with a part of the head on both sides along `axis`: bone and air cells are dark but inside."""
    before = head.float().cumsum(axis) > 0
    after = head.float().flip(axis).cumsum(axis).flip(axis) > 0
    return before & after


def t1_tissue(volume: Tensor) -> tuple[Tensor, Tensor]:
    """A T1-weighted volume as tissue: 0 fluid, 1 grey, 2 white, values between where a voxel holds both.

    Returns the tissue and the brain's mask, both float [x, y, z]; tissue is 0 outside the brain.
    """
    mask = brain_mask(volume)
    if int(mask.sum()) < 1000:
        return torch.zeros_like(volume), torch.zeros_like(volume)
    weight, middle = mask.float(), float(volume[mask].median())
    field = box_mean(volume.clamp(max=1.5 * middle) * weight, 9, 3) / box_mean(weight, 9, 3).clamp(min=0.05)
    flat = volume / field.clamp(min=max(0.25 * middle, 1e-6))
    fluid, grey, white = _three_means(flat[mask])
    below = (flat - fluid) / (grey - fluid).clamp(min=1e-3)
    above = 1 + (flat - grey) / (white - grey).clamp(min=1e-3)
    tissue = torch.where(flat < grey, below, above).clamp(-0.5, 2.5)
    return tissue * weight, weight


def _three_means(values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Centres of the three clusters of `values`, ascending."""
    ordered = values.sort().values
    centres = torch.stack([ordered[int(share * (len(ordered) - 1))] for share in (0.05, 0.4, 0.8)])
    for _ in range(12):
        cluster = torch.bucketize(values, (centres[1:] + centres[:-1]) / 2)
        means = [values[cluster == k].mean() if bool((cluster == k).any()) else centres[k] for k in range(3)]
        centres = torch.stack(means)
    return centres[0], centres[1], centres[2]


def tissue_maps(volume: Tensor) -> Tensor:
    """How much grey, white and fluid there is around each place: [5, 14, 18, 14] on the head grid.

    Grey matter over three sizes of neighbourhood (about 20, 30 and 40 mm), white and fluid over the smallest.
    """
    tissue, weight = t1_tissue(volume)
    grey = torch.exp(-(((tissue - 1) / 0.3) ** 2)) * weight
    white, fluid = (tissue - 1).clamp(0, 1) * weight, (1 - tissue).clamp(0, 1) * weight
    around = {width: box_mean(weight, width).clamp(min=0.2) for width in (5, 9, 13)}
    maps: list[Tensor] = []
    for part, width in ((grey, 5), (grey, 9), (grey, 13), (white, 5), (fluid, 5)):
        maps.append((box_mean(part, width) / around[width])[1::4, 1::4, 1::4])
    return torch.stack(maps)


def diffusion_restriction(dwi: Tensor, adc: Tensor, mask: Tensor) -> Tensor:
    """Bright diffusion together with a low coefficient, at every brain voxel: a vector, 0 where nothing speaks for it.

    `dwi` is normalised, `adc` in any unit; [x, y, z] each.
    """
    typical = adc[mask & (adc > 0)]
    ratio = adc / (typical.median() if typical.numel() else 1)
    bright, low = box_mean(dwi, 3, 1), box_mean(1 - ratio.clamp(0, 3), 3, 1)
    return (bright.clamp(min=0) * low.clamp(min=0))[mask]
