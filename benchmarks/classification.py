"""AUROC against scikit-learn, on scores with three decimals as participants write them."""

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from benchmarks.support.compare import Action, Comparison, compare
from evaluator.metrics.classification import auprc, auroc
from evaluator.metrics.delong import paired_test

_TIMES = 20


def run() -> list[Comparison]:
    """The test set of FOMO26's task 1, and one of 5,000 cases."""
    return [_auroc(320, None), _auroc(5000, 8.0), _auprc(5000), _paired(5000)]


def _cases(cases: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, and the scores of two submissions."""
    rng = np.random.default_rng(26)
    labels = rng.integers(0, 2, cases)
    first, second = (np.round(np.clip(rng.normal(0.4 + 0.2 * labels, 0.2), 0, 1), 3) for _ in range(2))
    return labels, first, second


def _auroc(cases: int, least: float | None) -> Comparison:
    labels, scores, _ = _cases(cases)
    if abs(auroc(labels, scores) - roc_auc_score(labels, scores)) > 1e-12:
        raise RuntimeError("the two disagree")
    return compare(
        f"AUROC, {cases:,} cases, {_TIMES} times",
        ("evaluator", lambda: [auroc(labels, scores) for _ in range(_TIMES)]),
        ("scikit-learn", lambda: [roc_auc_score(labels, scores) for _ in range(_TIMES)]),
        repeat=15,
        least=least,
    )


def _auprc(cases: int) -> Comparison:
    labels, scores, _ = _cases(cases)
    if abs(auprc(labels, scores) - average_precision_score(labels, scores)) > 1e-12:
        raise RuntimeError("the two disagree")
    return compare(
        f"AUPRC, {cases:,} cases, {_TIMES} times",
        ("evaluator", lambda: [auprc(labels, scores) for _ in range(_TIMES)]),
        ("scikit-learn", lambda: [average_precision_score(labels, scores) for _ in range(_TIMES)]),
        repeat=7,
    )


def _paired(cases: int) -> Comparison:
    labels, first, second = _cases(cases)
    ours: Action = lambda: paired_test(labels, first, second).standard_error  # noqa: E731
    plain: Action = lambda: _all_pairs(labels, np.array([first, second]))  # noqa: E731
    if (
        abs(paired_test(labels, first, second).standard_error - _all_pairs(labels, np.array([first, second])))
        > 1e-12
    ):
        raise RuntimeError("the two disagree")
    return compare(
        f"paired DeLong test, {cases:,} cases",
        ("evaluator", ours),
        ("the matrix of all pairs, numpy", plain),
        repeat=5,
    )


def _all_pairs(labels: np.ndarray, scores: np.ndarray) -> float:
    """Standard error of the difference from the kernel of every positive with every negative."""
    kernels = [(score[labels == 1][:, None], score[labels == 0][None, :]) for score in scores]
    first, second = ((high > low) + 0.5 * (high == low) for high, low in kernels)
    difference = first - second
    m, n = difference.shape
    return float(np.sqrt(difference.mean(axis=1).var(ddof=1) / m + difference.mean(axis=0).var(ddof=1) / n))
