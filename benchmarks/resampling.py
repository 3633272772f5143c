"""The bootstrap of a whole board against a loop over scikit-learn, and against one that sorts once per resample.

Of correlations against numpy, with the drawn cases of all resamples side by side.
"""

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score

from benchmarks.support.compare import Comparison, Side, compare
from benchmarks.support.routes import routes
from evaluator.metrics import DatasetData, DatasetMetric
from evaluator.metrics.classification import auroc
from evaluator.metrics.registry import lookup
from evaluator.metrics.resampled import auroc_replicates
from evaluator.resampling import draw_counts

_CASES, _SUBMISSIONS, _RESAMPLES = 5000, 20, 1000
_SUBSET = 10  # resamples of one submission that the loops are given
_NAME = f"bootstrap of AUROC, {_RESAMPLES:,} resamples × {_SUBMISSIONS} submissions × {_CASES:,} cases"
Values = npt.NDArray[np.float64]
_GAIN = 3  # compiled, the least ratios are so many times larger


def run() -> list[Comparison]:
    """AUROC of 20 submissions in 1,000 resamples of 5,000 cases; the loops do a part, and are extrapolated."""
    rng = np.random.default_rng(26)
    labels = rng.integers(0, 2, _CASES)
    scores = np.round(np.clip(rng.normal(0.4 + 0.2 * labels, 0.2, (_SUBMISSIONS, _CASES)), 0, 1), 3)
    counts = draw_counts(range(_CASES), labels.tolist(), resamples=_RESAMPLES, digest="sha256:benchmark")
    chosen = [np.repeat(np.arange(_CASES), row.astype(int)) for row in counts[:_SUBSET]]
    expected = [roc_auc_score(labels[drawn], scores[0][drawn]) for drawn in chosen]
    others = (
        (40.0, "scikit-learn", lambda: [roc_auc_score(labels[drawn], scores[0][drawn]) for drawn in chosen]),
        (2.0, "our own AUROC", lambda: [auroc(labels[drawn], scores[0][drawn]) for drawn in chosen]),
    )
    results = []
    for route in routes():
        part = route.taken_by(lambda: auroc_replicates(labels, scores[:1], counts[:_SUBSET]))
        if np.abs(part()[0] - expected).max() > 1e-12:
            raise RuntimeError("the two disagree")
        ours = route.taken_by(lambda: auroc_replicates(labels, scores, counts))
        for least, what, other in others:
            label = f"loop over {what}, extrapolated from {_SUBSET} resamples of one"
            measured = compare(_NAME, (f"evaluator{route.suffix}", ours), (label, other), repeat=5)
            results.append(_extrapolated(measured, least * (_GAIN if route.compiled else 1)))
    return [*results, *(_pearson(cases) for cases in (80, 1000))]


def _pearson(cases: int) -> Comparison:
    rng = np.random.default_rng(26)
    labels = rng.uniform(20, 90, cases)
    data = DatasetData(labels, labels + rng.normal(0, 8, cases))
    counts = draw_counts(range(cases), [0] * cases, resamples=_RESAMPLES, digest="sha256:benchmark")
    drawn = np.array([np.repeat(np.arange(cases), row.astype(int)) for row in counts])
    metric = lookup("pearson")
    assert isinstance(metric, DatasetMetric)
    parameters = metric.parse({})

    def ours() -> Values:
        return metric.replicates(data, counts, parameters)

    def theirs() -> Values:
        return _pearson_of_drawn(data.labels[drawn], data.scores[drawn])

    if np.abs(ours() - theirs()).max() > 1e-12:
        raise RuntimeError("the two disagree")
    name = f"bootstrap of Pearson's correlation, {_RESAMPLES:,} resamples × {cases:,} cases"
    return compare(name, ("evaluator", ours), ("drawn cases side by side, numpy", theirs), repeat=15, least=1)


def _pearson_of_drawn(labels: Values, scores: Values) -> Values:
    one, other = (values - values.mean(axis=1, keepdims=True) for values in (labels, scores))
    squares = (one**2).sum(axis=1) * (other**2).sum(axis=1)
    correlation: Values = (one * other).sum(axis=1) / np.sqrt(squares)
    return correlation


def _extrapolated(measured: Comparison, least: float) -> Comparison:
    parts = _RESAMPLES * _SUBMISSIONS // _SUBSET
    other = Side(measured.other.label, tuple(seconds * parts for seconds in measured.other.seconds))
    return Comparison(measured.name, measured.ours, other, least=least)
