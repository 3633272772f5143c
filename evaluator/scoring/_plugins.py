"""Metrics that are not built in: each is computed in a process of its own, so its failures stay its own."""

import json
import math
import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from evaluator.metrics import CaseData, DatasetData, DatasetMetric, MetricFailed, MetricPlugin, NotScored
from evaluator.metrics.registry import is_built_in
from evaluator.scoring._report import GroupReport, MetricReport, Report
from evaluator.scoring._values import BoundMetric, Job

_NOT_A_NUMBER = "it returned no finite number"
_ROUNDING = 1e-9  # a mean of ones may be 1 + 2e-16


def split_metrics(job: Job) -> tuple[Job, dict[str, BoundMetric]]:
    """The job with its built-in metrics only, and the others."""
    foreign = {key: metric for key, metric in job.metrics.items() if _is_foreign(metric)}
    own = {key: metric for key, metric in job.metrics.items() if key not in foreign}
    return replace(job, metrics=own), foreign


def _is_foreign(metric: BoundMetric) -> bool:
    # Fairness of a metric that is not built in calls that one.
    compared = getattr(metric.parameters, "of", metric.name) if metric.name == "fairness" else metric.name
    return not is_built_in(compared)


def with_plugin(
    report: Report, job: Job, key: str, metric: BoundMetric, run: Callable[[Job], Report]
) -> Report:
    """`report` with one more metric, scored by `run` as if it were the only one of its board.

    A metric that raises, returns no number or runs too long is in the report without a value, with the fault
    `scorer_failed` and a reason that names it.
    """
    with _Process(metric, job.board.metrics[key].parameters) as process:
        try:
            found = run(replace(job, metrics={key: process.metric}))
            if found.rejected is None and found.metrics[key].reason == _NOT_A_NUMBER:
                raise MetricFailed(metric.name, _NOT_A_NUMBER)
        except MetricFailed as failed:
            failure = MetricReport(value=None, reason=str(failed), fault="scorer_failed")
            return report.model_copy(update={"metrics": {**report.metrics, key: failure}})
    return _joined(report, found)


def _joined(report: Report, other: Report) -> Report:
    fairness = {**(report.extras.fairness or {}), **(other.extras.fairness or {})}
    extras = {"groups": _joined_groups(report, other), "fairness": fairness or None}
    return report.model_copy(
        update={
            "metrics": {**report.metrics, **other.metrics},
            "per_case": {**report.per_case, **other.per_case},
            "extras": report.extras.model_copy(update=extras),
        }
    )


def _joined_groups(report: Report, other: Report) -> dict[str, dict[str, GroupReport]] | None:
    mine, more = report.extras.groups, other.extras.groups
    if mine is None or more is None:
        return mine or more

    def joined(one: GroupReport, other: GroupReport) -> GroupReport:
        values, intervals = one.values | other.values, one.intervals | other.intervals
        return one.model_copy(update={"values": values, "intervals": intervals})

    return {
        variable: {name: joined(group, more[variable][name]) for name, group in found.items()}
        for variable, found in mine.items()
    }


class _Process:
    """A metric in a child process. `metric` stands for it in this process: the same declaration, calls passed on."""

    def __init__(self, metric: BoundMetric, fields: dict[str, Any]) -> None:
        self._name, self._fields, self._plugin = metric.name, fields, metric.plugin
        self._child: subprocess.Popen[bytes] | None = None
        self._taken = 0.0
        self._lock = threading.Lock()
        # Fairness has its own way to resample, in this process; under another name it is a metric like any other.
        name = f"fairness of {fields.get('of')}" if metric.name == "fairness" else metric.name
        self.metric = BoundMetric(self._passed_on(metric.plugin), metric.parameters, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.communicate()

    def _passed_on(self, plugin: MetricPlugin) -> MetricPlugin:
        if isinstance(plugin, DatasetMetric):
            return replace(plugin, function=self._of_dataset, replacement=self._replacement, influence=None)
        return replace(plugin, function=self._of_case)

    def _of_case(self, case: CaseData, _: Any) -> float:
        value = self._call(CaseData(case.prediction, case.reference, case.spacing_mm))
        if not math.isfinite(value):
            raise MetricFailed(self._name, _NOT_A_NUMBER)
        return value

    def _of_dataset(self, data: DatasetData, _: Any) -> float:
        value = self._call(DatasetData(data.labels, data.scores, dict(data.groups)))
        if not math.isfinite(value):  # in a resample or a group that may be so: it counts as undefined there
            raise NotScored(_NOT_A_NUMBER)
        return value

    def _replacement(self, label: float, classes: int, parameters: Any) -> Sequence[float]:
        if not isinstance(self._plugin, DatasetMetric):
            raise TypeError("only metrics of whole datasets replace outputs")
        with self._blamed():
            return [float(one) for one in self._plugin.replacement(label, classes, parameters)]

    @contextmanager
    def _blamed(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            raise MetricFailed(self._name, f"it raised {type(error).__name__}") from error

    def _call(self, data: CaseData | DatasetData) -> float:
        with self._lock:
            answer = self._asked(data)
        if "undefined" in answer:
            raise NotScored(str(answer["undefined"]))
        if "failed" in answer:
            raise MetricFailed(self._name, str(answer["failed"]))
        value = float(answer["value"])
        low, high = self._plugin.minimum, self._plugin.maximum
        if math.isfinite(value) and not low - _ROUNDING <= value <= high + _ROUNDING:
            raise MetricFailed(self._name, f"it returned a value outside its range of {low:g} to {high:g}")
        return value

    def _asked(self, data: CaseData | DatasetData) -> dict[str, Any]:
        child = self._started()
        began = time.monotonic()
        line = b""
        try:
            pickle.dump(data, child.stdin, protocol=5)  # type: ignore[arg-type]  # a pipe, as asked for
            child.stdin.flush()  # type: ignore[union-attr]
            line = child.stdout.readline()  # type: ignore[union-attr]
        except OSError:
            pass  # it is gone, and the line is empty
        self._taken += time.monotonic() - began
        if not line:
            raise MetricFailed(self._name, self._end(child))
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _started(self) -> subprocess.Popen[bytes]:
        if self._child is None:
            command = [
                sys.executable,
                "-P",
                "-m",
                "evaluator.metrics.plugin_child",
                f"{self._plugin.seconds:g}",
            ]
            paths = os.pathsep.join(path or os.getcwd() for path in sys.path)  # noqa: PTH109 - a path as text
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": paths},
            )
            pickle.dump((self._name, self._fields), self._child.stdin, protocol=5)  # type: ignore[arg-type]
        return self._child

    def _end(self, child: subprocess.Popen[bytes]) -> str:
        code = child.wait()
        if self._taken >= self._plugin.seconds:
            return f"it ran longer than {self._plugin.seconds:g} s"
        return f"its process ended with code {code}"
