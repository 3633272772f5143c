"""What run workers send and are given over the lease API."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, StrictBool

from contract.bounds import MOST_INT, BigInt, Few, Seconds
from contract.statuses import Mode
from contract.texts import Cleaned, Line
from evaluator.terminal import in_line
from evaluator.verdicts import Check, Fault, PlatformFault
from server.evaluations.said import MOST_KEYS, kept


def _named(name: str) -> str:
    if in_line(name) != name:
        raise ValueError("has to be one line of letters, digits and signs")
    return name


SlotName = Annotated[str, Line(100, least=1), AfterValidator(_named)]
_Runtime = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,40}$", max_length=40)]


class SlotIn(BaseModel):
    """What the asking slot offers, within what a machine can have; memory in bytes."""

    name: SlotName
    cpus: Annotated[float, Field(strict=True, gt=0, le=4096, allow_inf_nan=False)]
    memory: Annotated[int, Field(strict=True, gt=0, le=2**46)]
    gpus: Annotated[int, Field(strict=True, ge=0, le=64)] = 0
    gpu_memory: Annotated[int, Field(strict=True, ge=0, le=2**42)] = 0
    most: Annotated[int, Field(strict=True, ge=1, le=50, description="Cases it would run at once")] = 1
    invoke: Annotated[StrictBool, Field(description="It can keep one container for several cases")] = False
    runtimes: Annotated[tuple[_Runtime, ...], Few(20)] = ("runc",)


class CaseLease(BaseModel):
    """One case of a lease. It names no case: `pseudonym` is what the container is told.

    `repeat`: it is also run in a fresh container, and the two outputs are compared.
    """

    case_run: UUID
    claim_no: int
    pseudonym: str
    inputs: dict[str, dict[str, Any]]
    repeat: bool = False


class LeaseOut(CaseLease):
    """One case to run, and in `more` further ones of the same evaluation, each with a lease of its own."""

    lease_seconds: float
    evaluation: UUID
    task_name: str
    track: str
    task: dict[str, Any]
    limits: dict[str, Any]
    image: dict[str, Any]
    mode: Mode
    more: list[CaseLease]


class FinishIn(BaseModel):
    """The verdict of a case; `output` is the digest that the upload of the canonical output answered.

    `wait_seconds`: from the lease until the clock started. `repeat_agrees`: of a case that was run fresh as well,
    whether both outputs agree. `detail`: what was found, with values of the output; kept in public phases alone.
    """

    fault: Fault | None = None
    check: Check | None = None
    message: Annotated[str, Cleaned(1000)]
    detail: Annotated[str, Cleaned(1000)] = ""
    warnings: Annotated[list[Annotated[str, Cleaned(500)]], Few(20)] = []
    output: Annotated[str, Line(100)] | None = None
    seconds: Seconds
    peak_memory_bytes: BigInt | None = None
    cpu_seconds: Seconds | None = None
    gpu_memory_bytes: BigInt | None = None
    wait_seconds: Seconds | None = None
    repeat_agrees: StrictBool | None = None
    log: Annotated[str, Cleaned(1_000_000)] = ""
    receipt: Annotated[dict[Annotated[str, Cleaned(100)], Any], Few(MOST_KEYS), BeforeValidator(kept)] = {}


class HeldLease(BaseModel):
    """A lease by what it was given out as."""

    case_run: UUID
    claim_no: Annotated[int, Field(strict=True, ge=1, le=MOST_INT)]


class HeartbeatIn(BaseModel):
    """The leases that a slot holds."""

    leases: Annotated[list[HeldLease], Few(1000, least=1)]


class HeartbeatOut(BaseModel):
    """The leases that are not the slot's any more: it stops their containers and throws their outputs away."""

    lost: list[HeldLease]


class SlotStateIn(BaseModel):
    """Why a slot takes no work, in a sentence for admins; null where it does."""

    unfit: Annotated[str, Cleaned(1000, least=1)] | None


class ReleaseIn(BaseModel):
    """Why a case goes back: a platform fault, or None when the worker is stopping. `detail` is for admins."""

    fault: PlatformFault | None = None
    detail: Annotated[str, Cleaned(2000)] = ""
