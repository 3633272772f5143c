"""AUROC against scikit-learn, on scores with three decimals as participants write them."""

import numpy as np
from sklearn.metrics import roc_auc_score

from benchmarks._compare import Comparison, compare
from evaluator.metrics.classification import auroc

_TIMES = 20


def run() -> list[Comparison]:
    """The test set of FOMO26's task 1, and one of 5,000 cases."""
    return [_compare(cases) for cases in (320, 5000)]


def _compare(cases: int) -> Comparison:
    rng = np.random.default_rng(26)
    labels = rng.integers(0, 2, cases)
    scores = np.round(np.clip(rng.normal(0.4 + 0.2 * labels, 0.2), 0, 1), 3)
    if abs(auroc(labels, scores) - roc_auc_score(labels, scores)) > 1e-12:
        raise RuntimeError("the two disagree")
    return compare(
        f"AUROC, {cases:,} cases, {_TIMES} times",
        ("evaluator", lambda: [auroc(labels, scores) for _ in range(_TIMES)]),
        ("scikit-learn", lambda: [roc_auc_score(labels, scores) for _ in range(_TIMES)]),
        repeat=15,
    )
