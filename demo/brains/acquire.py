"""From anatomy to images: tissue contrast, lesions, receive field, noise, quantisation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from demo.brains.anatomy import SHELL_MM, Anatomy
from demo.brains.model import FloatArray, Volume
from demo.brains.sites import Site

ADC_SCALE = 1000.0  # table values are µm²/ms; stored as 1e-6 mm²/s


@dataclass(frozen=True)
class Contrast:
    """Signal of each tissue, white matter about 1 in T1w; ADC in µm²/ms. `fat` is the scalp."""

    grey: float
    white: float
    fluid: float
    bone: float
    marrow: float
    fat: float


CONTRASTS = {
    "t1w": Contrast(grey=0.70, white=1.00, fluid=0.22, bone=0.10, marrow=0.28, fat=1.05),
    "t2w": Contrast(grey=0.52, white=0.38, fluid=1.20, bone=0.06, marrow=0.15, fat=0.50),
    "flair": Contrast(grey=0.74, white=0.58, fluid=0.14, bone=0.08, marrow=0.18, fat=0.62),
    "dwi": Contrast(grey=0.62, white=0.52, fluid=0.14, bone=0.05, marrow=0.10, fat=0.14),
    "adc": Contrast(grey=0.84, white=0.74, fluid=3.00, bone=0.0, marrow=0.0, fat=0.0),
    "swi": Contrast(grey=0.72, white=0.66, fluid=0.85, bone=0.08, marrow=0.12, fat=0.50),
    "t2s": Contrast(grey=0.66, white=0.56, fluid=0.95, bone=0.05, marrow=0.12, fat=0.48),
}
VEINS = {"swi": 0.85, "t2s": 0.35}


@dataclass(frozen=True)
class Lesion:
    """Tissue that replaces what is there: `weight` 0..1 per point, and its signal per sequence."""

    weight: FloatArray
    signal: dict[str, float]


def acquire(
    anatomy: Anatomy, sequence: str, lesions: Sequence[Lesion], site: Site, rng: np.random.Generator
) -> Volume:
    """One sequence of the subject as the site stores it; a lesion without a signal for it does not show."""
    ideal = _ideal(anatomy, sequence, lesions, rng)
    if sequence != "adc":
        ideal = np.maximum(ideal, np.float32(0)) ** np.float32(site.contrast)
    image = anatomy.grid.slices(ideal)
    stored = _adc(anatomy, image, site, rng) if sequence == "adc" else _magnitude(anatomy, image, site, rng)
    return Volume(anatomy.grid.stored(stored).astype(np.int16), anatomy.grid.affine)


def _ideal(
    anatomy: Anatomy, sequence: str, lesions: Sequence[Lesion], rng: np.random.Generator
) -> FloatArray:
    tissue = CONTRASTS[sequence]
    parts = (anatomy.grey, tissue.grey), (anatomy.white, tissue.white), (anatomy.fluid, tissue.fluid)
    signal = sum((weight * np.float32(value) for weight, value in parts), np.float32(0))
    for lesion in lesions:
        if sequence in lesion.signal:
            signal = signal + lesion.weight * (np.float32(lesion.signal[sequence]) - signal)
    signal = signal * (1 + np.float32(0.025) * anatomy.field(rng, 4.0))
    if sequence in VEINS:
        across = anatomy.field(rng, 9.0) ** 2 + anatomy.field(rng, 9.0) ** 2
        signal = signal * (1 - np.float32(VEINS[sequence]) * np.exp(-across / np.float32(0.02)))
    shell = (tissue.fluid, tissue.fluid, tissue.bone, tissue.marrow, tissue.bone, tissue.fat, tissue.fat, 0.0)
    image = np.zeros(anatomy.grid.fine, dtype=np.float32)
    image[anatomy.shell] = np.interp(anatomy.surface[anatomy.shell], SHELL_MM, shell)
    image[anatomy.inside] = signal
    return image


def _magnitude(anatomy: Anatomy, image: FloatArray, site: Site, rng: np.random.Generator) -> FloatArray:
    """Receive field and Rician noise, scaled to the site's stored values."""
    field = anatomy.grid.slices(anatomy.grid.noise(rng, 90.0))
    image = image * np.exp(np.float32(site.bias) * field)
    sigma = np.float32(site.noise * rng.uniform(0.8, 1.2))
    real = image + sigma * rng.standard_normal(image.shape, dtype=np.float32)
    imaginary = sigma * rng.standard_normal(image.shape, dtype=np.float32)
    scale = np.float32(site.scale * rng.uniform(0.85, 1.15))
    return np.asarray(np.rint(np.hypot(real, imaginary) * scale), dtype=np.float32)


def _adc(anatomy: Anatomy, image: FloatArray, site: Site, rng: np.random.Generator) -> FloatArray:
    """ADC is a computed map: in units, without a receive field, zero where there was no signal."""
    noisy = image * (1 + np.float32(2 * site.noise) * rng.standard_normal(image.shape, dtype=np.float32))
    seen = anatomy.grid.slices(np.asarray(anatomy.surface < 1, dtype=np.float32)) >= 0.5
    return np.rint(np.where(seen, np.clip(noisy * np.float32(ADC_SCALE), 0, 4000), 0))


def mask(anatomy: Anatomy, weight: FloatArray) -> NDArray[np.uint8]:
    """A weight per point as the reference mask: voxels at least half filled."""
    filled = anatomy.grid.slices(anatomy.image(weight)) >= 0.5
    return np.asarray(anatomy.grid.stored(filled.astype(np.uint8)), dtype=np.uint8)
