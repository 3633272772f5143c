import numpy as np
import pytest

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
