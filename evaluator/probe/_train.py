"""Training of the probe's linear heads, one per learning rate, in one matrix product per batch.

It is the published recipe, not the organisers' run: their streams are those of another library, so the same seed
gives other first weights and other batches, and values agree within what the seed alone moves them.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluator.metrics import NotScored
from evaluator.metrics.classification import ovr_auroc
from evaluator.spec import Probe

Array = npt.NDArray[np.float64]
Classes = npt.NDArray[np.intp]

_WEIGHT_SCALE = 0.01
_SAME = 9  # decimals; scores that agree so far are a tie


@dataclass(frozen=True)
class ProbeResult:
    """What the chosen head says of the test cases.

    scores: class probabilities, shape (test cases, classes), or None when no head has a validation score.
    learning_rate: of the chosen head. validation: macro AUROC per head, None where it is undefined.
    """

    scores: Array | None
    learning_rate: float | None
    validation: tuple[float | None, ...]


def run_probe(
    train: tuple[Array, Classes], val: tuple[Array, Classes], test: Array, *, classes: int, probe: Probe
) -> ProbeResult:
    """Train every head, choose one on validation, apply it to `test`.

    Args:
        train: embeddings of shape (cases, width) as they were written, and class numbers of shape (cases,).
        val: as `train`; the head with the best macro AUROC on it is chosen, of equals the smaller rate.
        test: embeddings of shape (test cases, width).
        classes: number of classes.
        probe: seed, epochs, batch size, momentum and the learning rates.
    """
    # A rate too large for these embeddings overflows: its head scores nothing.
    with np.errstate(all="ignore"):
        heads = train_heads(*train, classes=classes, probe=probe)
        val_scores = probabilities(_with_bias(val[0]) @ heads, classes)
        test_scores = probabilities(_with_bias(test) @ heads, classes)
    validation = tuple(
        validation_score(val[1], val_scores[:, head]) for head in range(len(probe.learning_rates))
    )
    best = _best(validation, probe.learning_rates)
    if best is None or not np.isfinite(test_scores[:, best]).all():
        return ProbeResult(None, None, validation)
    return ProbeResult(test_scores[:, best], probe.learning_rates[best], validation)


def train_heads(rows: Array, labels: Classes, *, classes: int, probe: Probe) -> Array:
    """Weights of all heads after the last epoch, shape (width + 1, heads * classes), bias last.

    Cross-entropy, SGD with momentum, cosine decay of every rate over all steps. One random stream PCG64(seed)
    gives the weights head by head, each as (classes, width), then one permutation per epoch; the last batch
    of an epoch may be smaller than the others.
    """
    stream = np.random.Generator(np.random.PCG64(probe.seed))
    rows = _with_bias(rows)
    weights = _first_weights(stream, rows.shape[1] - 1, classes, len(probe.learning_rates))
    rates = np.repeat(probe.learning_rates, classes)
    target = np.eye(classes)[labels]
    velocity = np.zeros_like(weights)
    steps = probe.epochs * math.ceil(len(rows) / probe.batch_size)
    step = 0
    for _ in range(probe.epochs):
        order = stream.permutation(len(rows))
        for start in range(0, len(order), probe.batch_size):
            batch = order[start : start + probe.batch_size]
            velocity *= probe.momentum
            velocity += _gradient(weights, rows[batch], target[batch])
            weights -= velocity * (rates * 0.5 * (1 + math.cos(math.pi * step / steps)))
            step += 1
    return weights


def _first_weights(stream: np.random.Generator, width: int, classes: int, heads: int) -> Array:
    weights = np.zeros((width + 1, heads * classes))
    for head in range(heads):
        columns = slice(head * classes, (head + 1) * classes)
        weights[:-1, columns] = stream.normal(0, _WEIGHT_SCALE, (classes, width)).T
    return weights


def _gradient(weights: Array, rows: Array, target: Array) -> Array:
    errors = probabilities(rows @ weights, target.shape[1]) - target[:, None, :]
    gradient: Array = rows.T @ errors.reshape(len(rows), -1) / len(rows)
    return gradient


def probabilities(logits: Array, classes: int) -> Array:
    """Softmax per head: (rows, heads * classes) to (rows, heads, classes)."""
    logits = logits.reshape(len(logits), logits.shape[1] // classes, classes)
    powers = np.exp(logits - logits.max(axis=2, keepdims=True))
    probabilities: Array = powers / powers.sum(axis=2, keepdims=True)
    return probabilities


def _with_bias(rows: Array) -> Array:
    return np.hstack([rows.astype(np.float64), np.ones((len(rows), 1))])


def validation_score(labels: Classes, scores: Array) -> float | None:
    """Macro AUROC, or None where scores are not finite or it is undefined."""
    if not np.isfinite(scores).all():
        return None
    try:
        return ovr_auroc(labels, scores)
    except NotScored:
        return None


def _best(validation: tuple[float | None, ...], rates: tuple[float, ...]) -> int | None:
    scored = [
        (round(value, _SAME), -rates[head], head)
        for head, value in enumerate(validation)
        if value is not None
    ]
    return max(scored)[2] if scored else None
