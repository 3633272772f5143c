"""Metrics that are not built in: each is computed in a process of its own, so its failures stay its own."""

import math
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Self

from pydantic import ValidationError

from evaluator.metrics import CaseData, DatasetData, DatasetMetric, MetricFailed, MetricPlugin, NotScored
from evaluator.metrics.plugin_child import CallResult
from evaluator.metrics.registry import is_built_in
from evaluator.scoring._report import GroupReport, MetricReport, Report
from evaluator.scoring._values import BoundMetric, Job

_NOT_A_NUMBER = "it returned no finite number"
_ROUNDING = 1e-9  # a mean of ones may be 1 + 2e-16
_MARGIN = 10.0  # seconds beyond its own in which the process, which should have ended itself, is believed
_TICK = 0.1  # seconds after which a process without an answer is looked after
_LONGEST = 2**20  # bytes of an answer
_UNREADABLE = "its process gave no readable answer"


def split_metrics(job: Job) -> tuple[Job, dict[str, BoundMetric]]:
    """The job with its built-in metrics only, and the others."""
    foreign = {key: metric for key, metric in job.metrics.items() if _is_foreign(metric)}
    own = {key: metric for key, metric in job.metrics.items() if key not in foreign}
    return replace(job, metrics=own), foreign


def _is_foreign(metric: BoundMetric) -> bool:
    """Also a comparison of a metric that is not built in, for it calls that one."""
    plugin = metric.plugin
    called = plugin.compared(metric.parameters)[0] if isinstance(plugin, DatasetMetric) else plugin
    return not (is_built_in(plugin) and is_built_in(called))


def with_plugin(
    report: Report, job: Job, key: str, metric: BoundMetric, run: Callable[[Job], Report]
) -> Report:
    """`report` with one more metric, scored by `run` as if it were the only one of its board.

    A metric that raises, returns no number or runs too long is in the report without a value, with the fault
    `scorer_failed` and a reason that names it.
    """
    one_number = bool(job.task.kind.one_number)
    own = job.task.kind.split(job.board.metrics[key].parameters)[1]
    with _Process(metric, own, one_number=one_number) as process:
        try:
            scored = run(replace(job, metrics={key: process.metric}))
            if scored.rejected is None and scored.metrics[key].reason == _NOT_A_NUMBER:
                raise MetricFailed(metric.name, _NOT_A_NUMBER)
        except MetricFailed as failed:
            failure = MetricReport(value=None, reason=str(failed), fault="scorer_failed")
            return report.model_copy(update={"metrics": {**report.metrics, key: failure}})
    return _joined(report, scored)


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
        methods = one.interval_methods | other.interval_methods
        notes = one.interval_notes | other.interval_notes
        return one.model_copy(
            update={
                "values": values,
                "intervals": intervals,
                "interval_methods": methods,
                "interval_notes": notes,
            }
        )

    return {
        variable: {name: joined(group, more[variable][name]) for name, group in groups.items()}
        for variable, groups in mine.items()
    }


class _Process:
    """A metric in a child process. `metric` stands for it in this process: the same declaration, calls passed on.

    one_number: whether an output is one number, and not one per class.
    """

    def __init__(self, metric: BoundMetric, fields: dict[str, Any], *, one_number: bool) -> None:
        self._name, self._plugin, self._one_number = metric.name, metric.plugin, one_number
        self._unsent = pickle.dumps((metric.name, fields), protocol=5)
        self._child: subprocess.Popen[bytes] | None = None
        self._taken = 0.0
        self._lock = threading.Lock()
        self.metric = replace(metric, plugin=self._passed_on(metric.plugin))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the process and those it left; none is waited for but itself, as any may hold its socket."""
        if self._child is not None:
            with suppress(OSError):
                os.killpg(self._child.pid, signal.SIGKILL)
            self._child.wait()
            self._wire.close()

    def _passed_on(self, plugin: MetricPlugin) -> MetricPlugin:
        if isinstance(plugin, DatasetMetric):
            # All else that is computed, such as a comparison's way to resample, would be in this process.
            return replace(
                plugin,
                function=self._of_dataset,
                replacement=self._replacement,
                influence=None,
                weighted=None,
                exact=None,
                own_interval=None,
                compares=None,
            )
        missing = None if plugin.missing is None else self._missing
        return replace(plugin, function=self._of_case, missing=missing)

    def _of_case(self, case: CaseData, _: Any) -> float:
        return self._finite(self._value("score", CaseData(case.prediction, case.reference, case.spacing_mm)))

    def _missing(self, _: Any) -> float:
        return self._finite(self._value("score_missing"))

    def _of_dataset(self, data: DatasetData, _: Any) -> float:
        value = self._value("score", DatasetData(data.labels, data.scores, dict(data.groups)))
        if not math.isfinite(value):  # in a resample or a group that may be so: it counts as undefined there
            raise NotScored(_NOT_A_NUMBER)
        return value

    def _replacement(self, label: float, classes: int, _: Any) -> Sequence[float]:
        wanted = 1 if self._one_number else classes
        values = self._called("replace", float(label), classes)
        if not isinstance(values, list):
            raise MetricFailed(self._name, _UNREADABLE)
        if len(values) != wanted:
            why = f"it replaced a missing output by {len(values)} numbers, and it takes {wanted}"
            raise MetricFailed(self._name, why)
        if not all(map(math.isfinite, values)):
            raise MetricFailed(self._name, "it replaced a missing output by no finite number")
        return values

    def _finite(self, value: float) -> float:
        if not math.isfinite(value):
            raise MetricFailed(self._name, _NOT_A_NUMBER)
        return value

    def _value(self, *call: object) -> float:
        value = self._called(*call)
        if not isinstance(value, float):
            raise MetricFailed(self._name, _UNREADABLE)
        low, high = self._plugin.minimum, self._plugin.maximum
        if math.isfinite(value) and not low - _ROUNDING <= value <= high + _ROUNDING:
            raise MetricFailed(self._name, f"it returned a value outside its range of {low:g} to {high:g}")
        return value

    def _called(self, *call: object) -> float | list[float] | None:
        with self._lock:
            line = self._asked(pickle.dumps(call, protocol=5))
        try:
            answer = CallResult.model_validate_json(line)
        except ValidationError:
            raise MetricFailed(self._name, _UNREADABLE) from None
        if answer.undefined is not None:
            raise NotScored(answer.undefined)
        if answer.failed is not None:
            raise MetricFailed(self._name, answer.failed)
        return answer.value

    def _asked(self, request: bytes) -> bytes:
        child = self._started()
        until = time.monotonic() + self._plugin.seconds * 1.1 - self._taken + _MARGIN
        late, line = False, b""
        try:
            self._wire.settimeout(max(until - time.monotonic(), _TICK))
            self._wire.sendall(self._unsent + request)
            self._unsent = b""
            began = time.monotonic()  # no sooner could the process begin
            try:
                line = self._line(child, until)
            finally:
                self._taken += time.monotonic() - began
        except TimeoutError:
            late = True
        except OSError:
            pass  # it is gone, and the line is empty
        if not line:
            raise MetricFailed(self._name, self._end(child, late))
        return line

    def _line(self, child: subprocess.Popen[bytes], until: float) -> bytes:
        """What the process answers, empty if it ended before the end of a line.

        Its end is asked for: a fork of it may keep the socket open.

        Raises:
            TimeoutError: it is later than `until`.
        """
        self._wire.settimeout(_TICK)
        line = b""
        while not line.endswith(b"\n") and len(line) < _LONGEST:
            try:
                part = self._wire.recv(_LONGEST)
            except TimeoutError:
                if time.monotonic() > until:
                    raise
                if child.poll() is None:
                    continue
                part = b""
            if not part:
                return b""
            line += part
        return line

    def _started(self) -> subprocess.Popen[bytes]:
        if self._child is None:
            child = [sys.executable, "-P", "-u", "-m", "evaluator.metrics.plugin_child"]
            paths = os.pathsep.join(path or os.getcwd() for path in sys.path)  # noqa: PTH109 - a path as text
            self._wire, theirs = socket.socketpair()
            with theirs:
                self._child = subprocess.Popen(
                    [*child, str(self._plugin.seconds)],
                    stdin=theirs.fileno(),
                    stdout=2,  # what it prints is no part of our output
                    env={**os.environ, "PYTHONPATH": paths},
                    start_new_session=True,  # so that what it starts ends with it
                )
        return self._child

    def _end(self, child: subprocess.Popen[bytes], late: bool) -> str:
        if late or self._taken >= self._plugin.seconds:
            return f"it ran longer than {self._plugin.seconds:g} s"
        try:
            return f"its process ended with code {child.wait(1)}"
        except subprocess.TimeoutExpired:  # it closed the socket, and lives
            return _UNREADABLE
