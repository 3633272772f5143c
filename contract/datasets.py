"""What is sent and answered of versions of the cases. Organizers only: labels and names of cases are in it."""

from collections import Counter
from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, Field, model_validator

from contract.answers import Answer, Id, Older
from contract.bounds import Few, Strict
from contract.challenges import Why
from contract.texts import Line, Name, Prose

MOST_CORRECTED = 1000
"""Cases that one correction may withdraw, and correct."""
MOST_WARNINGS = 100
"""Sentences of warning, or of what is wrong, that one answer tells."""

_Number = (
    Annotated[int, Field(strict=True, ge=-(10**15), le=10**15)]
    | Annotated[float, Field(strict=True, ge=-1e15, le=1e15, allow_inf_nan=False)]
)
Label = _Number | Annotated[str, Prose(10_000, least=1)]
Group = _Number | Annotated[str, Line(100)] | None


class DatasetOut(Answer):
    """A version of the cases. `labels` is null where this process cannot read the references; `size` is in bytes.

    imported_by_name: what the person is called whom `imported_by` names, null where that is nobody with a name.
    """

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
    imported_by_name: Annotated[str | None, Older(None)]


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


class CaseCorrectionIn(Strict):
    """A corrected case. label: what its label file would hold, where that is to change.

    That is a number, a class, or the JSON text of a table or of points; label maps are sent as files. Of the groups
    null stands for what is not known, and what is left out stays.
    """

    case: Name
    label: Label | None = None
    sex: Group = None
    age: Group = None
    site: Group = None
    scanner: Group = None
    cohort: Group = None

    def groups(self) -> dict[str, str]:
        """The groups that were sent, by column, as references have them: "" for what is not known."""
        sent = ((column, getattr(self, column)) for column in self.model_fields_set - {"case", "label"})
        return {column: "" if value is None else str(value).strip() for column, value in sent}


class CorrectionIn(Strict):
    """Corrections of a version of the cases, which make another one. `why` is kept.

    accept: the warnings are known, and right.
    """

    why: Why
    withdraw: Annotated[tuple[Name, ...], Few(MOST_CORRECTED)] = ()
    cases: Annotated[tuple[CaseCorrectionIn, ...], Few(MOST_CORRECTED)] = ()
    accept: Annotated[bool, Field(strict=True)] = False

    @model_validator(mode="after")
    def _once(self) -> Self:
        named = Counter([*self.withdraw, *(corrected.case for corrected in self.cases)])
        case, count = named.most_common(1)[0] if named else ("", 0)
        if count > 1:
            raise ValueError(f"names {case} more than once")
        return self


class StagedOut(Answer):
    """A version that was made, or found again (`new` is false then); it is in force only where `state` says so.

    difference: against the version that it was made from, or, of an import, the one in force. effect: what happens if
    it comes into force. advice: what to do next.
    """

    id: Id
    phase: str
    task: str
    digest: str
    state: str
    new: bool
    cases: int
    warnings: list[str]
    notes: list[str]
    difference: DifferenceOut | None
    effect: EffectOut
    advice: str
