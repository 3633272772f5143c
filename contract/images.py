"""What is known of an image once its archive has been checked, and what is answered of images and of storage."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from contract.answers import Answer, Id, Older

Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


class CheckpointState(StrEnum):
    """What the check of an image found of the pretrained checkpoint that it declares."""

    NOT_DECLARED = "not_declared"
    VERIFIED = "verified"
    MISSING = "missing"
    ANOTHER_FILE = "another_file"  # the file is there, and its digest is not the declared one
    UNCLEAR = "unclear"  # declared so that there is nothing to compare


class DeclaredCheckpoint(BaseModel):
    """The pretrained checkpoint of an image, as its labels declare it and as its layers hold it.

    `path` and `sha256` are the declared ones, as far as they could be read. `why` is a sentence on everything but a
    verified one.
    """

    model_config = ConfigDict(frozen=True)

    state: CheckpointState
    path: str | None = None
    sha256: Digest | None = None
    why: str | None = None

    @property
    def verified(self) -> bool:
        """Whether the image holds the file that it declares."""
        return self.state is CheckpointState.VERIFIED


class ImageFacts(BaseModel):
    """A checked image. `digest` is that of its config, which is the image id Docker gives it.

    `layers` are the digests of the unpacked layers (diff ids) from the bottom up, `layer_sizes` their bytes,
    `size` their sum. `environment` holds names only: values may be secrets. `invoke`: it says that its program serves
    several cases. `checkpoint`: its pretrained checkpoint. `requires_driver`: what it asks of an NVIDIA driver
    (`contract.cuda`). Images that were checked by an older release say none of them.
    """

    model_config = ConfigDict(frozen=True)

    digest: Digest
    layers: tuple[Digest, ...]
    layer_sizes: tuple[int, ...]
    size: int
    architecture: str
    os: str
    user: str
    environment: tuple[str, ...]
    entrypoint: tuple[str, ...]
    invoke: bool = False
    checkpoint: DeclaredCheckpoint | None = None
    requires_driver: tuple[str, ...] = ()

    @property
    def blobs(self) -> tuple[str, ...]:
        """The digests of its config and of its layers, each once."""
        return tuple(dict.fromkeys((self.digest, *self.layers)))


class ImageOut(Answer):
    """An image of a team. warnings: sentences on what may keep it from running here as the platform is now."""

    id: Id
    digest: str
    size: int
    facts: ImageFacts
    warnings: Annotated[list[str], Older([])]
    created_at: datetime


class StorageOut(Answer):
    """Bytes that a team stores, and may: images unpacked, each layer once, and uploads as long as they will be."""

    used: int
    allowed: int
    images: int
    uploads: int
