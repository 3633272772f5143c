"""What becomes of files that an organizer sends for a version of the cases, which a score worker makes of them."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from contract.answers import Answer, Id, OrNewer
from contract.datasets import StagedOut
from contract.statuses import ConsignmentState


class ConsignmentKind(StrEnum):
    """What was sent."""

    CASES = "cases"  # a folder of cases as a tar archive
    CORRECTION = "correction"  # cases withdrawn, labels and groups corrected
    LABEL = "label"  # the file that is the label of a case from now on


class RefusalOut(Answer):
    """Why nothing was made of what was sent, as a problem document says it. errors, warnings: of the cases."""

    code: str
    title: str
    detail: str
    errors: list[str]
    warnings: list[str]


class ListedConsignmentOut(Answer):
    """What was sent, and where it stands. asked_by_name: what the person is called who sent it, if anything."""

    id: Id
    kind: Annotated[ConsignmentKind | str, OrNewer()]
    phase: str
    task: str
    state: Annotated[ConsignmentState | str, OrNewer()]
    asked_by: str
    asked_by_name: str | None
    asked_at: datetime
    ended_at: datetime | None


class ConsignmentOut(Answer):
    """What was sent, and what came of it: once it has ended, one of `made` and `refused`, for a week."""

    id: Id
    kind: Annotated[ConsignmentKind | str, OrNewer()]
    phase: str
    task: str
    state: Annotated[ConsignmentState | str, OrNewer()]
    asked_by: str
    asked_at: datetime
    ended_at: datetime | None
    made: StagedOut | None
    refused: RefusalOut | None
