"""The linear probe of 13 learning rates against a loop that trains one head after the other, both in numpy."""

import math

import numpy as np
import numpy.typing as npt

from benchmarks.support.compare import Comparison, compare
from evaluator.metrics.classification import ovr_auroc
from evaluator.probe import fit_reference, run_probe
from evaluator.spec import Probe

_CLASSES, _PER_CLASS, _WIDTH = 3, 80, 768

Array = npt.NDArray[np.float64]
Part = tuple[Array, npt.NDArray[np.intp]]


def run() -> list[Comparison]:
    """One sweep over 240 embeddings of width 768, and the convex reference fit on them."""
    stream = np.random.default_rng(26)
    centres = stream.normal(0, 0.1, (_CLASSES, _WIDTH))
    train, val, test = (_part(stream, centres, size) for size in (_PER_CLASS, 20, 100))
    probe = Probe()
    result = run_probe(train, val, test[0], classes=_CLASSES, probe=probe)
    rate, scores = _loop(train, val, test[0], probe)
    if result.scores is None or result.learning_rate != rate:
        raise RuntimeError("the two choose different heads")
    if abs(ovr_auroc(test[1], result.scores) - ovr_auroc(test[1], scores)) > 1e-9:
        raise RuntimeError("the two disagree")
    sweep = compare(
        f"probe sweep, {_CLASSES * _PER_CLASS} × {_WIDTH}, 13 heads",
        ("evaluator", lambda: run_probe(train, val, test[0], classes=_CLASSES, probe=probe)),
        ("loop over heads, numpy", lambda: _loop(train, val, test[0], probe)),
        repeat=7,
        least=2.0,
    )
    return [sweep, _reference(train, val, test)]


def _reference(train: Part, val: Part, test: Part) -> Comparison:
    from sklearn.linear_model import LogisticRegression

    from evaluator.probe import PENALTIES

    mean, scale = train[0].mean(axis=0), train[0].std(axis=0)
    rows = (train[0] - mean) / scale

    def scikit() -> None:
        for penalty in PENALTIES:
            LogisticRegression(C=1 / (penalty * len(rows)), tol=1e-8, max_iter=2000).fit(rows, train[1])

    return compare(
        f"reference fit, {len(PENALTIES)} penalties",
        ("evaluator", lambda: fit_reference(train, val, test[0], classes=_CLASSES)),
        ("scikit-learn's LogisticRegression", scikit),
        repeat=3,
    )


def _part(stream: np.random.Generator, centres: Array, per_class: int) -> Part:
    labels = np.repeat(np.arange(_CLASSES), per_class)
    return centres[labels] + stream.normal(0, 1, (len(labels), _WIDTH)), labels


def _loop(train: Part, val: Part, test: Array, probe: Probe) -> tuple[float, Array]:
    """The published recipe, head by head, with the same random streams."""
    stream = np.random.Generator(np.random.PCG64(probe.seed))
    weights = [stream.normal(0, 0.01, (_CLASSES, _WIDTH)) for _ in probe.learning_rates]
    orders = [stream.permutation(len(train[0])) for _ in range(probe.epochs)]
    best: tuple[float, float, Array] | None = None
    for weight, rate in zip(weights, probe.learning_rates, strict=True):
        head = _train(train, orders, weight, rate, probe)
        value = ovr_auroc(val[1], _chances(val[0], *head))
        if best is None or value > best[0] + 1e-9:
            best = value, rate, _chances(test, *head)
    if best is None:
        raise RuntimeError("there is no head")
    return best[1], best[2]


def _train(
    train: Part, orders: list[npt.NDArray[np.intp]], weight: Array, rate: float, probe: Probe
) -> tuple[Array, Array]:
    rows, labels = train
    target, bias = np.eye(_CLASSES)[labels], np.zeros(_CLASSES)
    velocity, bias_velocity = np.zeros_like(weight), np.zeros(_CLASSES)
    steps, step = probe.epochs * math.ceil(len(rows) / probe.batch_size), 0
    for order in orders:
        for start in range(0, len(order), probe.batch_size):
            batch = order[start : start + probe.batch_size]
            errors = (_chances(rows[batch], weight, bias) - target[batch]) / len(batch)
            velocity = probe.momentum * velocity + errors.T @ rows[batch]
            bias_velocity = probe.momentum * bias_velocity + errors.sum(axis=0)
            now = rate * (1 + math.cos(math.pi * step / steps)) / 2
            weight, bias = weight - now * velocity, bias - now * bias_velocity
            step += 1
    return weight, bias


def _chances(rows: Array, weight: Array, bias: Array) -> Array:
    logits = rows @ weight.T + bias
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    chances: Array = powers / powers.sum(axis=1, keepdims=True)
    return chances
