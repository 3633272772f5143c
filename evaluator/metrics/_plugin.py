"""The row of a metric, which holds all that is known of it, and the data it is computed from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from evaluator.metrics._errors import NotScored
from evaluator.metrics.intervals import BCA, MetricInterval, Pair, Way
from evaluator.resampling import Counts

Direction = Literal["higher", "lower"]
Scope = Literal["per_case", "per_dataset"]
Reads = Literal["binary", "classes", "numbers"]
"""What a metric of datasets reads: labels 0 and 1 with one score, class indices with a score per class, or numbers."""

Test = Literal["t", "delong", "influence"]
"""How two submissions are compared by their influence: as means of cases, as areas under ROC curves, or neither."""

SEGMENTATIONS = "single segmentations"
DATASETS = "whole datasets"
"""What metrics are of, in the words of a sentence: label maps, or one number or a score per class of all cases."""

Values = NDArray[np.float64]

SECONDS = 600.0
"""How long a metric may compute for one board where it declares nothing else."""

MOST_SECONDS = 86400.0
"""The most that it may declare: a day."""

_BLOCK = 2_000_000  # count cells at a time: about 16 MB per intermediate array


class Parameters(BaseModel):
    """A metric's own fields in a challenge file; unknown fields are errors, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class CaseData:
    """One case of a segmentation: label maps of the same shape and the voxel spacing per array axis in mm.

    The built-in metrics keep in `shared` what several of them need, so a case is best given to all as one.
    """

    prediction: NDArray[Any]
    reference: NDArray[Any]
    spacing_mm: tuple[float, ...]
    shared: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)


@dataclass(frozen=True)
class DatasetData:
    """All cases of a dataset, missing outputs already replaced.

    labels: (n,) the truth: 0 or 1, class indices 0..C-1, or numbers.
    scores: (n,) one number per case, or (n, C) one score per case and class.
    groups: per variable the group of each case, None where unknown; only fairness metrics read it.
    """

    labels: NDArray[Any]
    scores: NDArray[np.float64]
    groups: Mapping[str, Sequence[str | None]] = field(default_factory=dict)


Influence = Callable[[DatasetData, Any], Values]
Weighted = Callable[[DatasetData, Counts, Any], Values]
Exact = Callable[[DatasetData, NDArray[np.intp], float], Pair | None]


@dataclass(frozen=True)
class Draws:
    """How the cases of a dataset were drawn, for metrics that make their intervals themselves.

    counts: how often each case is in each resample, shape (resamples, cases). units: the resampling unit of each case.
    level: of the interval. error: the standard deviation of the value over the resamples.
    """

    counts: Counts
    units: NDArray[np.intp]
    level: float
    error: float


OwnInterval = Callable[[DatasetData, Any, Draws], MetricInterval | None]


@dataclass(frozen=True)
class _Declared:
    """What every metric declares; `worst` is the value that a missing one counts as.

    seconds: how long all its calls for one board, resamples included, may take together. Only metrics that
    are not built in are held to it.
    title: what people call it. unit: of its values, empty for a share or where the challenge knows it.
    interval: how the intervals of its values are made; the reasons stand where the ways are defined.

    Raises:
        ValueError: `seconds` is not above 0 and up to a day.
    """

    name: str
    direction: Direction
    minimum: float
    maximum: float
    worst: float
    parameters: type[Parameters]
    seconds: float = field(default=SECONDS, kw_only=True)
    title: str | None = field(default=None, kw_only=True)
    unit: str = field(default="", kw_only=True)
    interval: Way = field(default=BCA, kw_only=True)

    def __post_init__(self) -> None:
        if not 0 < self.seconds <= MOST_SECONDS:
            raise ValueError(
                f"seconds of {self.name} are {self.seconds}, not above 0 and up to {MOST_SECONDS:g}"
            )

    def parse(self, fields: Mapping[str, Any]) -> Any:
        """The metric's parameters from the fields of a challenge file.

        Raises:
            pydantic.ValidationError: a field is unknown, missing or out of range.
        """
        return self.parameters.model_validate(dict(fields))


@dataclass(frozen=True)
class CaseMetric(_Declared):
    """A metric of one case, averaged over cases. A case without a valid output counts as `worst`.

    missing: what it counts as instead, from the parameters, where `worst` is no finite number.
    material: what it is computed from; a board takes it where its task's kind of output is enough for that.
    """

    function: Callable[[CaseData, Any], float]
    missing: Callable[[Any], float] | None = field(default=None, kw_only=True)

    material: str = field(default=SEGMENTATIONS, kw_only=True)

    @property
    def scope(self) -> Scope:
        """Always "per_case"."""
        return "per_case"

    @property
    def test(self) -> Test:
        """Always "t", that of means."""
        return "t"

    def score(self, case: CaseData, parameters: Any) -> float:
        """The value of one case; `parameters` come from `parse`."""
        return float(self.function(case, parameters))

    def score_missing(self, parameters: Any) -> float:
        """The value of a case without a valid output; `parameters` come from `parse`."""
        return self.worst if self.missing is None else float(self.missing(parameters))


@dataclass(frozen=True)
class DatasetMetric(_Declared):
    """A metric of a whole dataset. What is None is not known of it, and scoring does without.

    function: the value. replacement: the scores that stand for a missing output, from its label, the number of
    classes and the parameters.
    influence: how much each case moves the value, shape (cases,); see `evaluator.metrics.influence`.
    weighted: the value of the cases repeated as each row of counts says, shape (rows,), NaN where it is undefined;
    see `evaluator.metrics.weighted`.
    exact: bounds of a value that no resample changes, from the unit of each case and the level.
    test: how differences of two submissions are tested by their influence.
    reads: what of its material it is computed from; None where it takes anything.
    material: as for `CaseMetric`.
    compares: where the metric compares another one between groups, that one and its parameters, from its own.
    own_interval: its interval from the data, the parameters and how cases were drawn; where it gives None, and where it
    is None, intervals are made as `interval` says.
    interval_note: a sentence that belongs to each of its intervals.
    """

    function: Callable[[DatasetData, Any], float]
    replacement: Callable[[float, int, Any], Sequence[float]]
    influence: Influence | None = None
    weighted: Weighted | None = field(default=None, kw_only=True)
    exact: Exact | None = field(default=None, kw_only=True)
    test: Test = field(default="influence", kw_only=True)
    reads: Reads | None = field(default=None, kw_only=True)
    compares: Callable[[Any], tuple["DatasetMetric", Any]] | None = field(default=None, kw_only=True)
    own_interval: OwnInterval | None = field(default=None, kw_only=True)
    interval_note: str | None = field(default=None, kw_only=True)

    material: str = field(default=DATASETS, kw_only=True)

    @property
    def scope(self) -> Scope:
        """Always "per_dataset"."""
        return "per_dataset"

    def score(self, data: DatasetData, parameters: Any) -> float:
        """The value of a dataset; `parameters` come from `parse`.

        Raises:
            NotScored: the metric is undefined for this data.
        """
        return float(self.function(data, parameters))

    def replace(self, label: float, classes: int, parameters: Any) -> Values:
        """The scores of a case without a valid output: one number, or a row of `classes` numbers.

        Returns:
            shape (1,) for metrics of one number per case, (classes,) for metrics of a score per class.
        """
        return np.asarray(self.replacement(label, classes, parameters), dtype=np.float64)

    def replicates(self, data: DatasetData, counts: Counts, parameters: Any) -> Values:
        """The value in every resample, shape (resamples,); NaN where it is undefined.

        Without a weighted form the metric is computed of the repeated cases, once per resample.

        Args:
            data: the cases, missing outputs already replaced.
            counts: how often each case is in each resample, shape (resamples, cases).
            parameters: as `parse` gives them.
        """
        if self.weighted is None:
            return np.array([self._repeated(data, row, parameters) for row in counts])
        # A comparison of groups divides its work itself, group by group.
        blocks = _blocks(counts) if self.compares is None else [counts]
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            return np.concatenate([self.weighted(data, block, parameters) for block in blocks])

    def compared(self, parameters: Any) -> tuple["DatasetMetric", Any]:
        """The metric whose values groups are compared by, and its parameters: what it compares, else itself.

        Raises:
            ValueError: it compares a metric that cannot be compared.
            evaluator.metrics.registry.UnknownMetric: it compares one that does not exist.
        """
        return (self, parameters) if self.compares is None else self.compares(parameters)

    def _repeated(self, data: DatasetData, row: Values, parameters: Any) -> float:
        chosen = np.repeat(np.arange(len(row)), row.astype(np.intp))
        groups = {name: [groups[case] for case in chosen.tolist()] for name, groups in data.groups.items()}
        try:
            return self.score(DatasetData(data.labels[chosen], data.scores[chosen], groups), parameters)
        except NotScored:
            return float("nan")


def _blocks(counts: Counts) -> Sequence[Counts]:
    rows = max(_BLOCK // max(counts.shape[1], 1), 1)
    return [counts[start : start + rows] for start in range(0, len(counts), rows)]


MetricPlugin = CaseMetric | DatasetMetric
