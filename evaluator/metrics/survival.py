"""Metrics of survival times, of which some are censored: until then there was no event."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics._errors import NotScored
from evaluator.metrics._plugin import DatasetData, DatasetMetric, Parameters, Values
from evaluator.metrics.intervals import LOGIT
from evaluator.resampling import Counts

MATERIAL = "survival times"
"""What metrics of times, of which some are censored, declare as their material."""

_ROWS = 256  # cases at a time that are compared with all others


class _Concordance(Parameters):
    """predicts: "risk", whose higher values mean earlier events, or "time", whose higher values mean later ones."""

    predicts: Literal["risk", "time"] = "risk"


def pairs(data: DatasetData, parameters: _Concordance, first: slice) -> tuple[Values, Values]:
    """Of the cases in `first` with all: what a pair earns, and which pairs can be ordered; shape (first, cases).

    A pair can be ordered where the first case had its event before the time of the other, or at the time until which
    the other had none. It earns 1 where the prediction orders it so too, ½ where that says the same of both, and 0
    else, also where either case has no prediction (NaN). F. E. Harrell et al. 1982
    (https://doi.org/10.1001/jama.1982.03320430047030).
    """
    time, event = data.labels[:, 0], data.labels[:, 1] == 1
    risk = data.scores if parameters.predicts == "risk" else -data.scores
    own, mine = time[first, None], risk[first, None]
    ordered = event[first, None] & ((own < time) | ((own == time) & ~event))
    earned = np.where(mine > risk, 1.0, np.where(mine == risk, 0.5, 0.0))
    return earned * ordered, ordered.astype(np.float64)


def _weighted(data: DatasetData, counts: Counts, parameters: _Concordance) -> Values:
    earned, possible = np.zeros(len(counts)), np.zeros(len(counts))
    for start in range(0, len(data.labels), _ROWS):
        first = slice(start, start + _ROWS)
        won, ordered = pairs(data, parameters, first)
        earned += (counts[:, first] * (counts @ won.T)).sum(axis=1)
        possible += (counts[:, first] * (counts @ ordered.T)).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        index: Values = earned / possible
    return index


def concordance(data: DatasetData, parameters: _Concordance) -> float:
    """Share of the pairs that can be ordered whose order the predictions say; labels (n, 2): time, and 1 for an event.

    Raises:
        NotScored: no pair can be ordered.
    """
    index = float(_weighted(data, np.ones((1, len(data.labels))), parameters)[0])
    if np.isnan(index):
        raise NotScored("No two cases can be ordered by their times.")
    return index


def _influence(data: DatasetData, parameters: _Concordance) -> NDArray[np.float64]:
    """What a case's weight moves: a case is in pairs as the first and as the other, and the index is their ratio."""
    index, cases = concordance(data, parameters), len(data.labels)
    moved, total = np.zeros(cases), 0.0
    for start in range(0, cases, _ROWS):
        first = slice(start, start + _ROWS)
        won, ordered = pairs(data, parameters, first)
        beyond = won - index * ordered
        moved[first] += beyond.sum(axis=1)
        moved += beyond.sum(axis=0)
        total += ordered.sum()
    return moved / total


def _no_prediction(label: float, classes: int, parameters: Any) -> list[float]:
    return [float("nan")]


METRICS = (
    DatasetMetric(
        "concordance", "higher", 0, 1, 0, _Concordance, concordance, _no_prediction, _influence,
        weighted=_weighted, material=MATERIAL, title="concordance index", interval=LOGIT,
    ),
)  # fmt: skip
