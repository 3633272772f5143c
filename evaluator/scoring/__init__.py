"""Scoring one board: from canonical outputs and references to values, intervals and replicates."""

from evaluator.scoring._fairness import joined_bounds
from evaluator.scoring._files import truth_of
from evaluator.scoring._groups import groups_of
from evaluator.scoring._intervals import dataset_interval, exact_of, influence_of, interval_of
from evaluator.scoring._kept import KeptReferences
from evaluator.scoring._probe import cohort_of
from evaluator.scoring._probe_runs import Tested
from evaluator.scoring._probe_seeds import Runs
from evaluator.scoring._report import (
    Extras,
    FairnessReport,
    GroupReport,
    MetricReport,
    ProbeReport,
    Report,
    SeedReport,
    VariableReport,
)
from evaluator.scoring._score import read_ahead, score_board, score_outputs
from evaluator.scoring._settings import changed_settings, parameters_of, same_setting, settings_of
from evaluator.scoring._values import (
    BoundMetric,
    ReadOutput,
    Sample,
    ScoringError,
    bound_metrics,
    canonical_outputs,
)

__all__ = [
    "BoundMetric",
    "Extras",
    "FairnessReport",
    "GroupReport",
    "KeptReferences",
    "MetricReport",
    "ProbeReport",
    "ReadOutput",
    "Report",
    "Runs",
    "Sample",
    "ScoringError",
    "SeedReport",
    "Tested",
    "VariableReport",
    "bound_metrics",
    "canonical_outputs",
    "changed_settings",
    "cohort_of",
    "dataset_interval",
    "exact_of",
    "groups_of",
    "influence_of",
    "interval_of",
    "joined_bounds",
    "parameters_of",
    "read_ahead",
    "same_setting",
    "score_board",
    "score_outputs",
    "settings_of",
    "truth_of",
]
