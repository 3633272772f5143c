"""Scoring one board: from canonical outputs and references to values, intervals and replicates."""

from evaluator.scoring._classes import class_of
from evaluator.scoring._groups import groups_of
from evaluator.scoring._probe import cohort_of
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
from evaluator.scoring._score import score_board, score_outputs
from evaluator.scoring._values import ReadOutput, ScoringError, bound_metrics, canonical_outputs

__all__ = [
    "Extras",
    "FairnessReport",
    "GroupReport",
    "MetricReport",
    "ProbeReport",
    "ReadOutput",
    "Report",
    "ScoringError",
    "SeedReport",
    "VariableReport",
    "bound_metrics",
    "canonical_outputs",
    "class_of",
    "cohort_of",
    "groups_of",
    "score_board",
    "score_outputs",
]
