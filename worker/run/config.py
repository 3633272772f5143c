"""Settings of a run worker, from the environment only."""

import os
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from contract.metrics import MetricsAddress
from evaluator.spec import MOST_AT_ONCE

FORBIDDEN = (
    *("DATABASE_URL", "PROCTOR_DATA", "PROCTOR_REFERENCES", "PROCTOR_SECRET_KEY"),
    *("PROCTOR_BLOBS_ACCESS_KEY", "PROCTOR_BLOBS_SECRET_KEY"),
)
"""A host that runs strangers' code must not know these; a worker refuses to start where one is set."""


def _origin(value: str) -> str:
    parts = urlsplit(value)
    plain = f"{parts.scheme}://{parts.netloc}"
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or value.rstrip("/") != plain
        or "@" in value
    ):
        raise ValueError("has to be scheme, host and port of the store of blobs, as https://s3.example")
    return plain


BlobsOrigin = Annotated[str, AfterValidator(_origin)]
"""The only place beside the server from which this host takes blobs."""


class RunConfig(BaseSettings):
    """One slot: where the server is, this worker's token, and what the slot offers (memory in bytes).

    The token may be in a file instead, which is read again once the server refuses what it held.
    `engine` is what runs them: every connection follows the same variable by itself (`sandbox.engines`).
    `accepted_checks` are names of the sandbox's checks, with commas, that an admin lets fail on this host; of
    Apptainer alone, for the other engines hold them all.
    `runtime` runs every container where it is set; else each runs under what its challenge asks for, or runc.
    `slot_most` is how many containers it may run at once, one per core unless it is set. `input_cache` bounds the
    inputs that this host keeps, in bytes, `image_cache` its images (half of the engine's disk unless it is set).
    `drain_seconds` is how long a slot that is told to stop lets its cases
    run on before it hands them back; None is as long as they take. Figures are shown at `metrics_address`.
    Layers are fetched from the store at `blobs_origin` itself where the server names an address there; without it
    through the server.
    """

    model_config = SettingsConfigDict(env_prefix="PROCTOR_", extra="ignore", frozen=True)

    server_url: str
    worker_token: SecretStr | None = None
    worker_token_file: Path | None = None
    worker_dir: Path
    slot_cpus: Annotated[float, Field(gt=0)] = float(os.cpu_count() or 1)
    slot_memory: Annotated[int, Field(gt=0)] = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    slot_cpuset: str | None = None
    slot_gpu: str | None = None
    slot_gpu_memory: int = 0
    engine: Literal["docker", "podman", "apptainer"] = "docker"
    accepted_checks: str = ""
    runtime: Literal["runc", "runsc"] | None = None
    slot_most: Annotated[int, Field(ge=1, le=MOST_AT_ONCE)] | None = None
    input_cache: Annotated[int, Field(ge=0)] = 20 * 2**30
    image_cache: Annotated[int, Field(ge=0)] | None = None
    drain_seconds: Annotated[float, Field(ge=0)] | None = None
    metrics_address: MetricsAddress = None
    blobs_origin: Annotated[BlobsOrigin | None, BeforeValidator(lambda value: value or None)] = None

    @property
    def most(self) -> int:
        """How many containers the slot would run at once."""
        return self.slot_most or min(MOST_AT_ONCE, max(1, int(self.slot_cpus)))

    @property
    def accepted(self) -> frozenset[str]:
        """The names of `accepted_checks`."""
        return frozenset(name.strip() for name in self.accepted_checks.split(",") if name.strip())

    @property
    def runs_on(self) -> dict[str, str | list[str]]:
        """What receipts say of it: the engine, and checks that were let fail."""
        return {
            "engine": self.engine,
            **({"accepted_checks": sorted(self.accepted)} if self.accepted else {}),
        }

    @model_validator(mode="after")
    def _held_by_others(self) -> Self:
        if self.accepted and self.engine != "apptainer":
            raise ValueError(
                f"PROCTOR_ACCEPTED_CHECKS is for Apptainer: on {self.engine} every check of the sandbox has to hold"
            )
        return self

    @model_validator(mode="after")
    def _one_token(self) -> Self:
        if (self.worker_token is None) == (self.worker_token_file is None):
            raise ValueError("set PROCTOR_WORKER_TOKEN or PROCTOR_WORKER_TOKEN_FILE, one of them")
        return self

    @model_validator(mode="after")
    def _no_keys(self) -> Self:
        given = [name for name in FORBIDDEN if name in os.environ]
        if given:
            raise ValueError(f"a run worker must not be given {', '.join(given)}: it runs strangers' code")
        return self
