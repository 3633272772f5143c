"""Distributions of data whose truth is known: each gives a dataset of a design from one or two numbers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from evaluator.calibration._design import Design, Numbers, Stream
from evaluator.metrics import DatasetData

_LEAST = 1e-3
"""What the logits of no skill are multiplied with, so that they still differ."""


def logistic(score: Numbers) -> Numbers:
    """From the real numbers to probabilities."""
    from scipy.special import expit

    found: Numbers = expit(score)
    return found


def binormal(stream: Stream, design: Design, distance: float) -> Numbers:
    """Scores of label 1 lie `distance` standard deviations above those of label 0."""
    return design.noise(stream) + distance * (design.labels - 0.5)


def calls(stream: Stream, design: Design, skill: float, boldness: float = 1.0) -> DatasetData:
    """Probabilities of binormal scores, right where both classes are as frequent; below 0 they say the opposite.

    boldness: by how much the logits are too far from 0.
    """
    scores = binormal(stream, design, skill)
    return DatasetData(design.labels, logistic(boldness * max(abs(skill), _LEAST) * scores))


def softmax_rows(stream: Stream, design: Design, skill: float, boldness: float = 1.0) -> DatasetData:
    """A row of normal scores, that of the true class `skill` higher, as probabilities."""
    labels = design.classes
    rows = np.stack([design.noise(stream) for _ in range(max(labels.max() + 1, 2))], axis=1)
    rows[np.arange(len(labels)), labels] += skill
    rows = np.exp(boldness * rows)
    return DatasetData(labels, rows / rows.sum(axis=1, keepdims=True))


def correlated(stream: Stream, design: Design, strength: float) -> DatasetData:
    """Two normal variables with that correlation, of the same mean and spread."""
    one = design.noise(stream)
    return DatasetData(one, strength * one + math.sqrt(1 - strength**2) * design.noise(stream))


def normal_errors(stream: Stream, design: Design, scale: float) -> DatasetData:
    """Predictions with normal errors of 10 to the power of `scale`."""
    labels = 10.0**scale * 3 * design.noise(stream)
    return DatasetData(labels, labels + 10.0**scale * design.noise(stream))


def survived(stream: Stream, design: Design, strength: float) -> DatasetData:
    """Times that risks shorten, of which a third are not seen to their end."""
    risk = design.noise(stream)
    time = np.exp(-strength * risk + stream.normal(size=design.cases))
    seen = np.exp(0.6 + stream.normal(size=design.cases))
    return DatasetData(np.stack([np.minimum(time, seen), time <= seen], axis=1), risk)


@dataclass(frozen=True)
class Population:
    """Values as they were observed, smoothed: what occurs once is spread by a normal kernel, what repeats is kept.

    least, most: where the spread is reflected. h = 0.9·min(SD, IQR/1.34)·n^(−1/5) (Silverman 1986).
    """

    observed: tuple[float, ...]
    least: float
    most: float

    @cached_property
    def _values(self) -> tuple[Numbers, Numbers]:
        """The values in order, and how widely each is spread."""
        values, where, times = np.unique(np.array(self.observed), return_inverse=True, return_counts=True)
        alone = times[where] == 1
        single = values[where][alone]
        width = 0.0
        if len(single) > 1:
            quarter, three = np.quantile(single, [0.25, 0.75])
            spread = min(float(single.std(ddof=1)), float(three - quarter) / 1.34 or math.inf)
            width = 0.9 * spread * len(single) ** -0.2
        return values[where], np.where(alone, width, 0.0)

    def __call__(self, stream: Stream, design: Design) -> Numbers:
        values, widths = self._values
        drawn = stream.integers(len(values), size=design.subjects[-1] + 1)
        found = values[drawn] + widths[drawn] * stream.normal(size=len(drawn))
        found = np.where(found < self.least, 2 * self.least - found, found)
        found = np.where(found > self.most, 2 * self.most - found, found)
        kept: Numbers = np.clip(found, self.least, self.most)[design.subjects]
        return kept


@dataclass(frozen=True)
class SignedErrors:
    """Predictions that miss by the population's amounts, upwards as often as downwards."""

    sizes: Population

    def __call__(self, stream: Stream, design: Design) -> DatasetData:
        sizes = self.sizes(stream, design)
        errors = sizes * stream.choice([-1.0, 1.0], size=len(sizes))
        return DatasetData(np.zeros(len(errors)), errors)


@dataclass(frozen=True)
class SkilledGroups:
    """Cases whose skill depends on the groups that they are in, which are independent between variables.

    skill: of all. variables: per variable the name, share of the cases and additional skill of each group; what is
    left of the cases is in none.
    """

    skill: float
    variables: Sequence[tuple[str, Sequence[tuple[str, float, float]]]]

    def scaled(self, scale: float) -> "SkilledGroups":
        """The same with so many times as much additional skill."""
        variables = [
            (variable, [(name, share, scale * more) for name, share, more in members])
            for variable, members in self.variables
        ]
        return SkilledGroups(self.skill, variables)

    def __call__(self, stream: Stream, design: Design) -> DatasetData:
        labels, people = design.classes, int(design.subjects[-1]) + 1
        skill, groups = np.full(people, self.skill), {}
        for variable, members in self.variables:
            shares = np.array([share for _, share, _ in members])
            rest = max(1 - shares.sum(), 0.0)
            chosen = stream.choice(
                len(members) + 1, size=people, p=np.append(shares, rest) / (shares.sum() + rest)
            )
            names = [*(name for name, _, _ in members), None]
            groups[variable] = [names[number] for number in chosen[design.subjects]]
            skill += np.array([*(more for *_, more in members), 0.0])[chosen]
        rows = np.stack([design.noise(stream) for _ in range(max(labels.max() + 1, 2))], axis=1)
        rows[np.arange(len(labels)), labels] += skill[design.subjects]
        rows = np.exp(rows)
        return DatasetData(labels, rows / rows.sum(axis=1, keepdims=True), groups)
