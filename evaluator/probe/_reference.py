"""A convex reference: what a linear probe can reach when neither seed nor schedule decides."""

import math
from dataclasses import dataclass

import numpy as np

from evaluator.probe._descent import lowest
from evaluator.probe._train import Array, Classes, probabilities, validation_score

PENALTIES = (10.0, 1.0, 0.1, 0.01, 0.001, 0.0001)
"""L2 penalties on the weights of standardised embeddings, the strongest first; of equals the weakest is chosen."""

_SAME = 9  # decimals; scores that agree so far are a tie


@dataclass(frozen=True)
class ReferenceFit:
    """The L2 logistic regression with the penalty that is best on validation.

    scores: class probabilities of the test cases, shape (test cases, classes), or None where no penalty has a
    validation score. penalty: the chosen one. validation: its macro AUROC there.
    """

    scores: Array | None
    penalty: float | None
    validation: float | None


def fit_reference(
    train: tuple[Array, Classes], val: tuple[Array, Classes], test: Array, *, classes: int
) -> ReferenceFit:
    """Multinomial logistic regression by L-BFGS on cross-entropy, classes weighing the same, + penalty/2 · ‖weights‖².

    Features are standardised by the training cases and turned into their principal coordinates: the optimum
    lies in the span of the training cases, so nothing is lost. The problem is convex, so no seed enters.

    AUROC hardly sees a penalty that leaves only the order of the cases. The class with the highest score would then be
    the largest one of the training for nearly every case, and F1 would speak of class sizes instead of the embedding:
    hence equal weights, and the weakest penalty of equals.

    Args:
        train: embeddings of shape (cases, width) and class numbers of shape (cases,).
        val: as `train`; the penalty with the best macro AUROC on it is chosen.
        test: embeddings of shape (test cases, width).
        classes: number of classes.
    """
    coordinates = _coordinates(train[0], val[0], test)
    if coordinates is None:
        return ReferenceFit(None, None, None)
    weights = np.zeros((coordinates[0].shape[1] + 1, classes))
    best: tuple[float, float, Array] | None = None
    for penalty in PENALTIES:  # each starts where the one before ended
        weights = _fit(coordinates[0], train[1], weights, penalty)
        value = validation_score(val[1], _apply(coordinates[1], weights))
        if value is not None and (best is None or round(value, _SAME) >= round(best[0], _SAME)):
            best = value, penalty, _apply(coordinates[2], weights)
    return ReferenceFit(None, None, None) if best is None else ReferenceFit(best[2], best[1], best[0])


def _coordinates(train: Array, *others: Array) -> tuple[Array, ...] | None:
    with np.errstate(all="ignore"):  # rows that overflow have no coordinates
        mean, scale = train.mean(axis=0), train.std(axis=0)
        scale[scale == 0] = 1
        parts = [(part - mean) / scale for part in (train, *others)]
    if not all(np.isfinite(part).all() for part in (scale, *parts)):
        return None
    _, strength, axes = np.linalg.svd(parts[0], full_matrices=False)
    used = axes[strength > strength.max(initial=0) * 1e-10]
    return tuple(part @ used.T for part in parts)


def _apply(rows: Array, weights: Array) -> Array:
    chances: Array = probabilities(rows @ weights[:-1] + weights[-1], weights.shape[1])[:, 0]
    return chances


def _fit(rows: Array, labels: Classes, start: Array, penalty: float) -> Array:
    classes, target = start.shape[1], np.eye(start.shape[1])[labels]
    size = np.bincount(labels, minlength=classes)
    share = (1 / np.maximum(size, 1))[labels] / np.count_nonzero(size)

    def loss(flat: Array) -> tuple[float, Array]:
        weights = flat.reshape(-1, classes)
        chances = _apply(rows, weights)
        hit = np.maximum(chances[np.arange(len(rows)), labels], np.finfo(float).tiny)
        errors = (chances - target) * share[:, None]
        slope = np.vstack([rows.T @ errors + penalty * weights[:-1], errors.sum(axis=0)])
        value = -math.fsum(np.log(hit) * share) + penalty / 2 * float((weights[:-1] ** 2).sum())
        return value, slope.ravel()

    return lowest(loss, start.ravel()).reshape(-1, classes)
