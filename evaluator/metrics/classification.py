"""Metrics of class scores."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evaluator.metrics._arrays import indices, numbers, same_length
from evaluator.metrics._errors import NotScored


def auroc(y_true: ArrayLike, y_score: ArrayLike) -> float:
    """Area under the ROC curve of one score per case; tied scores get their average rank.

    Args:
        y_true: (n,) labels 0 or 1.
        y_score: (n,) finite scores, higher for label 1.

    Raises:
        NotScored: all cases have the same label.
        ValueError: other labels, scores that are not finite, or lengths that differ.
    """
    positive = indices(y_true, 2).astype(bool)
    score = numbers(y_score, "scores")
    same_length(positive, score)
    positives = int(positive.sum())
    negatives = len(positive) - positives
    if positives == 0 or negatives == 0:
        raise NotScored("AUROC needs cases of both classes")
    rank_sum = float(_average_ranks(score)[positive].sum())
    return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives)


def _average_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 1; equal values share the mean of the ranks they cover."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: NDArray[np.float64] = (last - (counts - 1) / 2)[inverse]
    return ranks


def ovr_auroc(y_true: ArrayLike, y_score: ArrayLike) -> float:
    """Macro average of one-versus-rest AUROC over the classes that have positives and negatives.

    The row width gives the classes; of two classes, column 1 is scored alone.

    Args:
        y_true: (n,) class indices 0..C-1.
        y_score: (n, C) finite scores.

    Raises:
        NotScored: fewer than two columns, or no class has both positives and negatives.
        ValueError: labels outside 0..C-1, scores that are not finite, or lengths that differ.
    """
    score = numbers(y_score, "scores", ndim=2)
    classes = score.shape[1]
    if classes < 2:
        raise NotScored("one-versus-rest AUROC needs at least two classes")
    label = indices(y_true, classes)
    same_length(label, score)
    if classes == 2:
        return auroc(label, score[:, 1])
    present = np.bincount(label, minlength=classes)
    usable = [column for column in range(classes) if 0 < present[column] < len(label)]
    if not usable:
        raise NotScored("no class has both positive and negative cases")
    return float(np.mean([auroc(label == column, score[:, column]) for column in usable]))


def macro_f1(y_true: ArrayLike, y_score: ArrayLike) -> float:
    """Mean F1 over the classes that occur among the labels or the predicted classes.

    The predicted class is the column with the highest score, the first one on ties. A class without a hit
    has F1 0.

    Args:
        y_true: (n,) class indices 0..C-1.
        y_score: (n, C) finite scores.

    Raises:
        NotScored: there is no case.
        ValueError: labels outside 0..C-1, scores that are not finite, or lengths that differ.
    """
    score = numbers(y_score, "scores", ndim=2)
    classes = score.shape[1]
    label = indices(y_true, classes)
    same_length(label, score)
    if len(label) == 0:
        raise NotScored("F1 needs at least one case")
    predicted = score.argmax(axis=1)
    hits = np.bincount(label[label == predicted], minlength=classes)
    size = np.bincount(label, minlength=classes) + np.bincount(predicted, minlength=classes)
    occurs = size > 0
    return float(np.mean(2.0 * hits[occurs] / size[occurs]))
