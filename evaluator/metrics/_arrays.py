"""Checks that the metrics share."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def numbers(values: ArrayLike, name: str, ndim: int = 1) -> NDArray[np.float64]:
    """`values` as a finite float64 array of `ndim` dimensions.

    Raises:
        ValueError: wrong number of dimensions, or a value that is not finite.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != ndim:
        raise ValueError(f"{name} must have {ndim} dimensions, not {array.ndim}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite")
    return array


def indices(values: ArrayLike, classes: int) -> NDArray[np.int64]:
    """`values` as class indices 0..classes-1.

    Raises:
        ValueError: not one-dimensional, not whole, or outside the classes.
    """
    array = numbers(values, "labels")
    whole = array.astype(np.int64)
    if (whole != array).any() or (whole < 0).any() or (whole >= classes).any():
        raise ValueError(f"labels must be class indices from 0 to {classes - 1}")
    return whole


def mask(values: ArrayLike, name: str) -> NDArray[np.bool_]:
    """`values` as a boolean array; labels other than 0 and 1 must be compared by the caller.

    Raises:
        ValueError: the array is not boolean.
    """
    array: NDArray[Any] = np.asarray(values)
    if array.dtype != np.bool_:
        raise ValueError(f"{name} must be a boolean array, not {array.dtype}")
    return array


def same_length(one: NDArray[Any], other: NDArray[Any]) -> None:
    """Raise ValueError unless both arrays have as many entries along the first axis."""
    if len(one) != len(other):
        raise ValueError(f"there are {len(one)} labels but {len(other)} scores")


def binary_scores(y_true: ArrayLike, y_score: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Which of (n,) labels 0 or 1 are 1, and (n,) finite scores.

    Raises:
        ValueError: other labels, scores that are not finite, or lengths that differ.
    """
    positive = indices(y_true, 2).astype(bool)
    score = numbers(y_score, "scores")
    same_length(positive, score)
    return positive, score


def class_scores(y_true: ArrayLike, y_score: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(n,) class indices and (n, C) finite scores; the row width gives the classes.

    Raises:
        ValueError: labels outside 0..C-1, scores that are not finite, or lengths that differ.
    """
    score = numbers(y_score, "scores", ndim=2)
    label = indices(y_true, score.shape[1])
    same_length(label, score)
    return label, score


def number_pair(y_true: ArrayLike, y_pred: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n,) truths and (n,) predictions.

    Raises:
        ValueError: numbers that are not finite, or lengths that differ.
    """
    true, predicted = numbers(y_true, "labels"), numbers(y_pred, "predictions")
    same_length(true, predicted)
    return true, predicted
