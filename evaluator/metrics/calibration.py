"""How well probabilities say what they mean."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evaluator.metrics._arrays import indices, numbers, same_length
from evaluator.metrics._errors import NotScored


def brier(y_true: ArrayLike, y_score: ArrayLike) -> float:
    """Brier score of (n,) probabilities of label 1: mean of (p − y)², from 0 (best) to 1.

    Raises:
        NotScored: there is no case, or a score is no probability.
        ValueError: labels other than 0 and 1, scores that are not finite, or lengths that differ.
    """
    label, chance = binary_probabilities(y_true, y_score)
    return float(np.mean((chance - label) ** 2))


def ovr_brier(y_true: ArrayLike, y_score: ArrayLike) -> float:
    """Mean over the C classes of the Brier score of one class against the rest, from 0 (best) to 1.

    Args:
        y_true: (n,) class indices 0..C-1.
        y_score: (n, C) probabilities.

    Raises:
        NotScored: as `brier`.
        ValueError: as `brier`.
    """
    label, chance = class_probabilities(y_true, y_score)
    return float(np.mean((chance - np.eye(chance.shape[1])[label]) ** 2))


def calibration_error(y_true: ArrayLike, y_score: ArrayLike, *, bins: int = 10) -> float:
    """Expected calibration error of (n,) probabilities of label 1, from 0 (best) to 1.

    The probabilities are put into `bins` of equal width, each with its upper bound, the first also with 0. The
    error is the mean over cases of |mean probability − share of label 1| of their bin (Naeini et al., AAAI
    2015). It shrinks with fewer bins and grows by chance with few cases per bin.

    Raises:
        NotScored: as `brier`.
        ValueError: as `brier`, or fewer than one bin.
    """
    label, chance = binary_probabilities(y_true, y_score)
    excess = np.bincount(bin_of(chance, bins), weights=chance - label, minlength=bins)
    return float(np.abs(excess).sum() / len(label))


def ovr_calibration_error(y_true: ArrayLike, y_score: ArrayLike, *, bins: int = 10) -> float:
    """Mean over the C classes of the calibration error of one class against the rest, of (n, C) probabilities.

    Raises:
        NotScored: as `brier`.
        ValueError: as `brier`, or fewer than one bin.
    """
    label, chance = class_probabilities(y_true, y_score)
    classes = range(chance.shape[1])
    return float(
        np.mean([calibration_error(label == number, chance[:, number], bins=bins) for number in classes])
    )


def bin_of(chance: NDArray[np.float64], bins: int) -> NDArray[np.intp]:
    """The bin 0..bins-1 of each probability; a bin holds its upper bound."""
    if bins < 1:
        raise ValueError("there must be at least one bin")
    inner = np.linspace(0, 1, bins + 1)[1:-1]
    return np.searchsorted(inner, chance, "left")


def binary_probabilities(
    y_true: ArrayLike, y_score: ArrayLike
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Labels 0 or 1 and probabilities, checked; raises as `brier`."""
    label, chance = indices(y_true, 2), numbers(y_score, "scores")
    _check(label, chance)
    return label, chance


def class_probabilities(
    y_true: ArrayLike, y_score: ArrayLike
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Class indices and rows of probabilities, checked; raises as `ovr_brier`."""
    chance = numbers(y_score, "scores", ndim=2)
    label = indices(y_true, chance.shape[1])
    _check(label, chance)
    return label, chance


def _check(label: NDArray[np.int64], chance: NDArray[np.float64]) -> None:
    same_length(label, chance)
    if len(label) == 0:
        raise NotScored("a mean needs at least one case")
    if chance.min() < 0 or chance.max() > 1:
        raise NotScored("the scores are not probabilities from 0 to 1")
