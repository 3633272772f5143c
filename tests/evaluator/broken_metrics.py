"""Metrics that fail in every way that a stranger's code may."""

import itertools
import math
import os
import sys
import time

from evaluator.metrics import NotScored, case_metric, dataset_metric

_UNIT = {"direction": "higher", "minimum": 0, "maximum": 1}


def _dataset(function):
    return dataset_metric(**_UNIT, missing=0.0, seconds=20)(function)


@_dataset
def sound(data, parameters):
    print("a metric may print")
    return float(data.scores.mean())


@_dataset
def raises(data, parameters):
    raise KeyError("subject-17 has label 1")


@_dataset
def exits(data, parameters):
    sys.exit(0)


@_dataset
def crashes(data, parameters):
    os._exit(7)


@_dataset
def nan(data, parameters):
    return math.nan


@_dataset
def outside(data, parameters):
    return 1.5


@_dataset
def no_number(data, parameters):
    return "high"


@_dataset
def undefined(data, parameters):
    raise NotScored("There is nothing to compare.")


@_dataset
def nan_in_resamples(data, parameters):
    return math.nan if len(set(data.scores.tolist())) < 5 else 0.5


@dataset_metric(**_UNIT, missing=0.0, seconds=1)
def hangs(data, parameters):
    time.sleep(60)


@dataset_metric(**_UNIT, missing=0.0, seconds=1)
def hangs_in_c(data, parameters):
    return float(sum(itertools.repeat(0, 10**12)))  # one call that holds the interpreter for hours


@dataset_metric(**_UNIT, missing=lambda label, classes, parameters: 1 / 0)
def bad_replacement(data, parameters):
    return 0.5


@case_metric(**_UNIT)
def nan_for_empty(case, parameters):
    return 1.0 if case.prediction.any() else math.nan
