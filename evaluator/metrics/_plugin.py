"""What a metric declares about itself, and the data it is computed from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

Direction = Literal["higher", "lower"]
Scope = Literal["per_case", "per_dataset"]

SECONDS = 600.0
"""How long a metric may compute for one board where it declares nothing else."""

MOST_SECONDS = 86400.0
"""The most that it may declare: a day."""


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


@dataclass(frozen=True)
class _Declared:
    """What every metric declares; `worst` is the value that a missing one counts as.

    seconds: how long all its calls for one board, resamples included, may take together. Only metrics that
    are not built in are held to it.

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
    """

    function: Callable[[CaseData, Any], float]
    missing: Callable[[Any], float] | None = field(default=None, kw_only=True)

    material: str = field(default="single segmentations", kw_only=True)

    @property
    def scope(self) -> Scope:
        """Always "per_case"."""
        return "per_case"

    def score(self, case: CaseData, parameters: Any) -> float:
        """The value of one case; `parameters` come from `parse`."""
        return float(self.function(case, parameters))

    def score_missing(self, parameters: Any) -> float:
        """The value of a case without a valid output; `parameters` come from `parse`."""
        return self.worst if self.missing is None else float(self.missing(parameters))


@dataclass(frozen=True)
class DatasetMetric(_Declared):
    """A metric of a whole dataset, with the scores that stand for a missing output.

    influence: how much each case moves it (see `evaluator.metrics.influence`), where that is known.
    """

    function: Callable[[DatasetData, Any], float]
    replacement: Callable[[float, int, Any], Sequence[float]]
    influence: Callable[[DatasetData, Any], NDArray[np.float64]] | None = None

    material: str = field(default="whole datasets", kw_only=True)

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

    def replace(self, label: float, classes: int, parameters: Any) -> NDArray[np.float64]:
        """The scores of a case without a valid output: one number, or a row of `classes` numbers.

        Returns:
            shape (1,) for metrics of one number per case, (classes,) for metrics of a score per class.
        """
        return np.asarray(self.replacement(label, classes, parameters), dtype=np.float64)


MetricPlugin = CaseMetric | DatasetMetric
