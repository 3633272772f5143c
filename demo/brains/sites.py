"""The institutions: each split has its own, so nothing learned about one scanner helps on the next split."""

from dataclasses import dataclass

from demo.brains.model import Split


@dataclass(frozen=True)
class Site:
    """How one institution acquires. `slice_mm` None means isotropic; `noise` is relative to white matter."""

    name: str
    scanner: str
    in_plane: float  # voxel size in the slice, relative to the spacing asked for
    slice_mm: float | None  # slice thickness of the clinical protocol (tasks 1 and 2)
    noise: float
    bias: float  # strength of the receive field, ±log
    scale: float  # stored value of white matter
    contrast: float  # exponent on intensities: the site's echo and repetition times
    flipped: bool = False  # stored left to right reversed, with the affine to match

    def voxel(self, spacing_mm: float, *, clinical: bool) -> tuple[float, float, float]:
        """Voxel size in mm."""
        plane = spacing_mm * self.in_plane
        thick = self.slice_mm if clinical and self.slice_mm is not None else plane
        return plane, plane, max(thick, plane)


SITES: dict[Split, tuple[Site, ...]] = {
    "finetune": (
        Site("northfield", "Helios 3T", 1.0, 5.0, 0.030, 0.18, 600, 1.00),
        Site("lakeside", "Orion 1.5T", 1.05, 4.0, 0.045, 0.12, 350, 0.93, flipped=True),
        Site("harbour", "Vega 3T", 1.0, None, 0.035, 0.25, 900, 1.08),
    ),
    "sanity": (
        Site("millbrook", "Helios 1.5T", 1.0, 5.0, 0.040, 0.15, 500, 0.97),
        Site("eastgate", "Orion 3T", 1.0, None, 0.030, 0.20, 750, 1.05),
    ),
    "validation": (
        Site("stonebridge", "Vega 1.5T", 1.0, 5.0, 0.045, 0.20, 420, 1.06),
        Site("westmoor", "Helios 3T", 1.1, 4.0, 0.035, 0.28, 1100, 0.95, flipped=True),
        Site("clearwater", "Lyra 3T", 0.95, None, 0.030, 0.15, 680, 1.02),
    ),
    "test": (
        Site("oakhaven", "Lyra 1.5T", 1.05, 6.0, 0.050, 0.22, 300, 1.04),
        Site("summit", "Vega 3T", 1.0, 5.0, 0.032, 0.30, 820, 0.92),
        Site("riverton", "Orion 3T", 1.0, None, 0.038, 0.16, 1300, 1.08, flipped=True),
    ),
    "pretraining": (
        Site("archive_a", "Helios 3T", 1.0, 5.0, 0.035, 0.20, 500, 1.00),
        Site("archive_b", "Orion 1.5T", 1.1, 4.0, 0.045, 0.15, 800, 0.94, flipped=True),
        Site("archive_c", "Lyra 3T", 1.0, None, 0.030, 0.25, 1000, 1.05),
        Site("archive_d", "Vega 1.5T", 1.05, None, 0.050, 0.12, 350, 0.97),
    ),
}
