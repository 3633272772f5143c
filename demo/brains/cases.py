"""`make_case`: one synthetic subject of one task, from the task, split, index and seed alone."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from demo.brains import nerves, pathology
from demo.brains.acquire import Lesion, acquire, mask
from demo.brains.anatomy import Anatomy, Warp, build_anatomy
from demo.brains.atlas import Atlas, load_atlas
from demo.brains.grid import Grid, make_grid
from demo.brains.model import COHORTS, SPLITS, TASKS, BrainCase, Split
from demo.brains.sites import SITES, Site

HEAD = ((-90.0, -125.0, -70.0), (180.0, 216.0, 172.0))  # corner and size of the field of view, mm
SLAB = ((-48.0, -64.0, -56.0), (96.0, 96.0, 42.0))  # task 4: thin slices before the brainstem
FIRST_SESSION, SECOND_SESSION = "ses-01", "ses-02"
RETURNING = 8  # of task 6, every eighth case of a cohort is the second session of the one before


@dataclass(frozen=True)
class Draft:
    """What is decided before any voxel. `truth`: class (tasks 1 and 5) or number of the cohort (task 6)."""

    task: str
    site: Site
    grid: Grid
    atlas: Atlas
    subject: int
    session: str
    truth: int
    sex: str
    age: float
    rng: np.random.Generator = field(repr=False)


@dataclass(frozen=True)
class ScannedSubject:
    """Who is scanned, with anatomy: ready to be acquired."""

    anatomy: Anatomy
    lesions: list[Lesion]
    seg: NDArray[np.uint8] | None = None


def make_case(task: str, split: Split, index: int, *, seed: int, spacing_mm: float = 2.0) -> BrainCase:
    """The `index`-th case of a split; the same arguments give the same voxels.

    Args:
        task: task1 … task6.
        split: which institutions scan; "pretraining" is for unlabelled archives.
        index: 0, 1, 2, …; balanced in any even number of cases: every pair of tasks 1 and 5 has both classes,
            every pair of tasks 1 and 2 one t2s and one swi, every triple of task 6 its three cohorts.
        seed: of the whole data set.
        spacing_mm: voxel size before the site's own factor; task 4's slab has half of it. At least 1.

    Raises:
        ValueError: an unknown task or split, a negative index, a spacing below 1 mm.

    """
    if task not in TASKS or split not in SPLITS or index < 0 or spacing_mm < 1:
        raise ValueError(f"no such case: {task} {split} {index} at {spacing_mm} mm")
    draft = _draft(task, split, index, seed, spacing_mm)
    subject = _BUILDERS[task](draft)
    rng = _stream(seed, task, split, index, "scanner")
    scans = {
        key: acquire(subject.anatomy, key, subject.lesions, draft.site, rng) for key in _keys(task, index)
    }
    label = {"task1": str(draft.truth), "task5": str(draft.truth), "task3": f"{draft.age:.1f}"}
    cohort = COHORTS[draft.truth] if task == "task6" else "general"
    return BrainCase(
        inputs=scans,
        label=cohort if task == "task6" else label.get(task),
        seg=subject.seg,
        subject=f"sub-{draft.subject + 1:03d}",
        session=draft.session,
        sex=draft.sex,
        age=draft.age,
        site=draft.site.name,
        scanner=draft.site.scanner,
        cohort=cohort,
    )


def _stream(seed: int, task: str, split: str, index: int, purpose: str) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(f"{task} {split} {purpose}".encode()), index])


def _keys(task: str, index: int) -> tuple[str, ...]:
    susceptibility = ("t2s", "swi")[(index // 2 + index) % 2]
    diffusion = {"task1": ("flair", "dwi", "adc", susceptibility), "task2": ("flair", "dwi", susceptibility)}
    return diffusion.get(task, ("t2w",) if task == "task4" else ("t1w",))


def _draft(task: str, split: Split, index: int, seed: int, spacing_mm: float) -> Draft:
    group = 3 if task == "task6" else 2
    order = _stream(seed, task, split, index // group, "order").permutation(group)
    truth = int(order[index % group])
    person, session = index, FIRST_SESSION
    if task == "task6" and (index // 3) % RETURNING == RETURNING - 1:
        before = index // 3 - 1
        person = before * 3 + _position(_stream(seed, task, split, before, "order").permutation(3), truth)
        session = SECOND_SESSION
    rng = _stream(seed, task, split, person, "person")
    sex = "F" if rng.random() < 0.5 else "M"
    age = round(_age(task, split, seed, person, rng) + (1.5 if session == SECOND_SESSION else 0), 1)
    sites = SITES[split]
    site = sites[(index // group) % len(sites)]
    slab = task == "task4"
    voxel = site.voxel(spacing_mm / 2 if slab else spacing_mm, clinical=task in ("task1", "task2"))
    grid = make_grid(*(SLAB if slab else HEAD), voxel, flipped=site.flipped)
    return Draft(
        task,
        site,
        grid,
        load_atlas(spacing_mm / 2 if slab else spacing_mm),
        person,
        session,
        truth,
        sex,
        age,
        rng,
    )


def _position(order: NDArray[np.int64], truth: int) -> int:
    return int(np.flatnonzero(order == truth)[0])


def _age(task: str, split: str, seed: int, person: int, rng: np.random.Generator) -> float:
    """Task 3 spreads ages evenly over 20–90 (golden ratio steps); elsewhere adults as clinics see them."""
    if task == "task3":
        start = _stream(seed, task, split, 0, "ages").random()
        return 20 + 70 * float((start + person * 0.6180339887) % 1)
    low, high = {"task5": (5, 50), "task6": (45, 85)}.get(task, (35, 88))
    return float(rng.uniform(low, high))


def _aged(
    draft: Draft,
    *,
    ventricles: float = 0.0,
    sulci: float = 0.0,
    warp: Warp | None = None,
    room: Warp | None = None,
) -> Anatomy:
    """The subject's anatomy with what age does to it, and `ventricles` mm and `sulci` log odds of disease."""
    decades = max(draft.age - 25, 0) / 10
    wide = 0.62 * decades + draft.rng.normal(0, 0.5) + ventricles - 0.6
    size = (1.015 if draft.sex == "M" else 0.985) * draft.rng.normal(1, 0.015)
    anatomy = build_anatomy(
        draft.grid,
        draft.atlas,
        draft.rng,
        ventricles_mm=float(np.clip(wide, -1.5, 7)),
        size=size,
        warp=warp,
        room=room,
    )
    anatomy.widen_sulci(0.26 * decades + draft.rng.normal(0, 0.2) - 0.4 + sulci)
    return anatomy


def _vascular(draft: Draft, anatomy: Anatomy, extra: float = 0.0) -> Lesion:
    load = 0.011 * max(draft.age - 40, 0) * draft.rng.uniform(0.2, 1.4) + extra
    return pathology.white_matter_lesions(anatomy, draft.rng, float(np.clip(load, 0, 1.4)))


def _infarct(draft: Draft) -> ScannedSubject:
    anatomy = _aged(draft)
    lesions = [_vascular(draft, anatomy), pathology.skull_base_artefact(anatomy, draft.rng)]
    if draft.rng.random() < (0.3 if draft.truth else 0.7):
        lesions.append(pathology.old_infarct(anatomy, draft.rng))
    if not draft.truth:
        return ScannedSubject(anatomy, lesions, mask(anatomy, np.zeros_like(anatomy.depth)))
    infarct = pathology.acute_infarct(anatomy, draft.rng)
    return ScannedSubject(anatomy, [*lesions, infarct], mask(anatomy, infarct.weight))


def _meningioma(draft: Draft) -> ScannedSubject:
    tumour = pathology.place_meningioma(draft.atlas, draft.rng)
    anatomy = _aged(draft, warp=tumour.warp)
    lesions = [_vascular(draft, anatomy), *pathology.meningioma_lesions(anatomy, tumour, draft.rng)]
    return ScannedSubject(anatomy, lesions, mask(anatomy, pathology.meningioma_weight(anatomy, tumour)))


def _brain_age(draft: Draft) -> ScannedSubject:
    anatomy = _aged(draft)
    return ScannedSubject(anatomy, [_vascular(draft, anatomy)])


def _trigeminal(draft: Draft) -> ScannedSubject:
    tubes = nerves.draw_tubes(draft.rng)
    anatomy = _aged(draft, room=lambda points: nerves.room(points, tubes))
    lesions, seg = nerves.paint(anatomy, tubes, draft.rng)
    return ScannedSubject(anatomy, lesions, seg)


def _polymicrogyria(draft: Draft) -> ScannedSubject:
    anatomy = _aged(draft)
    if draft.truth:
        pathology.fold_cortex(anatomy, draft.atlas, draft.rng)
    return ScannedSubject(anatomy, [])


def _cohort(draft: Draft) -> ScannedSubject:
    cohort = COHORTS[draft.truth]
    sick = cohort == "neurodegenerative"
    anatomy = _aged(draft, ventricles=2.0 * sick, sulci=0.5 * sick)
    if sick:
        anatomy.widen_sulci(pathology.temporal_atrophy(anatomy, draft.rng))
    extra = draft.rng.uniform(0.6, 1.0) if cohort == "white_matter_disease" else 0.0
    return ScannedSubject(anatomy, [_vascular(draft, anatomy, extra)])


_BUILDERS: dict[str, Callable[[Draft], ScannedSubject]] = {
    "task1": _infarct,
    "task2": _meningioma,
    "task3": _brain_age,
    "task4": _trigeminal,
    "task5": _polymicrogyria,
    "task6": _cohort,
}
