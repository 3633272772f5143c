"""Whether intervals and sets of places hold as often as they say, of datasets like the observed one."""

from evaluator.calibration._calibrate import calibrate, steps_of
from evaluator.calibration._coverage import Coverage, World, covered, groups_interval, share_error
from evaluator.calibration._design import Design
from evaluator.calibration._families import family_of
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
    "Promised",
    "Unchecked",
    "World",
    "binormal",
    "calibrate",
    "calls",
    "correlated",
    "covered",
    "family_of",
    "groups_interval",
    "share_error",
    "softmax_rows",
    "steps_of",
    "survived",
]
