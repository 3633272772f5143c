"""What the API says of versions of the cases. Organizers only: labels and names of cases are in it."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field

from server.datasets.versions import Version


class DatasetOut(BaseModel):
    """A version of the cases. `labels` is null where this process cannot read the references; `size` is in bytes."""

    id: UUID
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

    @classmethod
    def of(cls, version: Version) -> "DatasetOut":
        """As it is shown."""
        one = version.dataset
        return cls(
            id=one.id,
            phase=one.phase,
            task=one.task,
            digest=one.digest,
            state=one.state,
            cases=version.cases,
            labels=version.labels,
            evaluations=version.evaluations,
            size=version.size,
            imported_at=one.created_at,
            imported_by=one.imported_by,
        )


class DifferenceOut(BaseModel):
    """Names of cases by what has changed of them."""

    added: list[str]
    removed: list[str]
    voxels: list[str]
    labels: list[str]
    groups: list[str]


class EffectOut(BaseModel):
    """What an activation does to evaluations, and what it changes in the cases."""

    leave: int
    come_back: int
    waiting: int
    sentence: str
    difference: DifferenceOut | None


class ActivateIn(BaseModel):
    """`yes` is needed where evaluations are concerned; without it the answer says what would happen."""

    yes: bool = Field(default=False, strict=True)


class DroppedOut(BaseModel):
    """How many bytes a dropped version took."""

    freed: int
