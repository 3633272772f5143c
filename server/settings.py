"""Settings of a server or score worker, from the environment only."""

import os
from dataclasses import replace
from email.utils import parseaddr
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from contract.metrics import MetricsAddress
from evaluator.spec import SLUG
from server.blobs import BlobStore, BucketPlace, FileStore, store_of
from server.disk import Room, Share, closed
from server.mail_server import mail_server
from server.providers import Provider


def checked_url(value: str) -> str:
    """An address that people reach a server at, without the slash at its end.

    Raises:
        ValueError: it is none.
    """
    try:
        parts = urlsplit(value)
        well_formed = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1)
    except ValueError:
        well_formed = False
    if (
        not well_formed
        or parts.path.strip("/")
        or parts.query
        or parts.fragment
        or parts.username is not None
    ):
        raise ValueError("has to be the address people reach the server at, as https://challenge.example")
    if any(character.isspace() or not character.isprintable() for character in value):
        raise ValueError("has to be an address without blanks and control characters")
    return f"{parts.scheme}://{parts.netloc}"


def _smtp_url(value: SecretStr) -> SecretStr:
    mail_server(value.get_secret_value())
    return value


def _sender(value: str) -> str:
    _, address = parseaddr(value)
    if "@" not in address or any(not character.isprintable() for character in value):
        raise ValueError("has to be an address, with a name if you like: Proctor <proctor@hospital.example>")
    return value


def _given(value: object) -> object:
    return value or None


ChallengeName = Annotated[str, Field(pattern=SLUG, max_length=40)]


def _listed(value: object) -> object:
    """Names with commas between them; nothing is none."""
    if not isinstance(value, str):
        return value
    return tuple(name.strip() for name in value.split(",") if name.strip())


class Outgoing(BaseSettings):
    """What whoever delivers mail and webhooks is told: the courier knows no more.

    `smtp_url`: the mail server, see `server.mail_server`; without it nothing is sent by mail. `mail_from`: the sender,
    with a name if you like. `webhooks_private`: whether webhooks may go to addresses of this network.
    """

    model_config = SettingsConfigDict(env_prefix="PROCTOR_", extra="ignore", frozen=True)

    database_url: Annotated[str, Field(validation_alias="DATABASE_URL")]
    smtp_url: Annotated[Annotated[SecretStr, AfterValidator(_smtp_url)] | None, BeforeValidator(_given)] = (
        None
    )
    mail_from: Annotated[Annotated[str, AfterValidator(_sender)] | None, BeforeValidator(_given)] = None
    webhooks_private: Annotated[Literal["allow"] | None, BeforeValidator(_given)] = None
    public_url: Annotated[Annotated[str, AfterValidator(checked_url)] | None, BeforeValidator(_given)] = None

    @model_validator(mode="after")
    def _has_a_sender(self) -> Self:
        if self.smtp_url is not None and self.mail_from is None:
            raise ValueError(
                "PROCTOR_SMTP_URL is set, so PROCTOR_MAIL_FROM has to say who the mails are from"
            )
        return self


class BlobSettings(BaseSettings):
    """Where the blobs are: in the bucket that `blobs_url` names, or without it in files.

    What begins alike is how the bucket's store is asked: `blobs_patience` is how many seconds a piece may take.
    With `blobs_inputs` copies of inputs lie there too, from which run workers take them.
    """

    model_config = SettingsConfigDict(env_prefix="PROCTOR_", extra="ignore", frozen=True)

    blobs_url: Annotated[str | None, Field(validation_alias="BLOBS_URL"), BeforeValidator(_given)] = None
    blobs_endpoint: Annotated[str | None, BeforeValidator(_given)] = None
    blobs_region: str = "us-east-1"
    blobs_access_key: Annotated[str | None, BeforeValidator(_given)] = None
    blobs_secret_key: Annotated[SecretStr | None, BeforeValidator(_given)] = None
    blobs_path_style: bool = True
    blobs_inputs: bool = False
    blobs_patience: Annotated[float, Field(gt=0, le=600)] = 80.0

    @model_validator(mode="after")
    def _bucket_can_be_asked(self) -> Self:
        self.blobs_place  # noqa: B018 - raises where the settings name none
        return self

    @property
    def blobs_place(self) -> BucketPlace | None:
        """The bucket that holds the blobs; None where they are files of this machine.

        Raises:
            ValueError: the settings name none, or not who asks for it.
        """
        if self.blobs_url is None:
            return None
        if self.blobs_access_key is None or self.blobs_secret_key is None:
            raise ValueError("BLOBS_URL needs PROCTOR_BLOBS_ACCESS_KEY and PROCTOR_BLOBS_SECRET_KEY")
        place = BucketPlace.at(
            self.blobs_url,
            self.blobs_endpoint,
            self.blobs_region,
            self.blobs_access_key,
            self.blobs_secret_key.get_secret_value(),
            path_style=self.blobs_path_style,
        )
        return replace(place, patience=self.blobs_patience)


class RegistrySettings(BaseSettings):
    """The registry that people push images to, if there is one.

    `registry_url` is where they push; `registry_inside` where the server and score workers reach it, if elsewhere.
    `registry_key` is a PEM file with the key that our tokens are signed with and its certificate, which the registry
    trusts; the registry shows `registry_secret` when it tells of a push.
    """

    model_config = SettingsConfigDict(env_prefix="PROCTOR_", extra="ignore", frozen=True)

    registry_url: Annotated[
        Annotated[str, AfterValidator(checked_url)] | None,
        Field(validation_alias="REGISTRY_URL"),
        BeforeValidator(_given),
    ] = None
    registry_inside: Annotated[
        Annotated[str, AfterValidator(checked_url)] | None, BeforeValidator(_given)
    ] = None
    registry_key: Annotated[Path | None, BeforeValidator(_given)] = None
    registry_secret: Annotated[Annotated[SecretStr, Field(min_length=16)] | None, BeforeValidator(_given)] = (
        None
    )

    @property
    def registry_host(self) -> str | None:
        """The host and port that people push to, which the names of pushed images begin with."""
        return urlsplit(self.registry_url).netloc if self.registry_url is not None else None

    @model_validator(mode="after")
    def _registry_is_whole(self) -> Self:
        if self.registry_url is not None and (self.registry_key is None or self.registry_secret is None):
            raise ValueError("REGISTRY_URL needs PROCTOR_REGISTRY_KEY and PROCTOR_REGISTRY_SECRET")
        return self


class Settings(Outgoing, BlobSettings, RegistrySettings):
    """What a host that may see references and the database is told.

    `data` holds inputs, references, blobs and uploads; `secret_key` keys pseudonyms and receipts;
    `setup_token` makes its first bearer the admin while there is none. A lease is renewed by heartbeats, but
    never beyond `longest_lease_seconds`, so that a worker that hangs with a beating heart loses its case. Of the disk
    with `data`, `disk_reserve` bytes are kept from what can be sent again, see `server.disk`; a team may store
    `team_storage` bytes, and all of them `total_storage` where that is set. A score worker scores `scores_at_once`
    evaluations, of the challenges `scores_challenges` alone where it names some, and beside them checks
    `checks_at_once` uploads. Without `hold_ends` teams see at once what happened on hidden cases: for tests, where
    nothing is hidden.
    `cases_limit` bounds an archive of cases that is imported over HTTP, and what it unpacks to, in bytes.
    A release is taken back within `release_grace_seconds` without a reason that everybody reads.
    `log_ins_per_source`: wrong log-ins from one network within a quarter of an hour; `registrations_per_source`
    and `registrations_per_hour`: new accounts within an hour, from one network and in all. `public_url`
    is the server's address for people: what a request calls it is never repeated to anybody. Figures for Prometheus are
    shown at `metrics_address`, or nowhere. `requests_per_token`
    and `requests_per_address`: requests a minute, with a good token or without one. `verify_addresses`: only whose
    address is verified founds or joins a team. `oidc_providers`: who may vouch for
    people beside their passwords, see `server.providers`. Blobs are files in `data` unless they are in a bucket.
    """

    data: Path
    secret_key: Annotated[SecretStr, Field(min_length=32)]
    redis_url: Annotated[str | None, Field(validation_alias="REDIS_URL")] = None
    setup_token: SecretStr | None = None
    upload_limit: int = 48 * 2**30
    cases_limit: Annotated[int, Field(gt=0)] = 64 * 2**30
    disk_reserve: Annotated[int, Field(ge=0)] = 4 * 2**30
    team_storage: Annotated[int, Field(gt=0)] = 200 * 2**30
    total_storage: Annotated[Annotated[int, Field(gt=0)] | None, BeforeValidator(_given)] = None
    scores_at_once: Annotated[int, Field(ge=1, le=64)] = 2
    scores_challenges: Annotated[tuple[ChallengeName, ...], NoDecode, BeforeValidator(_listed)] = ()
    checks_at_once: Annotated[int, Field(ge=1, le=64)] = 2
    lease_seconds: float = 30.0
    longest_lease_seconds: float = 4 * 3600.0
    hold_ends: bool = True
    release_grace_seconds: Annotated[float, Field(ge=0, le=86_400)] = 900.0
    log_ins_per_source: Annotated[int, Field(ge=1)] = 100
    registrations_per_source: Annotated[int, Field(ge=1)] = 200
    registrations_per_hour: Annotated[int, Field(ge=1)] = 2000
    metrics_address: MetricsAddress = None
    verify_addresses: bool = False
    requests_per_token: Annotated[int, Field(ge=1)] = 1200
    requests_per_address: Annotated[int, Field(ge=1)] = 3000
    oidc_providers: tuple[Provider, ...] = ()

    @model_validator(mode="after")
    def _providers_can_come_back(self) -> Self:
        names = [provider.name for provider in self.oidc_providers]
        if len({*names}) < len(names):
            raise ValueError("PROCTOR_OIDC_PROVIDERS has two providers of one name")
        if names and self.public_url is None:
            raise ValueError(
                "PROCTOR_OIDC_PROVIDERS needs PROCTOR_PUBLIC_URL: providers send people back there"
            )
        return self

    @property
    def longest_case_seconds(self) -> float:
        """The most that a challenge may give one case.

        Within a lease lie an uncounted run of its image, and the case until half as long again as it may take; ten
        minutes are for fetching the image and the inputs.
        """
        return (self.longest_lease_seconds - 600) / 2.5

    @property
    def blobs(self) -> BlobStore:
        """The content-addressed store of image layers and outputs, as outputs may fill it."""
        return self.blobs_within(self.room(Share.RESULTS))

    def blobs_within(self, room: Room) -> BlobStore:
        """The same, with another bound of what this machine's disk takes for it."""
        return store_of(self.blobs_place, FileStore(self.data / "blobs", room))

    def room(self, share: Share, folder: Path | None = None) -> Room:
        """What may still be written for such things, in `folder` or where they usually lie."""
        usual = self.uploads if share is Share.UPLOADS else self.data / "blobs"
        return Room(folder or usual, int(self.disk_reserve * share.value))

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

    @property
    def scratch(self) -> Path:
        """What score workers lay out while they score: on this disk, for outputs may be large."""
        return self.data / "scoring"

    def close_folders(self) -> None:
        """Sees to it that nobody but this process' user may enter what holds images, inputs, labels and uploads."""
        for folder in (self.blobs.root, self.inputs, self.references, self.uploads, self.scratch):
            if folder.is_dir() and os.access(folder, os.W_OK):
                closed(folder)
