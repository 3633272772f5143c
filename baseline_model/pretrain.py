"""Pretraining without labels: parts of a scan are hidden and the network learns to fill them in."""

import logging
import time
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from baseline_model.network import Trunk

PATCH = 8  # voxels along the side of a hidden cube
HIDDEN = 0.6  # share of the cubes that is hidden

log = logging.getLogger(__name__)


def pretrain(volumes: Sequence[Tensor], *, epochs: int, batch: int, seed: int, device: torch.device) -> Trunk:
    """A trunk trained on normalised volumes [x, y, z] of any sequence; deterministic for a seed and device."""
    torch.manual_seed(seed)
    trunk = Trunk().to(device)
    steps = epochs * max(1, len(volumes) // batch)
    optimiser = torch.optim.AdamW(trunk.parameters(), lr=2e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=2e-3, total_steps=steps + 1)
    source = torch.Generator().manual_seed(seed)
    began, seen = time.monotonic(), 0.0
    for step in range(steps):
        chosen = torch.randint(len(volumes), (batch,), generator=source)
        scans = torch.stack([augment(volumes[int(i)].float(), source) for i in chosen])[:, None].to(device)
        loss = _loss(trunk, scans, source)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(trunk.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        seen = loss.item() if step == 0 else 0.95 * seen + 0.05 * loss.item()
        if step % 50 == 0:
            log.info("pretraining %d/%d loss %.3f %.0f s", step, steps, seen, time.monotonic() - began)
    return trunk.eval().cpu()


def augment(volume: Tensor, source: torch.Generator) -> Tensor:
    """The scan as another scanner might have made it: mirrored, shifted, other contrast, more noise."""
    draw = torch.rand(6, generator=source)
    if draw[0] < 0.5:
        volume = volume.flip(0)
    shift = [int(part * 5) - 2 for part in draw[1:4]]
    volume = torch.roll(volume, shift, dims=(0, 1, 2))
    contrast = 0.85 + 0.3 * float(draw[4])
    changed = torch.where(volume > -3.9, torch.sign(volume) * volume.abs() ** contrast, volume)
    noise = torch.randn(volume.shape, generator=source) * 0.3 * float(draw[5])
    return (changed + noise * (volume > -3.9)).clamp(-4, 8)


def _loss(trunk: Trunk, scans: Tensor, source: torch.Generator) -> Tensor:
    """Mean absolute error on hidden voxels of the head."""
    cubes = [n // PATCH for n in scans.shape[2:]]
    hidden = (torch.rand((len(scans), 1, *cubes), generator=source) < HIDDEN).float().to(scans.device)
    mask = functional.interpolate(hidden, size=scans.shape[2:], mode="nearest")
    guess = trunk(scans * (1 - mask))
    wanted = mask * (scans > -3.9)
    missed: Tensor = ((guess - scans).abs() * wanted).sum() / wanted.sum().clamp(min=1)
    return missed
