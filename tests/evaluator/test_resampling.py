import numpy as np
import pytest

from evaluator.metrics.classification import auroc
from evaluator.metrics.influence import of_auroc
from evaluator.metrics.resampled import auroc_replicates
from evaluator.resampling import draw_counts, percentile_interval, pooled_strata


def draw(units, strata, digest="sha256:a", resamples=400):
    return draw_counts(units, strata, resamples=resamples, digest=digest)


def test_draws_depend_on_the_dataset_only():
    units, strata = list("abcdef"), ["x"] * 3 + ["y"] * 3
    assert np.array_equal(draw(units, strata), draw(units, strata))
    assert not np.array_equal(draw(units, strata), draw(units, strata, digest="sha256:b"))


def test_every_stratum_keeps_its_number_of_units():
    counts = draw(list("abcdefgh"), ["x"] * 3 + ["y"] * 5)
    assert (counts[:, :3].sum(axis=1) == 3).all()
    assert (counts[:, 3:].sum(axis=1) == 5).all()


def test_the_sessions_of_a_subject_come_together():
    counts = draw(["a", "a", "b", "c", "c"], ["x"] * 5)
    assert np.array_equal(counts[:, 0], counts[:, 1])
    assert np.array_equal(counts[:, 3], counts[:, 4])
    assert (counts[:, [0, 2, 3]].sum(axis=1) == 3).all()


def test_a_subject_in_two_strata_has_a_stratum_of_its_kind():
    counts = draw(["a", "a", "b", "c"], ["x", "y", "x", "x"])
    assert (counts[:, 0] == 1).all()
    assert (counts[:, 2:].sum(axis=1) == 2).all()


def test_every_unit_is_drawn_equally_often():
    counts = draw(list(range(50)), ["x"] * 50, resamples=4000)
    assert counts.mean(axis=0) == pytest.approx(np.ones(50), abs=0.08)


def test_interval_holds_the_level_and_passes_over_undefined_replicates():
    replicates = np.append(np.arange(1001.0), [np.nan, np.nan])
    assert percentile_interval(replicates, 0.95) == pytest.approx((25, 975))
    assert percentile_interval(np.array([np.nan]), 0.95) is None


def test_auroc_in_every_resample_is_that_of_the_repeated_cases():
    stream = np.random.default_rng(4)
    label, scores = np.arange(40) % 2, stream.random((3, 40)).round(1)
    counts = draw(list(range(40)), ["x"] * 40, resamples=150)
    found = auroc_replicates(label, scores, counts)
    assert found.shape == (3, 150)
    for row, count in enumerate(counts.astype(int)):
        chosen = np.repeat(np.arange(40), count)
        for one in range(3):
            assert found[one, row] == pytest.approx(auroc(label[chosen], scores[one][chosen]), abs=1e-12)


def test_a_resample_without_a_class_has_no_auroc():
    found = auroc_replicates([0, 1], [[0.2, 0.4]], np.array([[1.0, 1.0], [2.0, 0.0], [0.0, 2.0]]))
    assert found[0, 0] == 1
    assert np.isnan(found[0, 1:]).all()


def test_counts_too_large_for_single_precision_are_still_exact():
    counts = np.array([[3e6, 1.0, 2e6, 5e6]])
    found = auroc_replicates([0, 0, 1, 1], [[0.1, 0.5, 0.5, 0.3]], counts)
    pairs = 2e6 * (3e6 + 0.5) + 5e6 * 3e6
    assert found[0, 0] == pairs / (7e6 * (3e6 + 1))


def test_labels_scores_and_counts_must_fit():
    with pytest.raises(ValueError, match="as many cases"):
        auroc_replicates([0, 1], [[0.2, 0.4]], np.ones((1, 3)))


def test_small_sites_are_drawn_from_together_and_classes_are_kept():
    sites = [case // 4 for case in range(40)]
    labels = [case % 2 for case in range(40)]
    strata = pooled_strata(range(40), list(zip(sites, labels, strict=True)), labels)
    assert len(set(strata)) == 2
    counts = draw(list(range(40)), strata)
    assert (counts[:, 0::2].sum(axis=1) == 20).all()
    assert (counts[:, 1::2].sum(axis=1) == 20).all()
    assert (counts[:, :4].sum(axis=1) != 4).any()


def test_sites_of_enough_subjects_stay_strata_of_their_own_and_the_smallest_takes_in_what_is_left():
    sites = ["a"] * 30 + ["b"] * 20 + ["c"] * 3
    strata = pooled_strata(range(53), sites, [0] * 53)
    assert strata[0] != strata[30] == strata[50]
    large = pooled_strata(range(50), sites[:50], [0] * 50)
    assert len(set(large)) == 2


def test_subjects_of_several_classes_are_drawn_from_together_where_few_have_the_same():
    units = [case // 2 for case in range(12)]
    labels = [0, 1, 0, 2, 1, 2, 0, 1, 0, 2, 1, 2]
    counts = draw(units, pooled_strata(units, labels, labels))
    assert (counts[:, 0] != 1).any()
    assert (counts.sum(axis=1) == 12).all()


@pytest.mark.parametrize("sites", [1, 5, 20, 40])
@pytest.mark.parametrize("share", [0.5, 0.25])
def test_replicates_vary_as_the_influence_values_say_however_many_sites_there_are(sites, share):
    stream = np.random.default_rng(11)
    labels = (np.arange(80) < 80 * share).astype(int)
    scores = stream.normal(size=80) + labels
    names = list(zip(stream.integers(sites, size=80).tolist(), labels.tolist(), strict=True))
    strata = pooled_strata(range(80), names, labels.tolist())
    counts = draw_counts(range(80), strata, resamples=4000, digest="sha256:a")
    drawn = auroc_replicates(labels, scores[None], counts)[0].std()
    assert 0.9 < drawn / np.sqrt((of_auroc(labels, scores) ** 2).sum()) < 1.1
