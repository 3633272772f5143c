"""Lesions with known truth, drawn in template coordinates so that they follow the subject's own anatomy."""

from dataclasses import dataclass

import numpy as np

from demo.brains.acquire import Lesion
from demo.brains.anatomy import Anatomy
from demo.brains.atlas import Atlas
from demo.brains.model import FloatArray

# Where strokes happen: name → template mm on the right side (the left is mirrored).
TERRITORIES = (
    (46, -12, 16), (48, -30, 28), (44, 14, 12), (28, -4, 8), (25, -18, 22), (12, -18, 8), (16, -78, 6),
    (12, 38, 34), (25, -64, -36), (6, -26, -34), (38, 30, 26), (40, -58, 12),
)  # fmt: skip
POLYMICROGYRIA = ((50, -8, 12), (44, -30, 36), (36, 38, 18), (48, -48, 18))


def distance_to(points: FloatArray, centre: FloatArray, stretch: FloatArray | None = None) -> FloatArray:
    """Distance in mm from `points` [3, N] to `centre`; `stretch` divides each axis (an ellipsoid's shape)."""
    away = points - centre[:, None]
    if stretch is not None:
        away = away / stretch[:, None]
    return np.asarray(np.sqrt(np.einsum("ij,ij->j", away, away)), dtype=np.float32)


def blob(
    anatomy: Anatomy, rng: np.random.Generator, centre: FloatArray, radius_mm: float, *, ragged: float = 0.3
) -> FloatArray:
    """A ragged ellipsoid's weight 0..1 per point, with a border about 2 mm soft."""
    stretch = rng.uniform(0.75, 1.3, 3).astype(np.float32)
    level = distance_to(anatomy.points, centre, stretch) / np.float32(radius_mm)
    level = level + np.float32(ragged) * anatomy.field(rng, max(6.0, radius_mm * 0.6))
    return np.asarray(np.clip((1 - level) * radius_mm / 2 + 0.5, 0, 1), dtype=np.float32)


def infarct_site(rng: np.random.Generator) -> FloatArray:
    """A place for a stroke, template mm."""
    place = np.array(TERRITORIES[rng.integers(len(TERRITORIES))], dtype=np.float32)
    place[0] *= rng.choice((-1, 1))
    return place + rng.normal(0, 4, 3).astype(np.float32)


def acute_infarct(anatomy: Anatomy, rng: np.random.Generator) -> Lesion:
    """Diffusion restricted: DWI bright, ADC dark, FLAIR catching up over the first hours."""
    radius = float(np.exp(rng.uniform(np.log(8), np.log(22))))
    weight = blob(anatomy, rng, infarct_site(rng), radius) * np.clip(1.15 - 1.6 * anatomy.fluid, 0, 1)
    age = rng.uniform(0, 1)  # 0 hyperacute, 1 days
    signal = {
        "dwi": rng.uniform(0.82, 1.25), "adc": rng.uniform(0.36, 0.56), "flair": 0.72 + 0.30 * age,
        "t2s": 0.66 + 0.12 * age, "swi": 0.70, "t2w": 0.55 + 0.3 * age, "t1w": 0.80 - 0.15 * age,
    }  # fmt: skip
    return Lesion(weight, signal)


def old_infarct(anatomy: Anatomy, rng: np.random.Generator) -> Lesion:
    """A scar: FLAIR bright, ADC high; its T2 shines through on DWI, which is what fools the careless."""
    radius = float(np.exp(rng.uniform(np.log(6), np.log(18))))
    weight = blob(anatomy, rng, infarct_site(rng), radius) * np.clip(1.15 - 1.6 * anatomy.fluid, 0, 1)
    signal = {
        "dwi": rng.uniform(0.50, 0.78), "adc": rng.uniform(1.15, 1.6), "flair": rng.uniform(0.90, 1.15),
        "t2s": 0.80, "swi": 0.80, "t2w": 0.90, "t1w": 0.55,
    }  # fmt: skip
    return Lesion(weight, signal)


def skull_base_artefact(anatomy: Anatomy, rng: np.random.Generator) -> Lesion:
    """Bright DWI rim over the air of the sinuses; the ADC stays normal."""
    centre = np.array([rng.choice((-1, 1)) * rng.uniform(0, 40), rng.uniform(5, 50), -22], dtype=np.float32)
    near = distance_to(anatomy.points, centre, np.array([1.4, 1.4, 0.6], dtype=np.float32))
    weight = np.clip(1.2 - near / 12, 0, 1) * np.clip(1.4 - anatomy.depth / 6, 0, 1)
    return Lesion(
        np.asarray(weight, dtype=np.float32), {"dwi": rng.uniform(0.8, 1.2), "t2s": 0.15, "swi": 0.10}
    )


def white_matter_lesions(anatomy: Anatomy, rng: np.random.Generator, load: float) -> Lesion:
    """Small vessel disease: spots in the white matter round the ventricles; `load` 0 (none) to 1 (severe)."""
    near = np.exp(-np.clip(anatomy.ventricle, 0, None) / np.float32(9))
    level = anatomy.field(rng, 8.0) + np.float32(2.2) * near - np.float32(3.6 - 2.6 * load)
    weight = np.clip(level * 1.5, 0, 1) * np.clip(anatomy.white * 1.5 - 0.4, 0, 1)
    signal = {"flair": 1.0, "t2w": 0.72, "t1w": 0.62, "adc": 1.05, "dwi": 0.58, "t2s": 0.72, "swi": 0.74}
    return Lesion(np.asarray(weight, dtype=np.float32), signal)


@dataclass(frozen=True)
class Meningioma:
    """A tumour on the hull: an ellipsoid about `centre` (template mm) that pushes the brain aside."""

    centre: FloatArray
    radius: float
    stretch: FloatArray

    def level(self, points: FloatArray) -> FloatArray:
        """Distance from the centre in mm; the tumour is where this is below `radius`."""
        return distance_to(points, self.centre, self.stretch)

    def warp(self, points: FloatArray) -> FloatArray:
        """Mass effect: brain seen outside the tumour is looked up nearer to its centre."""
        level = self.level(points)
        push = 0.6 * self.radius * np.exp(-np.clip(level / self.radius - 1, 0, None) * 1.3)
        share = np.clip(1 - push / np.maximum(level, 1e-3), 0.05, 1).astype(np.float32)
        return np.asarray(self.centre[:, None] + (points - self.centre[:, None]) * share, dtype=np.float32)


def place_meningioma(atlas: Atlas, rng: np.random.Generator) -> Meningioma:
    """A tumour at a random place of the convexity, half sunk into the brain."""
    radius = float(np.exp(rng.uniform(np.log(9), np.log(21))))
    direction = rng.normal(0, 1, 3)
    direction[2] = abs(direction[2]) - 0.25
    direction /= np.linalg.norm(direction)
    along = np.arange(20, 110, 0.5, dtype=np.float32)
    ray = np.array([[0], [-18], [12]], dtype=np.float32) + direction.astype(np.float32)[:, None] * along
    sunk = -radius * rng.uniform(0.25, 0.6)
    inside = np.flatnonzero(atlas.sample(atlas.surface, ray) < sunk)
    centre = ray[:, inside[-1]].copy()
    return Meningioma(centre, radius, rng.uniform(0.85, 1.2, 3).astype(np.float32))


def meningioma_lesions(anatomy: Anatomy, tumour: Meningioma, rng: np.random.Generator) -> list[Lesion]:
    """Oedema (in half the cases), the cleft of fluid round the tumour, the tumour, in painting order."""
    level = tumour.level(anatomy.points)
    away = level - np.float32(tumour.radius)
    lesions = []
    if rng.random() < 0.5:
        spread = np.exp(-np.clip(away, 0, None) / np.float32(rng.uniform(4, 10)))
        weight = np.asarray(np.clip(spread * 1.4 - 0.2, 0, 1) * anatomy.white, dtype=np.float32)
        lesions.append(Lesion(weight, {"flair": 1.02, "dwi": 0.55, "t2s": 0.78, "swi": 0.80}))
    cleft = np.clip(1 - np.abs(away - 1) / 1.5, 0, 1).astype(np.float32) * np.float32(rng.uniform(0.3, 0.9))
    lesions.append(Lesion(cleft, {"flair": 0.25, "dwi": 0.20, "t2s": 0.92, "swi": 0.85}))
    body = meningioma_weight(anatomy, tumour)
    shade = rng.uniform(-0.10, 0.25)
    signal = {
        "flair": 0.80 + shade, "dwi": rng.uniform(0.68, 0.98), "t2s": rng.uniform(0.55, 0.85),
        "swi": rng.uniform(0.50, 0.80),
    }  # fmt: skip
    lesions.append(Lesion(body, signal))
    if rng.random() < 0.4:
        calcified = blob(anatomy, rng, tumour.centre, tumour.radius * 0.45, ragged=0.5) * body
        lesions.append(Lesion(calcified, {"t2s": 0.20, "swi": 0.12, "flair": 0.45, "dwi": 0.35}))
    return lesions


def meningioma_weight(anatomy: Anatomy, tumour: Meningioma) -> FloatArray:
    """Share of the tumour per point: the ellipsoid as far as the hull lets it grow."""
    away = tumour.level(anatomy.points) - np.float32(tumour.radius)
    return np.asarray(np.clip(0.5 - away / 1.5, 0, 1), dtype=np.float32)


def fold_cortex(anatomy: Anatomy, atlas: Atlas, rng: np.random.Generator) -> None:
    """Polymicrogyria, in place: in a patch, cortex thick and bumpy, its border to white matter ragged."""
    centre = np.array(POLYMICROGYRIA[rng.integers(len(POLYMICROGYRIA))], dtype=np.float32)
    sides = ((-1.0,), (1.0,), (-1.0, 1.0), (-1.0, 1.0))[rng.integers(4)]
    reach = rng.uniform(32, 46)
    patch = np.zeros_like(anatomy.depth)
    for side in sides:
        near = distance_to(anatomy.points, centre * np.array([side, 1, 1], dtype=np.float32))
        patch = np.maximum(patch, np.exp(-((near / np.float32(reach)) ** 4)))
    patch = patch * np.clip(1.2 - anatomy.depth / 40, 0, 1)
    junction = atlas.sample(atlas.junction, anatomy.points)
    bumps = np.float32(0.16) * (anatomy.field(rng, 5.0) + 0.5 * anatomy.field(rng, 3.5))
    ragged = np.clip((junction - np.float32(rng.uniform(0.82, 0.92)) - bumps) / 0.18 + 0.5, 0, 1)
    white = np.minimum(anatomy.white, ragged)
    # Sulci are bridged over; instead the thick cortex is full of fine fissures.
    fissures = (
        np.clip(anatomy.field(rng, 4.0) - 0.9, 0, 1) * (1 - white) * np.clip(1 - anatomy.depth / 25, 0, 1)
    )
    fluid = anatomy.fluid * np.float32(rng.uniform(0.35, 0.6)) + np.float32(0.5) * fissures
    anatomy.white = anatomy.white + patch * (white - anatomy.white)
    anatomy.fluid = anatomy.fluid + patch * (fluid - anatomy.fluid)
    anatomy.fluid = np.minimum(anatomy.fluid, 1 - anatomy.white)
    anatomy.grey = 1 - anatomy.white - anatomy.fluid


def temporal_atrophy(anatomy: Anatomy, rng: np.random.Generator) -> FloatArray:
    """Extra log odds of fluid per point: the hippocampi and, less, the parietal lobes shrink."""
    bias = np.zeros_like(anatomy.depth)
    for centre, reach, strength in (((26, -18, -18), 20, 2.2), ((34, -58, 42), 28, 1.0)):
        for side in (-1, 1):
            place = np.array([side * centre[0], *centre[1:]], dtype=np.float32)
            near = distance_to(anatomy.points, place) / np.float32(reach)
            bias += np.float32(strength * rng.uniform(0.7, 1.2)) * np.exp(-(near**2))
    return bias
