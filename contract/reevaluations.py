"""Re-evaluations as they are sent and answered. Organizers only: what stands beside is in it."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from contract.answers import Answer, Id, Older, OrNewer
from contract.bounds import AwareMoment, Few, Strict
from contract.challenges import MOST_OF_A_FILE
from contract.changes import Shifts
from contract.ids import DatasetId
from contract.queue import LEAST_PRIORITY, MOST_PRIORITY
from contract.statuses import EvaluationStatus, ReevaluationState
from contract.texts import Line, Name, Prose

MOST_NAMED = 500
"""Teams, submissions, evaluations and the like that one filter may name."""
MOST_REPETITIONS = 20
USUAL_PRIORITY = -10
"""Behind whatever participants wait for."""

Why = Annotated[str, Line(1000, least=1, strip=True)]
Digest = Annotated[str, Field(pattern="^sha256:[0-9a-f]{64}$", max_length=71)]
_Word = Annotated[str, Line(100, least=1)]
_Names = Annotated[tuple[Name, ...], Few(50)]
_Words = Annotated[tuple[_Word, ...], Few(MOST_NAMED)]


class ReevaluationMode(StrEnum):
    """Where the outcomes of cases come from."""

    RESCORE = "rescore"  # every outcome is taken over; no container runs
    COMPLETE = "complete"  # outcomes are taken over, and cases that have none run
    RERUN = "rerun"  # every case runs again


class ReevaluationScope(Strict):
    """Which evaluations are meant: all that count and match every filter; values of one filter are alternatives.

    A filter that is left out, or empty, asks for nothing. `teams`: names or ids. `submissions`, `evaluations`: ids or
    their beginnings. `images`, `datasets`: digests or their beginnings. `hosts`: names of run workers' tokens or their
    ids, `workers`: of their slots, `gpus`: UUIDs or models, as the driver names them. What is asked of cases (verdicts,
    workers, hosts, gpus) has to hold of one case of the evaluation, all of it of the same; `ran_since`, `ran_until`:
    when that case ended. `since` and `until`: when the evaluation was submitted.
    """

    phases: _Names = ()
    tracks: _Names = ()
    tasks: _Names = ()
    teams: _Words = ()
    submissions: _Words = ()
    evaluations: _Words = ()
    images: _Words = ()
    statuses: Annotated[tuple[EvaluationStatus, ...], Few(10)] = ()
    reasons: _Words = ()
    verdicts: _Words = ()
    workers: _Words = ()
    hosts: _Words = ()
    gpus: _Words = ()
    evaluator_versions: _Words = ()
    datasets: _Words = ()
    ran_since: AwareMoment | None = None
    ran_until: AwareMoment | None = None
    since: AwareMoment | None = None
    until: AwareMoment | None = None


class ReevaluationOrder(Strict):
    """What a re-evaluation is to be.

    datasets: versions of the cases that it scores on and that come into force with it, one of a phase and task at most;
    elsewhere those in force count. file, overlay: a challenge file that it scores under and that becomes the present
    version with it.
    """

    mode: ReevaluationMode
    why: Why
    scope: ReevaluationScope = ReevaluationScope()
    repetitions: Annotated[int, Field(strict=True, ge=1, le=MOST_REPETITIONS)] = 1
    priority: Annotated[int, Field(strict=True, ge=LEAST_PRIORITY, le=MOST_PRIORITY)] = USUAL_PRIORITY
    datasets: Annotated[tuple[DatasetId, ...], Few(100)] = ()
    file: Annotated[str, Prose(MOST_OF_A_FILE)] | None = None
    overlay: Annotated[str, Prose(MOST_OF_A_FILE)] | None = None

    @model_validator(mode="after")
    def _repeats_what_runs(self) -> Self:
        if self.repetitions > 1 and self.mode is not ReevaluationMode.RERUN:
            raise ValueError("repetitions are of a rerun: what is taken over is the same each time")
        return self


class ReevaluationIn(ReevaluationOrder):
    """A re-evaluation to be drafted, as it is sent."""


class WhyIn(Strict):
    """Why it is done; the event keeps it, and everybody reads it where other evaluations count then."""

    why: Why


class ApplyIn(Strict):
    """digest: of the preview that was decided on; what counts has to be what it was then. why: everybody reads it."""

    digest: Digest
    why: Why | None = None


class Exclusion(StrEnum):
    """Why an evaluation that the scope holds is not among those that are made anew."""

    words: str

    def __new__(cls, value: str, words: str) -> "Exclusion":
        """A member of this value."""
        code = str.__new__(cls, value)
        code._value_, code.words = value, words
        return code

    UNDER_WAY = "under_way", "it is under way; once it has ended it is brought in"
    ERRORED = "errored", "it ended by the platform's fault: have it retried instead"
    WITHDRAWN = "cancelled", "it was cancelled"
    IN_ANOTHER = "in_another", "it is in another re-evaluation"
    NOT_IN_FILE = "not_in_file", "the challenge file has its phase, track or task no more"
    NO_CASES = "no_cases", "its phase has no cases of its task"
    RUNS_OTHERWISE = (
        "runs_otherwise",
        "the challenge file runs its task otherwise by now; only a rerun is comparable",
    )
    OUTPUT_MISSING = "output_missing", "a case has no stored output of the same inputs"
    NO_OUTPUT = "no_output", "it was rejected and has no outputs"
    IMAGE_GONE = "image_gone", "its team has removed the image"


class ExcludedOut(Answer):
    """Evaluations of the scope that are left out for one reason; `others`: the re-evaluations that have them."""

    reason: Annotated[Exclusion | str, OrNewer()]
    sentence: str
    count: int
    evaluations: list[Id]
    others: list[Id]


class ReevaluationPlanOut(Answer):
    """What would be made, or while it runs what has come late: evaluations, their cases, and what these cost.

    gpu_hours, slot_hours: by what cases took so far, by their limits where none was measured. `excluded` by reason.
    questions: what applying its file alone would ask, while it is a draft; there are none without a file.
    """

    evaluations: int
    cases_to_run: int
    cases_to_score: int
    gpu_hours: float
    slot_hours: float
    excluded: list[ExcludedOut]
    sentence: str
    questions: Annotated[list[str], Older([])]


class ReevaluationOut(Answer):
    """A re-evaluation. statuses: how many of its evaluations stand where. version: the file that comes with it, if any.

    plan: what it would make, or what has come late; null once it is over.
    """

    id: Id
    challenge: str
    state: Annotated[ReevaluationState | str, OrNewer()]
    mode: Annotated[ReevaluationMode | str, OrNewer()]
    scope: ReevaluationScope
    why: str
    repetitions: int
    priority: int
    datasets: list[Id]
    version: str | None
    created_by: str
    created_at: datetime
    started_at: datetime | None
    ready_at: datetime | None
    applied_at: datetime | None
    cancelled_at: datetime | None
    reverted_at: datetime | None
    applied_digest: str | None
    statuses: dict[str, int]
    plan: ReevaluationPlanOut | None


class PairOut(Answer):
    """An evaluation and the one that was made beside it. comes: whether it comes into force when this is applied."""

    old: Id
    new: Id
    repetition: int
    team: str
    phase: str
    track: str
    task: str
    old_status: str
    new_status: str
    comes: bool


class CountOut(Answer):
    """How many were `old` and are `new`; null where there is none on that side."""

    old: str | None
    new: str | None
    count: int


class ValueSpread(Answer):
    """The least and the largest value of a metric of a board over the repetitions."""

    board: str
    metric: str
    low: float
    high: float


class CaseSpread(Answer):
    """A case whose repetitions differ, under its pseudonym in the evaluation that counts."""

    case: str
    outputs: int
    verdicts: list[str]
    least_seconds: float | None
    most_seconds: float | None


class SpreadOut(Answer):
    """What the repetitions of one evaluation came to: cases that were compared, those that differ, and the values."""

    evaluation: Id
    team: str
    phase: str
    track: str
    task: str
    deterministic: bool
    cases: int
    differing: list[CaseSpread]
    values: list[ValueSpread]


class AttemptsOut(Answer):
    """Attempts that a team has spent now and would have spent, where these differ."""

    team: str
    phase: str
    track: str
    task: str
    spent: int
    would_be: int


class ToldOut(Answer):
    """What the members of a team will be told once it is applied; nothing of it is hidden from them."""

    team: str
    sentences: list[str]


class ReevaluationPreview(Answer):
    """What applying it would do. `digest` is what `apply` takes: of all that counts now, and of what was found.

    boards: values, places and prizes that change, with the cause. told: by team.
    """

    digest: str
    pairs: list[PairOut]
    statuses: list[CountOut]
    verdicts: list[CountOut]
    spreads: list[SpreadOut]
    attempts: list[AttemptsOut]
    boards: Shifts
    told: list[ToldOut]
    late: list[Id]
    sentences: list[str]


class AppliedOut(Answer):
    """How many evaluations changed places, and what there is to tell."""

    changed: int
    sentences: list[str]
