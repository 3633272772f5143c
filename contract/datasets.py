"""What is sent and answered of versions of the cases. Organizers only: labels and names of cases are in it."""

from datetime import datetime

from pydantic import BaseModel, Field

from contract.answers import Answer, Id
from contract.challenges import Why


class DatasetOut(Answer):
    """A version of the cases. `labels` is null where this process cannot read the references; `size` is in bytes."""

    id: Id
    phase: str
    task: str
    digest: str
    state: str
    cases: int
    labels: str | None
    evaluations: int
    size: int
    imported_at: datetime
    imported_by: str | None


class DifferenceOut(Answer):
    """Names of cases by what has changed of them."""

    added: list[str]
    removed: list[str]
    voxels: list[str]
    labels: list[str]
    groups: list[str]


class EffectOut(Answer):
    """What an activation does to evaluations, and what it changes in the cases."""

    leave: int
    come_back: int
    waiting: int
    sentence: str
    difference: DifferenceOut | None


class ActivateIn(BaseModel):
    """`yes` is needed where evaluations are concerned; without it the answer says what would happen.

    why: shown to everybody where the phase has opened.
    """

    yes: bool = Field(default=False, strict=True)
    why: Why | None = None


class DroppedOut(Answer):
    """How many bytes a dropped version took."""

    freed: int
