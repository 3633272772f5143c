"""Team Voxel: one threshold per question."""

import numpy as np
from numpy.typing import NDArray

from demo.teams import kit


def infarct(scans: dict[str, kit.Scan]) -> float:
    """The brightest diffusion; old strokes and artefacts fool it."""
    data = kit.relative(scans["dwi"])
    return kit.squash(float(np.percentile(data, 99.8)), 1.7, 0.2)


def meningioma(scans: dict[str, kit.Scan]) -> NDArray[np.bool_]:
    """A ball at the brightest place of the diffusion-weighted scan."""
    scan = scans["dwi"]
    soft = kit.smooth(kit.relative(scan), 12, scan.spacing) * scan.ball((0, 0, 8), (66, 86, 66))
    return kit.blob_around_peak(soft, scan, 0.85, 16)


def age(scans: dict[str, kit.Scan]) -> float:
    """Fluid in the middle of the brain."""
    return float(np.clip(10 + 360 * kit.fluid_share(scans["t1w"], (30, 50, 25)), 18, 95))


def nerve(scans: dict[str, kit.Scan]) -> NDArray[np.uint8]:
    """Everything dark in the fluid is a vessel, at the side a nerve."""
    scan = scans["t2w"]
    vessel = kit.thin_dark(scan, (0, 4, 0), (12, 14, 20)) > 0.7
    half = kit.thin_dark(scan, (17, 3, -3), (8, 14, 8)) > 0.4
    return np.where(half, 1, 2 * vessel).astype(np.uint8)


def folding(scans: dict[str, kit.Scan]) -> float:
    """How much grey there is."""
    data = kit.relative(scans["t1w"])[scans["t1w"].ball((0, 0, 8), (58, 70, 50))]
    return kit.squash(float(((data > 0.7) & (data < 1)).mean()), 0.5, 0.05)


def embedding(scans: dict[str, kit.Scan]) -> NDArray[np.float32]:
    """Intensities of the whole."""
    return kit.histogram(scans["t1w"], 16)


TEAM = kit.Solution(infarct, meningioma, age, nerve, folding, embedding)

if __name__ == "__main__":
    kit.run(TEAM)
