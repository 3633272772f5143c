"""Settings of a server or score worker, from the environment only."""

from functools import cached_property
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from server.blobs import BlobStore


class Settings(BaseSettings):
    """What a host that may see references and the database is told.

    `data` holds inputs, references, blobs and uploads; `secret_key` keys pseudonyms and receipts;
    `setup_token` makes its first bearer the admin while there is none. A lease is renewed by heartbeats, but
    never beyond `longest_lease_seconds`, so that a worker that hangs with a beating heart loses its case.
    """

    model_config = SettingsConfigDict(env_prefix="PROCTOR_", extra="ignore", frozen=True)

    data: Path
    secret_key: Annotated[SecretStr, Field(min_length=32)]
    database_url: Annotated[str, Field(validation_alias="DATABASE_URL")]
    redis_url: Annotated[str | None, Field(validation_alias="REDIS_URL")] = None
    setup_token: SecretStr | None = None
    upload_limit: int = 48 * 2**30
    lease_seconds: float = 30.0
    longest_lease_seconds: float = 4 * 3600.0

    @property
    def longest_case_seconds(self) -> float:
        """The most that a challenge may give one case.

        Within a lease lie an uncounted run of its image, and the case until half as long again as it may take; ten
        minutes are for fetching the image and the inputs.
        """
        return (self.longest_lease_seconds - 600) / 2.5

    @cached_property
    def blobs(self) -> BlobStore:
        """The content-addressed store of image layers and outputs."""
        return BlobStore(self.data / "blobs")

    @property
    def inputs(self) -> Path:
        """The tree that run workers are served from: re-headered inputs only."""
        return self.data / "inputs"

    @property
    def references(self) -> Path:
        """The tree that only score workers read: labels and groups."""
        return self.data / "references"

    @property
    def uploads(self) -> Path:
        """Uploads that are not complete or not checked yet."""
        return self.data / "uploads"
