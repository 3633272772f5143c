"""Makes a metric of a plain function, so that a plugin is a few lines."""

from collections.abc import Callable, Sequence
from typing import Any

from evaluator.metrics._plugin import (
    SECONDS,
    CaseData,
    CaseMetric,
    DatasetData,
    DatasetMetric,
    Direction,
    Parameters,
    Reads,
)


def case_metric(
    *,
    direction: Direction,
    minimum: float,
    maximum: float,
    worst: float | None = None,
    missing: Callable[[Any], float] | None = None,
    parameters: type[Parameters] = Parameters,
    seconds: float = SECONDS,
    name: str | None = None,
    title: str | None = None,
    unit: str = "",
) -> Callable[[Callable[[CaseData, Any], float]], CaseMetric]:
    """Decorates a function of one case and the parsed parameters that returns the value of that case.

    Args:
        direction: whether "higher" or "lower" values are better.
        minimum: lowest value that the function may return.
        maximum: highest value that it may return.
        worst: value of a case without a valid output; the worse end of the range if left out.
        missing: that value as a function of the parsed parameters, where they decide it.
        parameters: model of the metric's fields in a challenge file.
        seconds: how long all calls for one board may take together, above 0 and up to a day.
        name: the metric's name; that of the function if left out.
        title: what people call it; its name if left out.
        unit: of its values, if they have one.
    """
    floor = (minimum if direction == "higher" else maximum) if worst is None else worst

    def declare(function: Callable[[CaseData, Any], float]) -> CaseMetric:
        called = name or function.__name__
        return CaseMetric(
            called,
            direction,
            minimum,
            maximum,
            floor,
            parameters,
            function,
            seconds=seconds,
            missing=missing,
            title=title,
            unit=unit,
        )

    return declare


def dataset_metric(
    *,
    direction: Direction,
    minimum: float,
    maximum: float,
    missing: float | Callable[[float, int, Any], Sequence[float]],
    worst: float | None = None,
    parameters: type[Parameters] = Parameters,
    seconds: float = SECONDS,
    name: str | None = None,
    title: str | None = None,
    unit: str = "",
    reads: Reads | None = None,
) -> Callable[[Callable[[DatasetData, Any], float]], DatasetMetric]:
    """Decorates a function of all cases and the parsed parameters that returns the value of the dataset.

    Args:
        direction: as for `case_metric`.
        minimum: as for `case_metric`.
        maximum: as for `case_metric`.
        missing: the prediction that stands for a missing output: one number, or a function of the label, the
            number of classes and the parameters that returns the scores, one per class where there are classes.
        worst: value of a dataset without any, as for `case_metric`.
        parameters: as for `case_metric`.
        seconds: as for `case_metric`.
        name: as for `case_metric`.
        title: as for `case_metric`.
        unit: as for `case_metric`.
        reads: "binary" for labels 0 and 1 with one score, "classes" for a score per class, "numbers" for a number;
            a challenge file that asks for the metric of other outputs is then refused.
    """
    floor = (minimum if direction == "higher" else maximum) if worst is None else worst
    replacement = missing if callable(missing) else _always(missing)

    def declare(function: Callable[[DatasetData, Any], float]) -> DatasetMetric:
        return DatasetMetric(
            name or function.__name__,
            direction,
            minimum,
            maximum,
            floor,
            parameters,
            function,
            replacement,
            seconds=seconds,
            title=title,
            unit=unit,
            reads=reads,
        )

    return declare


def _always(value: float) -> Callable[[float, int, Any], Sequence[float]]:
    return lambda label, classes, parameters: [value]
