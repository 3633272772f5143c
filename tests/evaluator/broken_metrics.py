"""Metrics that fail in every way that a stranger's code may."""

import ctypes
import faulthandler
import itertools
import math
import os
import sys
import time
from contextlib import suppress

from evaluator.metrics import CaseMetric, NotScored, Parameters, case_metric, dataset_metric

_UNIT = {"direction": "higher", "minimum": 0, "maximum": 1}


def _dataset(function):
    return dataset_metric(**_UNIT, missing=0.0, seconds=20)(function)


@_dataset
def sound(data, parameters):
    print("a metric may print")
    return float(data.scores.mean())


@dataset_metric(**_UNIT, missing=lambda label, classes, parameters: [0.0] * classes, reads="classes")
def of_classes(data, parameters):
    return float((data.scores.argmax(axis=1) == data.labels).mean())


@dataset_metric(**_UNIT, missing=0.0, reads="binary")
def of_two(data, parameters):
    return float(((data.scores > 0.5) == data.labels).mean())


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


@_dataset
def leaves_a_fork(data, parameters):
    if os.fork() == 0:
        time.sleep(600)
    return 0.5


@_dataset
def leaves_a_fork_that_answers(data, parameters):
    return 0.25 if os.fork() == 0 else 0.5


@_dataset
def crashes_and_leaves_a_fork(data, parameters):
    if ctypes.CDLL(None).fork() == 0:  # Python does not hear of it: it keeps the pipes
        time.sleep(600)
    os._exit(7)


@dataset_metric(**_UNIT, missing=0.0, seconds=1)
def stops_its_clock(data, parameters):
    faulthandler.cancel_dump_traceback_later()
    time.sleep(600)


def _answering(content):
    def function(data, parameters):
        for pipe in range(3, 16):
            with suppress(OSError):
                os.write(pipe, content)
        time.sleep(600)

    return dataset_metric(**_UNIT, missing=0.0, seconds=20, name="answering")(function)


answers_garbage = _answering(b"garbage\n")
answers_nothing = _answering(b"{}\n")
answers_a_list = _answering(b"[]\n")
answers_text = _answering(b'{"value": "x"}\n')
answers_half_a_character = _answering(b'{"undefined": "\\ud800"}\n')
answers_too_much = _answering(b'{"value": 1}\n{"value": 1}\n')


def _replacing(missing):
    return dataset_metric(**_UNIT, missing=missing, seconds=2, name="replacing")(lambda data, parameters: 0.5)


replaces_by_nothing = _replacing(lambda label, classes, parameters: [])
replaces_by_nan = _replacing(lambda label, classes, parameters: [math.nan])
replaces_without_end = _replacing(lambda label, classes, parameters: itertools.repeat(0))
replaces_and_exits = _replacing(lambda label, classes, parameters: sys.exit(0))
replaces_late = _replacing(lambda label, classes, parameters: time.sleep(600))


def _exit(parameters):
    sys.exit(0)


exits_for_missing = CaseMetric(
    "odd", "lower", 0, 1, 1, Parameters, lambda case, parameters: 0.5, missing=_exit
)
