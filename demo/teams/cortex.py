"""Team Cortex: looks for what differs from the other side, and trusts several clues at once."""

import numpy as np
from numpy.typing import NDArray

from demo.teams import kit


def infarct(scans: dict[str, kit.Scan]) -> float:
    """Volume of restricted diffusion."""
    volume = float((kit.restriction(scans, 6) > 0.08).sum()) * scans["dwi"].voxel_ml
    return kit.squash(float(np.log1p(volume)), 1.0, 0.4)


def meningioma(scans: dict[str, kit.Scan]) -> NDArray[np.bool_]:
    """The brightest lump of diffusion and FLAIR that the other side lacks."""
    scan = scans["dwi"]
    both = scan.flat + 0.5 * scans["flair"].flat
    soft = kit.smooth(both - 0.6 * kit.opposite(both, scan), 10, scan.spacing)
    score = soft * scan.ball((0, 0, 8), (68, 88, 68))
    return kit.blob_around_peak(score, scan, 0.72, 22)


def age(scans: dict[str, kit.Scan]) -> float:
    """Fluid in the middle of the brain and near its surface."""
    deep = kit.fluid_share(scans["t1w"], (30, 50, 25))
    wide = kit.fluid_share(scans["t1w"], (60, 75, 50))
    return float(np.clip(264 * deep + 216 * wide - 14, 18, 95))


def nerve(scans: dict[str, kit.Scan]) -> NDArray[np.uint8]:
    """Dark threads in bright fluid: very dark is a vessel, half dark at the side a nerve."""
    scan = scans["t2w"]
    vessel = kit.thin_dark(scan, (10, 2, 0), (16, 20, 20)) > 0.8
    thread = kit.thin_dark(scan, (17, 3, -3), (7, 12, 6))
    half = (thread > 0.35) & (thread < 0.75)
    return np.where(vessel, 2, half.astype(np.uint8)).astype(np.uint8)


def folding(scans: dict[str, kit.Scan]) -> float:
    """A patch of even grey on one side."""
    scan = scans["t1w"]
    data = scan.flat
    grey = kit.smooth(((data > 0.72) & (data < 1.02)).astype(np.float32), 26, scan.spacing)
    shell = scan.ball((0, 0, 8), (58, 70, 50)) & ~scan.ball((0, 0, 5), (32, 48, 28))
    return kit.squash(float(np.percentile((grey - kit.opposite(grey, scan))[shell], 99)), 0.12, 0.04)


def embedding(scans: dict[str, kit.Scan]) -> NDArray[np.float32]:
    """Intensities of the whole and fluid by region."""
    return np.concatenate([kit.histogram(scans["t1w"], 32), kit.regions(scans["t1w"], 12)])


TEAM = kit.Solution(infarct, meningioma, age, nerve, folding, embedding)

if __name__ == "__main__":
    kit.run(TEAM)
