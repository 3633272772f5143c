"""The challenge file as typed, frozen models; a challenge is data, not code."""

from evaluator.frozen import Model
from evaluator.spec._base import EachOnce, each_once
from evaluator.spec._boards import Board, Bootstrap, GroupVariable, Metric, Probe, Ranking
from evaluator.spec._challenge import Attempts, Challenge, Phase
from evaluator.spec._code import code_in
from evaluator.spec._kinds import (
    Canary,
    Cells,
    Cohorts,
    Files,
    Kind,
    Labels,
    Maps,
    Output,
    Samples,
    UnknownKind,
    kind_of,
    kinds,
    rows,
)
from evaluator.spec._load import load_challenge, merge, parse_challenge, read_challenge
from evaluator.spec._sentences import with_limit
from evaluator.spec._source import SpecError, SpecProblem
from evaluator.spec._tasks import MOST_AT_ONCE, Gpu, Input, Limits, OneOf, Task
from evaluator.spec._texts import wrong_year
from evaluator.spec._words import SLUG, guess

__all__ = [
    "MOST_AT_ONCE",
    "SLUG",
    "Attempts",
    "Board",
    "Bootstrap",
    "Canary",
    "Cells",
    "Challenge",
    "Cohorts",
    "EachOnce",
    "Files",
    "Gpu",
    "GroupVariable",
    "Input",
    "Kind",
    "Labels",
    "Limits",
    "Maps",
    "Metric",
    "Model",
    "OneOf",
    "Output",
    "Phase",
    "Probe",
    "Ranking",
    "Samples",
    "SpecError",
    "SpecProblem",
    "Task",
    "UnknownKind",
    "code_in",
    "each_once",
    "guess",
    "kind_of",
    "kinds",
    "load_challenge",
    "merge",
    "parse_challenge",
    "read_challenge",
    "rows",
    "with_limit",
    "wrong_year",
]
