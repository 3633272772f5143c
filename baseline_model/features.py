"""From scans to the numbers that the heads and the linear probe see."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from baseline_model.network import Trunk, describe
from baseline_model.tissue import brain_mask, diffusion_restriction, tissue_maps
from baseline_model.volumes import HEAD, Grid, Scan, head_centre, normalise, onto_grid

SLAB = Grid((96, 96, 48), 1.0)  # task 4: a thin stack at the skull base
SHARES = (0.5, 0.9, 0.99, 0.998, 0.9995)
COMPONENTS = 24  # of the trunk's descriptors
PROBED, LEARNED = 8, 0.25  # how many of them are in task 6's embedding, and at what share of their spread


@dataclass(frozen=True)
class Norms:
    """What unlabelled T1-weighted scans look like: tissue maps and the trunk's descriptors.

    `maps_mean`, `maps_scale` [5, x, y, z]; `mirrored_scale` as they, of left minus right; `middle` [DESCRIPTOR];
    `axes` [DESCRIPTOR, k] scaled so that each component has a spread of 1.
    """

    maps_mean: Tensor
    maps_scale: Tensor
    mirrored_scale: Tensor
    middle: Tensor
    axes: Tensor

    @classmethod
    def of(cls, maps: Tensor, descriptors: Tensor) -> "Norms":
        """Norms of n scans: `maps` [n, 5, x, y, z], `descriptors` [n, DESCRIPTOR]."""
        middle = descriptors.mean(dim=0)
        _, spread, axes = torch.linalg.svd(descriptors - middle, full_matrices=False)
        kept = min(COMPONENTS, len(descriptors) - 1)
        scaled = axes[:kept].T / (spread[:kept] / len(descriptors) ** 0.5).clamp(min=1e-4)
        return cls(maps.mean(dim=0), _spread(maps), _spread(maps - maps.flip(2)), middle, scaled)


def _spread(maps: Tensor) -> Tensor:
    """Spread per place, never much below the typical one: few scans tell little about each place alone."""
    spread = maps.std(dim=0)
    typical = spread.flatten(1).mean(dim=1)[:, None, None, None]
    return torch.sqrt(spread**2 + (0.5 * typical) ** 2)


@dataclass(frozen=True)
class T1Features:
    """A T1-weighted scan before it is compared with others."""

    maps: Tensor
    descriptor: Tensor


@torch.no_grad()
def anatomy(trunk: Trunk, scan: Scan) -> T1Features:
    """Tissue maps and the trunk's descriptor of a T1-weighted scan."""
    volume = onto_grid(scan, HEAD, head_centre(scan)).clamp(min=0)
    return T1Features(tissue_maps(volume), describe(trunk.encode(normalise(volume)[None, None]))[0])


def oddities(seen: T1Features, norms: Norms) -> Tensor:
    """How unusual the most unusual places are, per map: against other scans and against the other side."""
    inside = norms.maps_mean.sum(dim=0).flatten() > 0.3
    against = ((seen.maps - norms.maps_mean) / norms.maps_scale).clamp(-6, 6).flatten(1)[:, inside]
    mirrored = ((seen.maps - seen.maps.flip(1)) / norms.mirrored_scale).clamp(-6, 6).flatten(1)[:, inside]
    parts = [_share(against, q) - against.median(dim=1).values for q in (0.9, 0.97, 0.995)]
    parts += [_share(-against, q) + against.median(dim=1).values for q in (0.97, 0.995)]
    return torch.cat([*parts, _share(mirrored, 0.97), _share(mirrored, 0.995)])


def tissue_signs(seen: T1Features, norms: Norms) -> Tensor:
    """Tissue by region, compared with the norm: measured without training."""
    against = ((seen.maps - norms.maps_mean) / norms.maps_scale).clamp(-6, 6)[[0, 3, 4]]
    regions = functional.adaptive_avg_pool3d(against, (2, 4, 3))
    sides = (regions + regions.flip(1))[:, :1].flatten() / 2
    return torch.cat([against.flatten(1).mean(dim=1), sides])


def components(seen: T1Features, norms: Norms) -> Tensor:
    """The trunk's main components, in spreads of unlabelled scans: what pretraining learned of the scan as a whole."""
    return ((seen.descriptor - norms.middle) @ norms.axes).clamp(-4, 4)


def parts_of(task: str, trunk: Trunk, norms: Norms, scans: Mapping[str, Scan]) -> dict[str, Tensor]:
    """What the head of a task may see, in the order in which it does: `tissue` measured by hand, `trunk` learned.

    For task 6 the parts together are the embedding.
    """
    if task == "task1":
        return {"tissue": infarct_signs(scans), "trunk": diffusion_descriptor(trunk, scans)}
    return head_parts(task, anatomy(trunk, scans["t1w"]), norms)


def head_parts(task: str, seen: T1Features, norms: Norms) -> dict[str, Tensor]:
    """`parts_of` for tasks 3, 5 and 6.

    Task 5 also gets its odd places, which tissue alone shows. A probe takes task 6's embedding as it is, and the
    trunk's components are noisier than the measured tissue: a few are in it, at a part of their spread.
    """
    tissue, learned = tissue_signs(seen, norms), components(seen, norms)
    if task == "task6":
        learned = LEARNED * learned[:PROBED]
    if task == "task5":
        tissue = torch.cat([oddities(seen, norms), tissue])
    return {"tissue": tissue, "trunk": learned}


@torch.no_grad()
def diffusion_descriptor(trunk: Trunk, scans: Mapping[str, Scan]) -> Tensor:
    """What the trunk says of the diffusion-weighted scan."""
    volume = onto_grid(scans["dwi"], HEAD, head_centre(scans["flair"]))
    return describe(trunk.encode(normalise(volume)[None, None]))[0]


@torch.no_grad()
def infarct_signs(scans: Mapping[str, Scan]) -> Tensor:
    """Task 1: how much tissue restricts diffusion, and how bright the diffusion-weighted scan gets."""
    centre = head_centre(scans["flair"])
    flair, dwi, adc = (onto_grid(scans[key], HEAD, centre).clamp(min=0) for key in ("flair", "dwi", "adc"))
    mask = brain_mask(flair, erosion=3)
    if int(mask.sum()) < 1000:
        return torch.zeros(2 * len(SHARES) + 1)
    bright = normalise(dwi)
    restricted = diffusion_restriction(bright, adc, mask)
    shares = [_share(restricted[None], q) for q in SHARES] + [_share(bright[mask][None], q) for q in SHARES]
    return torch.cat([*shares, restricted.mean()[None]]).clamp(min=0).log1p()


def _share(values: Tensor, share: float) -> Tensor:
    """The value that `share` of each row of `values` [n, d] does not exceed: [n]."""
    return values.kthvalue(max(1, round(share * values.shape[1])), dim=1).values


def segmentation_volumes(
    scans: Mapping[str, Scan], keys: tuple[str, ...], grid: Grid
) -> tuple[list[Tensor], NDArray[np.float64]]:
    """Normalised volumes of the sequences `keys` on `grid`, and the point in mm that the grid is around."""
    first = scans[keys[0]]
    centre = head_centre(first) if grid is HEAD else middle_of(first)
    return [normalise(onto_grid(scans[key], grid, centre)) for key in keys], centre


def middle_of(scan: Scan) -> NDArray[np.float64]:
    """The middle of the scan's box, in mm."""
    half = (np.array(scan.data.shape) - 1) / 2
    return np.asarray(scan.affine[:3, :3] @ half + scan.affine[:3, 3])
