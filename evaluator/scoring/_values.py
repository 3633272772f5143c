"""The material of scoring: outputs by case, the board's metrics with their parameters, resampling counts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from evaluator import outputs
from evaluator.manifest import Manifest, ManifestError, Reference, References
from evaluator.metrics import DatasetMetric, MetricPlugin
from evaluator.metrics.registry import lookup
from evaluator.resampling import Counts, draw_counts, pooled_strata, unit_numbers
from evaluator.scoring._units import fewest
from evaluator.spec import Board, Kind, Task

ReadOutput = Callable[[str], outputs.Value | None]
"""The output of a case by its name, None if it has no valid one."""


class ScoringError(ValueError):
    """The challenge or the dataset does not allow scoring; never the participant's fault."""


def canonical_outputs(task: Task, directory: Path) -> ReadOutput:
    """Reads `<case><suffix>` of `directory`, which holds canonical files of valid cases only."""

    def read(case: str) -> outputs.Value | None:
        path = directory / f"{case}{task.output.suffix}"
        return outputs.decode(task, path.read_bytes()) if path.exists() else None

    return read


@dataclass(frozen=True)
class BoundMetric:
    """A metric of a board: its row, its parsed parameters and how the challenge file calls it."""

    plugin: MetricPlugin
    parameters: Any
    name: str
    chosen: Any = None


@dataclass(frozen=True)
class Job:
    """Everything that one scoring needs. cache: where processes share trained probes, if they do."""

    name: str
    board: Board
    task: Task
    manifest: Manifest
    references: References
    read: ReadOutput
    metrics: Mapping[str, BoundMetric]
    cache: Path | None = None


def bound_metrics(board: Board, kind: Kind) -> dict[str, BoundMetric]:
    """Every metric of `board`, whose task has outputs of `kind`, by its key.

    Raises:
        ScoringError: a metric does not exist or has parameters that do not fit.
    """
    bound: dict[str, BoundMetric] = {}
    for key, metric in board.metrics.items():
        try:
            plugin = lookup(metric.metric)
            parameters = plugin.parse(kind.split(metric.parameters)[1])
            if isinstance(plugin, DatasetMetric):
                plugin.compared(parameters)
            bound[key] = BoundMetric(plugin, parameters, metric.metric, kind.chosen(metric.parameters))
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"])
            raise ScoringError(f"metric {key}: {field}: {first['msg']}") from None
        except Exception as error:  # noqa: BLE001 - metrics that are not built in are anybody's code
            raise ScoringError(f"metric {key}: {error}") from None
    return bound


@dataclass(frozen=True)
class Sample:
    """The scored cases as a sample: what is drawn from them, and how.

    counts: how often each case is in each resample, shape (resamples, cases). units: the number of the
    resampling unit of each case, numbered as they first occur. level: of the intervals. subjects: as units, of those
    that change places where chance is asked: never whole sites. classes: the number of each case's class, all 0 in a
    task without any.
    """

    counts: Counts
    units: npt.NDArray[np.intp]
    level: float
    subjects: npt.NDArray[np.intp]
    classes: npt.NDArray[np.intp]

    @property
    def fewest(self) -> int:
        """How many units the smallest class has."""
        return fewest(self.units, self.classes)

    @property
    def sites(self) -> int | None:
        """How many whole sites are drawn from, None where subjects or cases are: only sites hold several subjects."""
        units = len(np.unique(self.units))
        return units if units < len(np.unique(self.subjects)) else None


def resample(job: Job, cases: Sequence[str], classes: Sequence[str], salt: str = "") -> Sample:
    """The resamples of `cases`.

    `classes` holds the class of each case, the same text for all where the task has no classes. `salt` tells
    the draws of several sets of cases of one dataset apart.

    Raises:
        evaluator.manifest.ManifestError: sites are drawn, and a case has none.
    """
    bootstrap = job.board.bootstrap
    rows = [job.references.rows[case] for case in cases]
    subjects = list(cases) if bootstrap.unit == "case" else [row.subject for row in rows]
    units = [_site(row) for row in rows] if bootstrap.unit == "site" else subjects
    marks = [
        {"site": row.site, "cohort": row.cohort, "class": label}
        for row, label in zip(rows, classes, strict=True)
    ]
    strata = [tuple(mark[name] for name in bootstrap.strata) for mark in marks]
    kept = [tuple(mark[name] for name in bootstrap.strata if name != "site") for mark in marks]
    counts = draw_counts(
        units,
        pooled_strata(units, strata, kept),
        resamples=bootstrap.resamples,
        digest=job.manifest.digest + salt,
    )
    return Sample(
        counts, unit_numbers(units), bootstrap.level, unit_numbers(subjects), unit_numbers(list(classes))
    )


def _site(row: Reference) -> str:
    if not row.site:
        raise ManifestError(f"{row.place}: the case has no site, and the board's bootstrap draws sites")
    return row.site
