"""The challenge file as typed, frozen models; a challenge is data, not code."""

from evaluator.spec._boards import Board, Bootstrap, GroupVariable, Metric, Probe, Ranking
from evaluator.spec._challenge import Attempts, Challenge, Phase
from evaluator.spec._load import load_challenge, merge, parse_challenge, read_challenge
from evaluator.spec._source import Problem, SpecError
from evaluator.spec._tasks import (
    MOST_AT_ONCE,
    EmbeddingOutput,
    Gpu,
    Input,
    Limits,
    NumberOutput,
    OneOf,
    Output,
    ScoresOutput,
    SegmentationOutput,
    Task,
)

__all__ = [
    "MOST_AT_ONCE",
    "Attempts",
    "Board",
    "Bootstrap",
    "Challenge",
    "EmbeddingOutput",
    "Gpu",
    "GroupVariable",
    "Input",
    "Limits",
    "Metric",
    "NumberOutput",
    "OneOf",
    "Output",
    "Phase",
    "Probe",
    "Problem",
    "Ranking",
    "ScoresOutput",
    "SegmentationOutput",
    "SpecError",
    "Task",
    "load_challenge",
    "merge",
    "parse_challenge",
    "read_challenge",
]
