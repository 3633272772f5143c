"""Heads are chosen by nested cross-validation, and what is exported says what scikit-learn says."""

import numpy as np
import pytest
import torch

from baseline_model.faults import TrainingError
from baseline_model.selection import LabelledRows, choose

CASES = 60


def _rows(*, classes: bool, useful: str = "tissue") -> LabelledRows:
    """Two parts of which one tells the answer, and a column of it that never changes."""
    stream = np.random.default_rng(5)
    parts = {"tissue": stream.normal(size=(CASES, 6)), "trunk": stream.normal(size=(CASES, 40))}
    parts[useful][:, -1] = 7.0
    wanted = parts[useful][:, 0] * 12 + stream.normal(size=CASES) + 50
    answers = (wanted > np.median(wanted)).astype(float) if classes else wanted
    return LabelledRows(parts, answers, [f"sub-{n}" for n in range(CASES)], classes)


@pytest.mark.parametrize("useful", ["tissue", "trunk"])
def test_a_head_sees_the_part_that_tells_the_answer(useful: str) -> None:
    chosen = choose(_rows(classes=False, useful=useful), folds=3, repeats=2, seed=0)

    assert chosen.chosen.endswith(f" on {useful}")
    assert len(chosen.estimates) == 2
    assert max(chosen.estimates) < 4
    other = slice(6, None) if useful == "tissue" else slice(0, 6)
    assert not chosen.head.weight[other].any()
    assert "mean absolute error in nested cross-validation" in chosen.note


def test_the_estimate_of_a_head_of_two_classes_is_an_auroc() -> None:
    rows = _rows(classes=True)
    chosen = choose(rows, folds=3, repeats=1, seed=0)

    answers = chosen.head(torch.from_numpy(rows.whole).float())
    assert float(((answers > 0).numpy() == (rows.wanted > 0)).mean()) > 0.9
    assert chosen.metric == "AUROC"
    assert 0.9 < chosen.estimates[0] <= 1


def test_labels_that_have_nothing_to_do_with_the_scans_promise_nothing() -> None:
    """Were the choice made on the cases that estimate it, 48 columns would promise something."""
    rows = _rows(classes=True)
    drawn = np.random.default_rng(9).permutation(rows.wanted)
    chosen = choose(LabelledRows(rows.parts, drawn, rows.subjects, True), folds=3, repeats=1, seed=0)

    assert np.mean(chosen.estimates) < 0.65


def test_sessions_of_one_subject_are_on_one_side() -> None:
    """Each subject twice, with a label drawn for the subject: only a twin could tell it."""
    stream = np.random.default_rng(1)
    seen, wanted = stream.normal(size=(40, 30)), stream.normal(size=40) * 10
    parts = {"tissue": np.repeat(seen, 2, axis=0)}
    subjects = [f"sub-{n // 2}" for n in range(80)]
    chosen = choose(LabelledRows(parts, np.repeat(wanted, 2), subjects, False), folds=3, repeats=1, seed=0)

    assert chosen.estimates[0] > 0.7 * np.abs(wanted - wanted.mean()).mean()


@pytest.mark.parametrize(
    ("labels", "said"),
    [([1.0] * 12, "a head needs both 0 and 1"), ([0.0] * 9 + [1.0] * 3, "3 subjects of the rarest class")],
)
def test_too_few_labels_are_said(labels: list[float], said: str) -> None:
    parts = {"tissue": np.ones((12, 2))}
    with pytest.raises(TrainingError, match=said):
        choose(
            LabelledRows(parts, np.array(labels), [str(n) for n in range(12)], True),
            folds=5,
            repeats=1,
            seed=0,
        )
