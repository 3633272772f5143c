import numpy as np
import pytest

from evaluator.metrics.classification import auroc
from evaluator.metrics.resampled import auroc_replicates
from evaluator.resampling import draw_counts, percentile_interval


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
