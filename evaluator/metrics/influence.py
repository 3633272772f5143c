"""How much each case moves a metric, so that variances and paired tests need no labels.

Every function gives one number ψ per case. ψ is scaled so that Σψ² estimates the variance of the metric, and
Σ(ψ_a − ψ_b)² that of the difference of two submissions on the same cases. Where cases belong to subjects, sum ψ
over the cases of each subject first (`by_unit`). For AUROC this is the variance of DeLong, DeLong and
Clarke-Pearson (Biometrics 1988;44:837), for means the squared standard error, for the others the delta method.

Classes are as large as the dataset's design makes them: ψ of class metrics is centred within each class.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evaluator.metrics._arrays import binary_scores, class_scores, number_pair
from evaluator.metrics._errors import NotScored
from evaluator.metrics.regression import standardised

Influence = NDArray[np.float64]


def by_unit(influence: Influence, units: NDArray[np.intp]) -> Influence:
    """The sum of ψ over the cases of each unit, shape (units,), from the unit's number of each case."""
    total: Influence = np.zeros(int(units.max(initial=-1)) + 1)
    np.add.at(total, units, influence)
    return total


def of_mean(values: ArrayLike) -> Influence:
    """ψ of the mean of (n,) values: (x − mean)/√(n(n−1)); a value that is NaN is left out and moves nothing.

    Raises:
        NotScored: fewer than two values.
    """
    array = np.asarray(values, dtype=np.float64)
    known = np.isfinite(array)
    psi = np.zeros(len(array))
    psi[known] = _scaled(array[known] / max(int(known.sum()), 1))
    return psi


def of_auroc(y_true: ArrayLike, y_score: ArrayLike) -> Influence:
    """ψ of `classification.auroc`: (V − AUROC)/√(m(m−1)) within each class.

    V of a positive is the share of negatives that it beats, V of a negative the share of positives that beat
    it, ties counting half; m is the size of the class. Σψ² is DeLong's variance exactly.

    Raises:
        NotScored: a class has fewer than two cases.
        ValueError: as `classification.auroc`.
    """
    positive, score = binary_scores(y_true, y_score)
    psi = np.empty(len(score))
    psi[positive] = _scaled(share_below(score[positive], score[~positive]) / max(int(positive.sum()), 1))
    psi[~positive] = _scaled(-share_below(score[~positive], score[positive]) / max(int((~positive).sum()), 1))
    return psi


def of_ovr_auroc(y_true: ArrayLike, y_score: ArrayLike) -> Influence:
    """ψ of `classification.ovr_auroc`: the mean of the classes' ψ, re-centred within each true class.

    Raises:
        NotScored: no class can be scored, or one of them has fewer than two cases.
        ValueError: as `classification.ovr_auroc`.
    """
    label, score = class_scores(y_true, y_score)
    if score.shape[1] == 2:
        return of_auroc(label, score[:, 1])
    usable = [column for column in range(score.shape[1]) if 0 < (label == column).sum() < len(label)]
    if not usable:
        raise NotScored("no class has both positive and negative cases")
    terms = np.zeros(len(label))
    for column in usable:
        own, rest = label == column, label != column
        terms[own] += share_below(score[own, column], score[rest, column]) / own.sum()
        terms[rest] -= share_below(score[rest, column], score[own, column]) / rest.sum()
    return within_classes(label, terms / len(usable))


def of_macro_f1(y_true: ArrayLike, y_score: ArrayLike) -> Influence:
    """ψ of `classification.macro_f1`: F1 = 2·hits/(true + predicted) differentiated by each case's weight.

    Raises:
        NotScored: a class that occurs has fewer than two cases.
        ValueError: as `classification.macro_f1`.
    """
    label, score = class_scores(y_true, y_score)
    eye = np.eye(score.shape[1])
    true, predicted = eye[label], eye[score.argmax(axis=1)]
    size = (true + predicted).sum(axis=0)
    occurs = size > 0
    safe = np.where(occurs, size, 1)
    f1 = 2 * (true * predicted).sum(axis=0) / safe
    terms = ((2 * true * predicted - f1 * (true + predicted)) / safe)[:, occurs].mean(axis=1)
    return within_classes(label, terms)


def of_macro_recall(y_true: ArrayLike, y_score: ArrayLike) -> Influence:
    """ψ of `classification.macro_recall`: (hit − recall)/√(m(m−1)) within each class, over the number of classes.

    Raises:
        NotScored: a class that occurs has fewer than two cases.
        ValueError: as `classification.macro_recall`.
    """
    label, score = class_scores(y_true, y_score)
    size = np.bincount(label, minlength=score.shape[1])
    hits = (score.argmax(axis=1) == label).astype(np.float64)
    return within_classes(label, hits / size[label] / max(int((size > 0).sum()), 1))


def of_rmse(y_true: ArrayLike, y_pred: ArrayLike) -> Influence:
    """ψ of `regression.rmse`: (e² − RMSE²)/(2·RMSE·√(n(n−1))), and 0 where every prediction is right.

    Raises:
        NotScored: fewer than two cases.
        ValueError: as `regression.rmse`.
    """
    true, predicted = number_pair(y_true, y_pred)
    squares = (predicted - true) ** 2
    root = float(np.sqrt(squares.mean())) if len(squares) else 0.0
    return _scaled(squares / (2 * root * len(squares))) if root else np.zeros(len(squares))


def of_r2(y_true: ArrayLike, y_pred: ArrayLike) -> Influence:
    """ψ of `regression.r2`: ((1 − R²)·(y − ȳ)² − e²)/(variance of y·√(n(n−1))).

    Raises:
        NotScored: fewer than two cases, or constant truths.
        ValueError: as `regression.r2`.
    """
    true, predicted = number_pair(y_true, y_pred)
    if len(true) < 2 or (true == true[0]).all():
        raise NotScored("R² needs at least two cases whose labels differ")
    spread, errors = (true - true.mean()) ** 2, (predicted - true) ** 2
    return _scaled((errors.mean() / spread.mean() * spread - errors) / (spread.mean() * len(true)))


def of_pearson(y_true: ArrayLike, y_pred: ArrayLike) -> Influence:
    """ψ of `regression.pearson`: (z_x·z_y − r·(z_x² + z_y²)/2)/√(n(n−1)) with standardised z.

    Raises:
        NotScored: as `regression.pearson`.
        ValueError: as `regression.pearson`.
    """
    one, other = standardised(y_true, y_pred)
    r = float(np.mean(one * other))
    return _scaled((one * other - r * (one**2 + other**2) / 2) / len(one))


def share_below(values: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each of `values`, the share of `others` below it, equals counting half."""
    ordered = np.sort(others)
    both = np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
    share: NDArray[np.float64] = both / (2 * max(len(ordered), 1))
    return share


def within_classes(label: NDArray[np.int64], terms: Influence) -> Influence:
    """Terms of a sum, centred and scaled within each class."""
    psi = np.empty(len(terms))
    for number in np.unique(label):
        psi[label == number] = _scaled(terms[label == number])
    return psi


def _scaled(terms: Influence) -> Influence:
    """Terms of a sum over n cases, centred, times √(n/(n−1)): Σψ² then estimates the sum's variance."""
    n = len(terms)
    if n < 2:
        raise NotScored("a variance needs at least two cases of each class")
    psi: Influence = (terms - terms.mean()) * np.sqrt(n / (n - 1))
    return psi
