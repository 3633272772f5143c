import numpy as np
import pytest
from scipy import ndimage

from demo.brains import BrainCase, Split, make_case
from demo.brains.anatomy import build_anatomy
from demo.brains.atlas import load_atlas
from demo.brains.cases import HEAD
from demo.brains.grid import make_grid
from demo.brains.model import COHORTS, TASKS
from demo.brains.pathology import fold_cortex
from demo.brains.sites import SITES

SEED = 26


def case(task: str, index: int, split: Split = "validation") -> BrainCase:
    return make_case(task, split, index, seed=SEED)


def fluid_voxels(scan: BrainCase) -> int:
    """Dark voxels round the lateral ventricles of a T1w scan, relative to the middle of the brain's signal."""
    volume = scan.inputs["t1w"]
    where = np.linalg.inv(volume.affine) @ np.array([[-25, -50, -2, 1], [25, 30, 32, 1]]).T
    low, high = np.sort(where[:3].astype(int), axis=1).T
    box = volume.data[low[0] : high[0], low[1] : high[1], low[2] : high[2]]
    voxel = abs(np.linalg.det(volume.affine))
    return int((box < 0.45 * np.median(box)).sum() * voxel)


@pytest.mark.parametrize("task", TASKS)
def test_the_inputs_of_a_case_share_shape_and_affine(task: str) -> None:
    for index in range(2):
        made = case(task, index)
        first = next(iter(made.inputs.values()))
        assert first.data.ndim == 3
        assert max(first.data.shape) < 120
        for volume in made.inputs.values():
            assert volume.data.dtype == np.int16
            assert volume.data.shape == first.data.shape
            assert np.array_equal(volume.affine, first.affine)
        if made.seg is not None:
            assert made.seg.shape == first.data.shape


@pytest.mark.parametrize("task", TASKS)
def test_the_same_arguments_give_the_same_case(task: str) -> None:
    one, two = case(task, 1), case(task, 1)
    assert (one.label, one.sex, one.age, one.site, one.subject) == (
        two.label,
        two.sex,
        two.age,
        two.site,
        two.subject,
    )
    for key, volume in one.inputs.items():
        assert np.array_equal(volume.data, two.inputs[key].data)


def test_another_seed_gives_other_voxels() -> None:
    other = make_case("task3", "validation", 0, seed=SEED + 1)
    assert not np.array_equal(case("task3", 0).inputs["t1w"].data, other.inputs["t1w"].data)


@pytest.mark.parametrize("task", ["task1", "task5"])
def test_every_pair_of_cases_has_both_classes(task: str) -> None:
    for pair in range(3):
        assert {case(task, 2 * pair).label, case(task, 2 * pair + 1).label} == {"0", "1"}


@pytest.mark.parametrize("task", ["task1", "task2"])
def test_every_pair_of_cases_has_one_t2s_and_one_swi(task: str) -> None:
    for pair in range(2):
        keys = [set(case(task, 2 * pair + i).inputs) & {"t2s", "swi"} for i in range(2)]
        assert keys in ([{"t2s"}, {"swi"}], [{"swi"}, {"t2s"}])


def test_an_infarct_is_bright_in_dwi_and_dark_in_adc() -> None:
    for index in range(4):
        made = case("task1", index)
        assert made.seg is not None
        assert made.seg.any() == (made.label == "1")
        if made.label == "0":
            continue
        adc, dwi, infarct = made.inputs["adc"].data, made.inputs["dwi"].data, made.seg > 0
        # Compared with tissue near by: the receive field is as strong as some infarcts.
        near = ndimage.binary_dilation(infarct, np.ones((9, 9, 3))) & ~infarct & (adc > 500) & (adc < 1200)
        assert np.median(dwi[infarct]) > 1.2 * np.median(dwi[near])
        assert np.median(adc[infarct]) < 0.8 * np.median(adc[near])


def test_a_case_without_infarct_has_no_restricted_diffusion() -> None:
    for index in range(4):
        made = case("task1", index)
        adc = ndimage.median_filter(made.inputs["adc"].data, 3)
        restricted = ((adc > 250) & (adc < 620)).mean()
        assert (restricted > 2e-4) == (made.label == "1")


def test_a_tumour_lies_on_the_surface_of_the_brain() -> None:
    for index in range(4):
        made = case("task2", index)
        assert made.seg is not None
        assert made.seg.sum() > 20
        assert ndimage.label(made.seg, np.ones((3, 3, 3)))[1] == 1
        flair = made.inputs["flair"].data
        skull = flair < 0.3 * np.median(flair[made.seg > 0])
        ring = ndimage.binary_dilation(made.seg > 0, np.ones((5, 5, 1))) & (made.seg == 0)
        assert (skull & ring).sum() > 0.1 * ring.sum()


def test_a_tumour_differs_from_the_tissue_round_it() -> None:
    made = case("task2", 0)
    assert made.seg is not None
    dwi = made.inputs["dwi"].data
    assert np.median(dwi[made.seg > 0]) > 1.1 * np.median(dwi[dwi > 0.5 * dwi[made.seg > 0].mean()])


def test_ventricles_widen_with_age() -> None:
    cases = [case("task3", index) for index in range(14)]
    ages = [float(made.label or "nan") for made in cases]
    assert max(ages) - min(ages) > 45
    assert np.corrcoef(ages, [fluid_voxels(made) for made in cases])[0, 1] > 0.6


def test_nerve_and_vessels_are_thin_and_dark_in_bright_fluid() -> None:
    for index in range(2):
        made = case("task4", index)
        assert made.seg is not None
        t2w = made.inputs["t2w"].data
        assert set(np.unique(made.seg)) == {0, 1, 2}
        assert (made.seg > 0).mean() < 0.01
        ring = ndimage.binary_dilation(made.seg > 0, iterations=2) & (made.seg == 0)
        assert np.median(t2w[made.seg == 2]) < np.median(t2w[made.seg == 1]) < np.median(t2w[ring])


def test_polymicrogyria_thickens_cortex_and_leaves_the_depth_alone() -> None:
    atlas = load_atlas(2.0)
    grid = make_grid(*HEAD, (3.0, 3.0, 3.0), flipped=False)
    healthy, folded = (build_anatomy(grid, atlas, np.random.default_rng(5)) for _ in range(2))
    fold_cortex(folded, atlas, np.random.default_rng(6))
    assert folded.grey.sum() > 1.03 * healthy.grey.sum()
    assert np.allclose(folded.grey + folded.white + folded.fluid, 1, atol=1e-3)
    deep = healthy.depth > 50
    assert np.array_equal(folded.white[deep], healthy.white[deep])


def test_every_triple_of_task6_has_each_cohort() -> None:
    for triple in range(2):
        assert {case("task6", 3 * triple + i).cohort for i in range(3)} == set(COHORTS)


def test_a_second_session_shows_the_same_person_later() -> None:
    first = {made.subject: made for made in (case("task6", index) for index in range(18, 21))}
    for index in range(21, 24):
        again = case("task6", index)
        before = first[again.subject]
        assert (again.session, again.cohort, again.sex) == ("ses-02", before.cohort, before.sex)
        assert again.age == pytest.approx(before.age + 1.5)


def test_no_institution_serves_two_splits() -> None:
    names = [site.name for sites in SITES.values() for site in sites]
    assert len(names) == len(set(names))


def test_classes_are_spread_over_institutions() -> None:
    cases = [case("task5", index) for index in range(6)]
    for site in {made.site for made in cases}:
        assert {made.label for made in cases if made.site == site} == {"0", "1"}


def test_a_finer_spacing_gives_more_voxels_of_the_same_head() -> None:
    coarse, fine = (
        make_case("task3", "test", 0, seed=SEED, spacing_mm=mm).inputs["t1w"] for mm in (4.0, 2.0)
    )
    extents = [np.array(v.data.shape) * np.abs(np.diag(v.affine)[:3]) for v in (coarse, fine)]
    assert np.allclose(*extents, atol=5)
    assert fine.data.size > 6 * coarse.data.size


def test_tissue_fractions_sum_to_one() -> None:
    atlas = load_atlas(2.0)
    assert float((atlas.grey + atlas.white).max()) < 1.001
    assert float(atlas.grey.min()) >= 0


@pytest.mark.parametrize(
    ("task", "index", "spacing"), [("task7", 0, 2.0), ("task1", -1, 2.0), ("task1", 0, 0.5)]
)
def test_an_impossible_case_is_refused(task: str, index: int, spacing: float) -> None:
    with pytest.raises(ValueError, match="no such case"):
        make_case(task, "test", index, seed=1, spacing_mm=spacing)
