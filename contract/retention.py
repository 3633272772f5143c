"""What of a challenge is deleted for good, and the certificate of it, as it is sent and answered."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from contract.answers import Answer, Id
from contract.bounds import Few, Strict
from contract.decisions import Reason
from contract.submissions import Digest


class DeletionKind(StrEnum):
    """What can be deleted."""

    LOGS = "logs"  # what containers wrote, of phases that have closed
    DATASETS = "datasets"  # files of versions of the cases that nothing ran on
    REPLACED = "replaced"  # outputs of evaluations in whose place others stand
    OUTPUTS = "outputs"  # all outputs of a challenge that is over
    IMAGES = "images"  # all images of a challenge that is over


EVER = (DeletionKind.LOGS, DeletionKind.DATASETS, DeletionKind.REPLACED)
"""What may go while the challenge goes on; the rest only once it is over."""
Kinds = Annotated[list[DeletionKind], Few(len(DeletionKind)), Field(min_length=1)]
Days = Annotated[
    int, Field(ge=0, le=36_500, description="Only what ended, or was imported, so many days ago")
]


class DeletionRules(Strict):
    """What is to be deleted."""

    kinds: Kinds = Field(default_factory=lambda: list(EVER))
    days: Days = 90


class DeletionIn(DeletionRules):
    """`seen`: the digest of the plan; another plan is not carried out."""

    seen: Digest
    why: Reason


class Deleted(Answer):
    """One kind: how many logs, outputs, images or versions, bytes that they free, and what cannot be done afterwards.

    things: ids of the evaluations, or digests of the images and versions.
    """

    kind: str
    count: int
    bytes: int
    lost: str
    things: list[str]


class DeletionPlan(Answer):
    """What would be deleted. `blobs`: files of outputs and layers that nothing else needs, and their bytes.

    kept: why a kind is left out.
    """

    challenge: str
    items: list[Deleted]
    blobs: int
    bytes: int
    kept: list[str]
    digest: str


class CertificateOut(Answer):
    """A signed statement of what was deleted; it verifies as a receipt does. Without a signature it is not through."""

    id: Id
    created_at: datetime
    statement: dict[str, Any]
    signature: str | None


class Sweeping(Answer):
    """What nothing refers to: blobs, other files, and bytes together."""

    blobs: int
    files: int
    bytes: int
