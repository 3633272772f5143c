"""Outputs that the platform makes itself, and what scoring has to make of them: tried before anybody submits."""

from evaluator.reference_outputs._judge import Judgement, judge_refused, judge_scored
from evaluator.reference_outputs._truth import Truth, TruthUnreadable, truth_of_task
from evaluator.reference_outputs._variants import PERFECT, ReferenceVariant, variants

__all__ = [
    "PERFECT",
    "Judgement",
    "ReferenceVariant",
    "Truth",
    "TruthUnreadable",
    "judge_refused",
    "judge_scored",
    "truth_of_task",
    "variants",
]
