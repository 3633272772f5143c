"""Metrics of class scores."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evaluator.metrics._arrays import binary_scores, class_scores, indices, numbers, same_length
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
    positive, score = binary_scores(y_true, y_score)
    # Only the order of the classes among each other counts, so each is sorted alone: that is a third of the
    # work of ranking all, and half sums of whole numbers are exact.
    high, low = np.sort(score[positive]), np.sort(score[~positive])
    if not len(high) or not len(low):
        raise NotScored("AUROC needs cases of both classes")
    won = int(np.searchsorted(low, high, "left").sum()) + int(np.searchsorted(low, high, "right").sum())
    return won / (2 * len(high) * len(low))


def auprc(y_true: ArrayLike, y_score: ArrayLike) -> float:
    """Area under the precision-recall curve as average precision: Σ (recall step) · precision, no interpolation.

    Tied scores enter together, at the precision of the whole group. A constant score earns the share of positives.

    Args:
        y_true: (n,) labels 0 or 1.
        y_score: (n,) finite scores, higher for label 1.

    Raises:
        NotScored: there is no positive case.
        ValueError: other labels, scores that are not finite, or lengths that differ.
    """
    positive = indices(y_true, 2)
    score = numbers(y_score, "scores")
    same_length(positive, score)
    if not positive.any():
        raise NotScored("average precision needs a positive case")
    order = np.argsort(-score)
    last = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))  # of each group of equals
    hits = np.cumsum(positive[order])[last]
    return float(np.sum(np.diff(hits, prepend=0) * (hits / (last + 1))) / hits[-1])


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
    return _macro(auroc, label, score)


def ovr_auprc(y_true: ArrayLike, y_score: ArrayLike) -> float:
    """Macro average of one-versus-rest average precision over the classes that have positives and negatives.

    As `ovr_auroc` otherwise: of two classes, column 1 is scored alone.

    Raises:
        NotScored: fewer than two columns, or no class has both positives and negatives.
        ValueError: labels outside 0..C-1, scores that are not finite, or lengths that differ.
    """
    score = numbers(y_score, "scores", ndim=2)
    if score.shape[1] < 2:
        raise NotScored("one-versus-rest average precision needs at least two classes")
    label = indices(y_true, score.shape[1])
    same_length(label, score)
    return auprc(label, score[:, 1]) if score.shape[1] == 2 else _macro(auprc, label, score)


def _macro(
    metric: Callable[[ArrayLike, ArrayLike], float], label: NDArray[np.int64], score: NDArray[np.float64]
) -> float:
    present = np.bincount(label, minlength=score.shape[1])
    usable = [column for column in range(score.shape[1]) if 0 < present[column] < len(label)]
    if not usable:
        raise NotScored("no class has both positive and negative cases")
    return float(np.mean([metric(label == column, score[:, column]) for column in usable]))


def balanced_accuracy(y_true: ArrayLike, y_score: ArrayLike, *, threshold: float = 0.5) -> float:
    """Mean of sensitivity and specificity, where scores of at least `threshold` say label 1.

    Args:
        y_true: (n,) labels 0 or 1.
        y_score: (n,) finite scores.
        threshold: from which score on a case counts as positive.

    Raises:
        NotScored: all cases have the same label.
        ValueError: other labels, scores that are not finite, or lengths that differ.
    """
    positive, called = _called(y_true, y_score, threshold)
    if positive.all() or not positive.any():
        raise NotScored("balanced accuracy needs cases of both classes")
    return float((called[positive].mean() + (~called[~positive]).mean()) / 2)


def f1(y_true: ArrayLike, y_score: ArrayLike, *, threshold: float = 0.5) -> float:
    """F1 of label 1, 2·TP/(2·TP + FP + FN), where scores of at least `threshold` say label 1.

    Without any positive case or call it is 0.

    Raises:
        NotScored: there is no case.
        ValueError: labels other than 0 and 1, scores that are not finite, or lengths that differ.
    """
    positive, called = _called(y_true, y_score, threshold)
    if not len(positive):
        raise NotScored("F1 needs at least one case")
    size = int(positive.sum()) + int(called.sum())
    return 2 * int((positive & called).sum()) / size if size else 0.0


def _called(
    y_true: ArrayLike, y_score: ArrayLike, threshold: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    positive, score = binary_scores(y_true, y_score)
    return positive, score >= threshold


def macro_recall(y_true: ArrayLike, y_score: ArrayLike) -> float:
    """Balanced accuracy of several classes: mean over the classes among the labels of the share predicted right.

    The predicted class is the column with the highest score, the first one on ties.

    Args:
        y_true: (n,) class indices 0..C-1.
        y_score: (n, C) finite scores.

    Raises:
        NotScored: there is no case.
        ValueError: labels outside 0..C-1, scores that are not finite, or lengths that differ.
    """
    label, score = class_scores(y_true, y_score)
    if len(label) == 0:
        raise NotScored("recall needs at least one case")
    hits = np.bincount(label[label == score.argmax(axis=1)], minlength=score.shape[1])
    size = np.bincount(label, minlength=score.shape[1])
    return float(np.mean(hits[size > 0] / size[size > 0]))


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
    label, score = class_scores(y_true, y_score)
    classes = score.shape[1]
    if len(label) == 0:
        raise NotScored("F1 needs at least one case")
    predicted = score.argmax(axis=1)
    hits = np.bincount(label[label == predicted], minlength=classes)
    size = np.bincount(label, minlength=classes) + np.bincount(predicted, minlength=classes)
    occurs = size > 0
    return float(np.mean(2.0 * hits[occurs] / size[occurs]))
