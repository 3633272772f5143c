"""What a run worker and the server say to each other: the offer of a slot, leases, heartbeats, and how a case ended.

Fields are added with a default and never renamed: a worker that runs may meet a newer server, and the other way round.
Whoever reads ignores fields that it does not know, but for those of a task and of its limits: a worker that does not
know a limit must not run the case as if there were none.
"""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, StrictBool, WithJsonSchema

from contract.bounds import MOST_INT, BigInt, Few, Seconds
from contract.cuda import DriverVersion
from contract.ids import CaseRunId, EvaluationId, SubmissionId
from contract.images import ImageFacts
from contract.receipts import RunReceipt
from contract.statuses import Mode
from contract.texts import Cleaned, Line
from evaluator.spec import MOST_AT_ONCE, Limits, Task
from evaluator.terminal import in_line
from evaluator.verdicts import Check, Fault, PlatformFault, code_of


def _named(name: str) -> str:
    if in_line(name) != name:
        raise ValueError("has to be one line of letters, digits and signs")
    return name


def _absent(value: object) -> bool:
    return value is None or value is False


def _set(limits: Limits) -> dict[str, Any]:
    """What is not as it always is: a worker of an older version knows no field that came later."""
    return limits.model_dump(mode="json", exclude={"pack", "invoke"}, exclude_defaults=True)


def _whole(task: Task) -> dict[str, Any]:
    return task.model_dump(mode="json")


def _to_run(facts: ImageFacts) -> dict[str, Any]:
    """What of an image runs: its checkpoint, and what it asks of a driver, are nothing to a worker."""
    return facts.model_dump(mode="json", exclude={"checkpoint", "requires_driver"})


SlotName = Annotated[str, Line(100, least=1), AfterValidator(_named)]
_Runtime = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,40}$", max_length=40)]
# Objects of any form in the API's description: what a challenge file says is described elsewhere.
_Any = WithJsonSchema({"type": "object", "additionalProperties": True})
_WholeTask = Annotated[Task, PlainSerializer(_whole, return_type=dict[str, Any]), _Any]
_RunFacts = Annotated[ImageFacts, PlainSerializer(_to_run, return_type=dict[str, Any]), _Any]
_SetLimits = Annotated[Limits, PlainSerializer(_set, return_type=dict[str, Any]), _Any]


BLOB_ADDRESS = "Proctor-Blob-Address"
"""The header, of an answer without content, that says where in the store of blobs a run worker may read one."""
DRAINING = "Proctor-Draining"
"""Header of the answer to a slot that is leased nothing because it drains: a sentence for its log."""
TOO_SMALL = "Proctor-Too-Small"
"""Header of the answer to a slot that is leased nothing while cases wait that fit no slot: a sentence for its log."""


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True)


class SlotOffer(_Said):
    """What a slot that asks for a case offers, within what a machine can have; memory in bytes.

    `gpu_memory` is that of one GPU and `gpu_model` its name; `gpu_cuda` is the newest CUDA that its driver takes, and
    `gpu_driver` the driver's own version. `runtimes` are those of its container engine.
    """

    name: SlotName
    cpus: Annotated[float, Field(strict=True, gt=0, le=4096, allow_inf_nan=False)]
    memory: Annotated[int, Field(strict=True, gt=0, le=2**46)]
    gpus: Annotated[int, Field(strict=True, ge=0, le=64)] = 0
    gpu_memory: Annotated[int, Field(strict=True, ge=0, le=2**42)] = 0
    gpu_model: Annotated[str, Line(100)] | None = None
    gpu_cuda: Annotated[DriverVersion | None, Field(exclude_if=_absent)] = None
    gpu_driver: Annotated[DriverVersion | None, Field(exclude_if=_absent)] = None
    most: Annotated[
        int, Field(strict=True, ge=1, le=MOST_AT_ONCE, description="Cases it would run at once")
    ] = 1
    invoke: Annotated[StrictBool, Field(description="It can keep one container for several cases")] = False
    runtimes: Annotated[tuple[_Runtime, ...], Few(20)] = ("runc",)


class SlotState(_Said):
    """Why a slot takes no work, in a sentence for admins; null where it does.

    `examining`: its host is being examined, so that it takes none yet; `unfit` is said once that has ended.
    """

    unfit: Annotated[str, Cleaned(1000, least=1)] | None
    examining: Annotated[StrictBool, Field(exclude_if=_absent)] = False


class HeldLease(_Said):
    """A lease by what it was given out as."""

    case_run: CaseRunId
    claim_no: Annotated[int, Field(strict=True, ge=1, le=MOST_INT)]

    @property
    def name(self) -> str:
        """A name for this claim of this case run, for files and containers."""
        return f"{self.case_run}-{self.claim_no}"


class InputFile(_Said):
    """One input of a case: its digest in hexadecimal digits, and its bytes."""

    sha256: str
    size: int


class CaseLease(HeldLease):
    """One case of a lease. It names no case: `pseudonym` is what the container is told.

    `repeat`: it is also run in a fresh container, and the two outputs are compared.
    """

    pseudonym: str
    inputs: dict[str, InputFile]
    repeat: bool = False


class Lease(CaseLease):
    """One case to run, and in `more` further ones of the same evaluation, each with a lease of its own.

    `mode`: each in a fresh container one after the other, several fresh containers at once (`packed`), or one
    container for all of them (`invoke`).
    """

    lease_seconds: float
    evaluation: EvaluationId
    submission: Annotated[SubmissionId | None, Field(exclude_if=_absent)] = None
    task_name: str
    track: str
    task: _WholeTask
    limits: _SetLimits
    image: _RunFacts
    mode: Mode = Mode.FRESH
    more: tuple[CaseLease, ...] = ()

    @property
    def named(self) -> dict[str, str]:
        """What lines of a log call its case by, here and at the server, which may be too old to tell all of it."""
        submission = {} if self.submission is None else {"submission": str(self.submission)}
        return {**submission, "evaluation": str(self.evaluation), "case_run": self.name}

    def each(self) -> list["Lease"]:
        """A lease for every case of this one, itself first."""
        others = [self.model_copy(update={**dict(case), "more": ()}) for case in self.more]
        return [self.model_copy(update={"more": ()}), *others]


class HeldLeases(_Said):
    """The leases that a slot holds."""

    leases: Annotated[list[HeldLease], Few(500, least=1)]


class LostLeases(_Said):
    """The leases that are not the slot's any more: it stops their containers and throws their outputs away."""

    lost: list[HeldLease]


class StoredOutput(_Said):
    """The digest of an output that was uploaded; `Finish` names it."""

    digest: str


class Measured(_Said):
    """What running a case took, in seconds and bytes; null where the host does not show it.

    `seconds` is from process start to exit, `peak_memory_bytes` includes the page cache, `wait_seconds` is from the
    lease until the clock started: the image, the inputs, the preparation, its turn.
    """

    seconds: Seconds
    cpu_seconds: Seconds | None = None
    peak_memory_bytes: BigInt | None = None
    gpu_memory_bytes: BigInt | None = None
    wait_seconds: Seconds | None = None


class Finish(Measured):
    """How a case ended by the container's own doing; `output` is the digest that its upload was answered with.

    `repeat_agrees`: of a case that was run fresh as well, whether both outputs agree. `detail`: what was found, with
    values of the output; kept in public phases alone.
    """

    fault: Fault | None = None
    check: Check | None = None
    message: Annotated[str, Cleaned(1000)]
    detail: Annotated[str, Cleaned(1000)] = ""
    warnings: Annotated[list[Annotated[str, Cleaned(500)]], Few(20)] = []
    output: Annotated[str, Line(100)] | None = None
    repeat_agrees: StrictBool | None = None
    log: Annotated[str, Cleaned(1_000_000)] = ""
    receipt: RunReceipt = {}

    @property
    def code(self) -> str:
        """The verdict's code."""
        return code_of(self.fault, self.check)

    @property
    def measured(self) -> Measured:
        """What running it took, alone."""
        return Measured(**{name: getattr(self, name) for name in Measured.model_fields})


class WakeUpMark(_Said):
    """What a worker that waits over HTTP has heard: with the same mark nothing has come to wait since."""

    mark: Annotated[str, Line(100)]


class Release(_Said):
    """Why a case goes back: a platform fault, or null when the worker is stopping. `detail` is for admins."""

    fault: PlatformFault | None = None
    detail: Annotated[str, Cleaned(2000)] = ""
