"""Team Gyrus: priors first, voxels second."""

import numpy as np
from numpy.typing import NDArray

from demo.teams import kit


def infarct(scans: dict[str, kit.Scan]) -> float:
    """A little restricted diffusion is enough."""
    volume = float((kit.restriction(scans, 4) > 0.15).sum()) * scans["dwi"].voxel_ml
    return kit.squash(float(np.log1p(volume)), 0.7, 0.5)


def meningioma(scans: dict[str, kit.Scan]) -> NDArray[np.bool_]:
    """The brightest lump of FLAIR."""
    scan = scans["flair"]
    data = scan.flat
    soft = kit.smooth(data - 0.5 * kit.opposite(data, scan), 14, scan.spacing)
    return kit.blob_around_peak(soft * scan.ball((0, 0, 8), (68, 88, 68)), scan, 0.7, 15)


def age(scans: dict[str, kit.Scan]) -> float:
    """Middle age, moved a little by the ventricles."""
    return float(25 + 190 * kit.fluid_share(scans["t1w"], (26, 42, 22)))


def nerve(scans: dict[str, kit.Scan]) -> NDArray[np.uint8]:
    """The darkest threads are vessels."""
    return (2 * (kit.thin_dark(scans["t2w"], (10, 3, 0), (14, 18, 20)) > 0.75)).astype(np.uint8)


def folding(scans: dict[str, kit.Scan]) -> float:
    """Rare, so: unlikely, the more so with age."""
    return float(np.clip(0.5 - kit.fluid_share(scans["t1w"], (60, 75, 50)), 0.01, 0.99))


def embedding(scans: dict[str, kit.Scan]) -> NDArray[np.float32]:
    """Intensities of the middle and of the whole."""
    middle = kit.histogram(scans["t1w"], 12, (30, 45, 25))
    return np.concatenate([middle, kit.histogram(scans["t1w"], 12)])


TEAM = kit.Solution(infarct, meningioma, age, nerve, folding, embedding)

if __name__ == "__main__":
    kit.run(TEAM)
