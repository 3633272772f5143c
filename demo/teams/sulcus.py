"""Team Sulcus: measures fluid by region; its lesion tasks are Cortex's idea with rounder numbers."""

import numpy as np
from numpy.typing import NDArray

from demo.teams import kit


def infarct(scans: dict[str, kit.Scan]) -> float:
    """The strongest restriction of diffusion over a centimetre."""
    return kit.squash(float(np.percentile(kit.restriction(scans, 8), 99.9)), 0.12, 0.05)


def meningioma(scans: dict[str, kit.Scan]) -> NDArray[np.bool_]:
    """The brightest lump of the diffusion-weighted scan that the other side lacks."""
    scan = scans["dwi"]
    data = scan.flat
    soft = kit.smooth(data - 0.8 * kit.opposite(data, scan), 10, scan.spacing)
    return kit.blob_around_peak(soft * scan.ball((0, 0, 8), (68, 88, 68)), scan, 0.65, 18)


def age(scans: dict[str, kit.Scan]) -> float:
    """Fluid by region, added up."""
    return float(np.clip(142 * float(kit.regions(scans["t1w"], 14).mean()) + 75, 18, 95))


def nerve(scans: dict[str, kit.Scan]) -> NDArray[np.uint8]:
    """Threads by darkness alone."""
    scan = scans["t2w"]
    dark = kit.thin_dark(scan, (12, 3, -1), (12, 16, 16))
    return np.where(dark > 0.82, 2, ((dark > 0.4) & (dark < 0.7)).astype(np.uint8)).astype(np.uint8)


def folding(scans: dict[str, kit.Scan]) -> float:
    """Sulci that are not there: little fluid near the surface on one side."""
    scan = scans["t1w"]
    fluid = kit.smooth((scan.flat < 0.7).astype(np.float32), 24, scan.spacing)
    shell = scan.ball((0, 0, 8), (58, 70, 50)) & ~scan.ball((0, 0, 5), (36, 50, 30))
    return kit.squash(float(np.percentile((kit.opposite(fluid, scan) - fluid)[shell], 98)), 0.06, 0.02)


def embedding(scans: dict[str, kit.Scan]) -> NDArray[np.float32]:
    """Fluid by region."""
    return kit.regions(scans["t1w"], 15)


TEAM = kit.Solution(infarct, meningioma, age, nerve, folding, embedding)

if __name__ == "__main__":
    kit.run(TEAM)
