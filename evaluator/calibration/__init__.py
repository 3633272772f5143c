"""Whether intervals and sets of places hold as often as they say, of datasets like the observed one."""

from evaluator.calibration._calibrate import calibrate, steps_of
from evaluator.calibration._coverage import Coverage, World, covered, groups_interval
from evaluator.calibration._design import Design
from evaluator.calibration._families import family_of
from evaluator.calibration._pooled import Pooled, by_metric
from evaluator.calibration._published import (
    ALLOWED,
    CalibrationFile,
    IntervalCoverage,
    PlacesCoverage,
    Promised,
    Unchecked,
)
from evaluator.calibration._worlds import binormal, calls, correlated, softmax_rows, survived

__all__ = [
    "ALLOWED",
    "CalibrationFile",
    "Coverage",
    "Design",
    "IntervalCoverage",
    "PlacesCoverage",
    "Pooled",
    "Promised",
    "Unchecked",
    "World",
    "binormal",
    "by_metric",
    "calibrate",
    "calls",
    "correlated",
    "covered",
    "family_of",
    "groups_interval",
    "softmax_rows",
    "steps_of",
    "survived",
]
