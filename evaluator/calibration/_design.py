"""How many cases a simulated dataset has, of whom, of which classes, and how they are drawn."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluator.resampling import draw_counts, pooled_strata, unit_numbers
from evaluator.scoring import Sample

Stream = np.random.Generator
Numbers = npt.NDArray[np.float64]
Labels = npt.NDArray[np.intp]

_TOGETHER = 0.8
"""The correlation of a subject's sessions."""


@dataclass(frozen=True)
class Design:
    """Cases, sites that they come from at random, their classes, and sessions of each subject.

    share: of label 1. sizes: instead of it the subjects of each class, in the order of labels.
    """

    cases: int
    sites: int = 1
    share: float = 0.5
    sessions: int = 1
    sizes: tuple[int, ...] = ()

    @property
    def subjects(self) -> Labels:
        """The subject of each case."""
        return np.repeat(np.arange(self.cases // self.sessions), self.sessions)

    @property
    def labels(self) -> Labels:
        """The class of each case; all sessions of a subject have its label."""
        if self.sizes:
            by_subject: Labels = np.repeat(np.arange(len(self.sizes)), self.sizes)
            return by_subject[self.subjects]
        positives = max(round(self.subjects[-1] + 1) * self.share, 2)
        shared: Labels = (self.subjects < round(positives)).astype(np.intp)
        return shared

    @property
    def classes(self) -> Labels:
        """The same with at least three classes: label 0 stands for two of equal size where only a share is known."""
        labels = self.labels.copy()
        if not self.sizes:
            labels[labels == 0] = 1 + np.arange((labels == 0).sum()) // self.sessions % 2
        return labels

    def noise(self, stream: Stream) -> Numbers:
        """Standard normal values of cases, correlated within a subject."""
        own: Numbers = stream.normal(size=self.subjects[-1] + 1)[self.subjects]
        if self.sessions == 1:
            return own
        return math.sqrt(_TOGETHER) * own + math.sqrt(1 - _TOGETHER) * stream.normal(size=len(own))

    def enlarged(self, cases: int) -> "Design":
        """As many cases of as many subjects, in the same parts."""
        ends = np.round(np.cumsum((0, *self.sizes)) / max(sum(self.sizes), 1) * cases)
        return replace(self, cases=cases, sessions=1, sizes=tuple(int(size) for size in np.diff(ends)))

    def sample(self, stream: Stream, strata: list[Any], *, resamples: int, level: float) -> Sample:
        """Draws within sites and `strata`, the class of each case, as scoring makes them."""
        units = self.subjects.tolist()
        sites = stream.integers(self.sites, size=self.subjects[-1] + 1)[self.subjects]
        pooled = pooled_strata(units, list(zip(sites.tolist(), strata, strict=True)), strata)
        counts = draw_counts(units, pooled, resamples=resamples, digest=str(stream.integers(2**40)))
        return Sample(counts, unit_numbers(units), level, self.subjects, unit_numbers(strata))
