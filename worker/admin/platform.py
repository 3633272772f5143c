"""What runs on one machine: which programs, in which order, and what each is told and not told."""

import os
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
from pydantic import TypeAdapter, ValidationError

from contract.metrics import MetricsAddress
from worker.admin.slots import SlotShare, deal
from worker.embedded.account import SetupError
from worker.embedded.data import CHECKOUT, make_directory, secret, token_file, worker_directory
from worker.embedded.migrations import migrate
from worker.embedded.ports import free_port, listens_everywhere, reachable_as, require_free
from worker.embedded.postgres import Postgres
from worker.embedded.redis import Redis
from worker.supervisor import Program, Service, Step

SENDING = ("PROCTOR_SMTP_URL", "PROCTOR_MAIL_FROM", "PROCTOR_WEBHOOKS_PRIVATE")
"""What only the server and the courier are told: a password may be in it."""

OF_SERVER = (*SENDING, "PROCTOR_OIDC_PROVIDERS")
"""What may hold a secret that only the server, and of what is sent the courier, has to know."""

OF_STORE = (
    *("BLOBS_URL", "PROCTOR_BLOBS_ENDPOINT", "PROCTOR_BLOBS_REGION", "PROCTOR_BLOBS_PATH_STYLE"),
    *("PROCTOR_BLOBS_ACCESS_KEY", "PROCTOR_BLOBS_SECRET_KEY"),
    *("PROCTOR_BLOBS_PATIENCE", "PROCTOR_BLOBS_INPUTS"),
)
"""What only the server and score workers are told: where the blobs are, and the keys to them."""

OF_REGISTRY = ("REGISTRY_URL", "PROCTOR_REGISTRY_INSIDE", "PROCTOR_REGISTRY_KEY", "PROCTOR_REGISTRY_SECRET")
"""What only the server and score workers are told of the registry: a secret is in it."""
_SECRET = (*OF_SERVER, *OF_STORE, *OF_REGISTRY)

# What a child keeps of our environment; everything else it needs is named below.
KEPT = (
    *("PATH", "HOME", "TMPDIR", "DOCKER_HOST", "CONTAINER_HOST", "NVIDIA_VISIBLE_DEVICES", "SSL_CERT_FILE"),
    *("PROCTOR_LEASE_SECONDS", "PROCTOR_UPLOAD_LIMIT", "PROCTOR_CASES_LIMIT", "PROCTOR_IMAGE_CACHE"),
    *("PROCTOR_RUNTIME", "PROCTOR_ENGINE", "PROCTOR_ACCEPTED_CHECKS", "PROCTOR_APPTAINER_DIR"),
    *("PROCTOR_INPUT_CACHE", "PROCTOR_SLOT_MOST", "PROCTOR_CHECKS_AT_ONCE", "PROCTOR_SCORES_AT_ONCE"),
    *("PROCTOR_SCORES_CHALLENGES", "PROCTOR_BLOBS_ORIGIN"),
    *("PROCTOR_DISK_RESERVE", "PROCTOR_TEAM_STORAGE", "PROCTOR_TOTAL_STORAGE", "PROCTOR_HOLD_ENDS"),
    *("PROCTOR_RELEASE_GRACE_SECONDS", "PROCTOR_VERIFY_ADDRESSES"),
    *SENDING,
    *OF_STORE,
    *OF_REGISTRY,
    *("PROCTOR_OIDC_PROVIDERS", "PROCTOR_REQUESTS_PER_TOKEN", "PROCTOR_REQUESTS_PER_ADDRESS"),
    *("PROCTOR_LOG_INS_PER_SOURCE", "PROCTOR_REGISTRATIONS_PER_SOURCE", "PROCTOR_REGISTRATIONS_PER_HOUR"),
    "FORWARDED_ALLOW_IPS",
)
METRICS = "PROCTOR_METRICS_ADDRESS"
"""Where the server shows its figures; every other process of `up` does so at a port of its own."""
_STOP_SECONDS = 30
_DRAIN_SECONDS = 20  # then a run worker hands its cases back, rather than being killed with them


@dataclass(frozen=True)
class Platform:
    """One installation: its directory, its address, and the services of its own it is built on.

    `public_url` is where people reach the server, None where nobody said and it listens on every address. `metrics`:
    where the server shows its figures; score-1 has the next port, run-1 the one after, and so on.
    """

    data: Path
    host: str
    port: int
    run_workers: int
    postgres: Postgres
    redis: Redis
    public_url: str | None = None
    metrics: str | None = None

    @classmethod
    def on(
        cls,
        data: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        run_workers: int = 2,
        public_url: str | None = None,
        redis_host: str = "127.0.0.1",
        redis_port: int = 0,
    ) -> "Platform":
        """A platform in `data`; port 0 takes a free one, Redis' port 0 the one that it had before.

        Raises `SetupError` where somebody already listens on the port, or PROCTOR_METRICS_ADDRESS is no address.
        """
        require_free(host, port)
        redis = Redis(data, redis_host, redis_port)
        platform = cls(
            data, host, port or free_port(host), run_workers, Postgres(data), redis, public_url, _metrics()
        )
        if public_url is None and not listens_everywhere(host):
            return replace(platform, public_url=platform.server_url)
        return platform

    @property
    def server_url(self) -> str:
        """Where the server answers, as seen from this machine."""
        return f"http://{reachable_as(self.host)}:{self.port}"

    @property
    def address_file(self) -> Path:
        """Holds the server's address while the platform is up, for programs that wait for it."""
        return self.data / "address"

    @property
    def redis_address_file(self) -> Path:
        """Holds where Redis listens while the platform is up."""
        return self.data / "redis.address"

    def shows(self, number: int) -> dict[str, str]:
        """Where the process of this number shows its figures, as a setting; nothing where nobody asked for it."""
        if self.metrics is None:
            return {}
        host, _, port = self.metrics.rpartition(":")
        return {METRICS: f"{host}:{int(port) + number}"}

    def secret(self, name: str) -> str:
        """One of this installation's secrets, made on first use."""
        return secret(self.data, name)


WorkerToken = Callable[[Platform], None]
"""Sees to it that the file with the token of this machine's run workers holds one that the server knows."""


SecretKey = Callable[[Platform], None]
"""Requires that the secret key is the one that the installation's database knows."""


def services(
    platform: Platform, worker_token: WorkerToken | None = None, secret_key: SecretKey | None = None
) -> list[Service]:
    """Everything in the order in which it starts.

    `secret_key` is called once the database has its tables, and may raise to end the start; `worker_token` once the
    server is healthy and before the first run worker starts.
    """

    def token() -> None:
        if worker_token is not None:
            worker_token(platform)

    def key() -> None:
        if secret_key is not None:
            secret_key(platform)

    names = [f"run-{number}" for number in range(1, platform.run_workers + 1)]
    return [
        platform.postgres,
        platform.redis,
        Step("migrations", lambda: migrate(platform.postgres.url())),
        Step("secret key", key),
        _server(platform),
        Step("worker token", token),
        _beat(platform),
        *[
            _run_worker(platform, name, slot, number)
            for number, (name, slot) in enumerate(zip(names, deal(len(names)), strict=True), 1)
        ],
        _score_worker(platform),
        _courier(platform),
    ]


def _metrics() -> str | None:
    try:
        return TypeAdapter(MetricsAddress).validate_python(os.environ.get(METRICS))
    except ValidationError as error:
        raise SetupError(f"{METRICS} {error.errors()[0]['msg'].removeprefix('Value error, ')}.") from None


def server_environment(platform: Platform, *, number: int = 0) -> dict[str, str]:
    """What the server and the score worker know: the database, the keys and the data directory."""
    return (_kept(os.environ) | platform.shows(number)) | {
        "DATABASE_URL": platform.postgres.url(),
        "REDIS_URL": platform.redis.url,
        "PROCTOR_DATA": str(platform.data),
        "PROCTOR_SECRET_KEY": platform.secret("secret_key"),
        "PROCTOR_SETUP_TOKEN": platform.secret("setup_token"),
        "PROCTOR_PUBLIC_URL": platform.public_url or "",
    }


def run_worker_environment(platform: Platform, slot: SlotShare, *, number: int = 1) -> dict[str, str]:
    """What a run worker knows: the server's address, its token, the broker and the workers' directory.

    All run workers of a machine share that directory. Neither the database nor the directory that holds
    the references is named to a process that runs strangers' code.
    """
    directory = worker_directory(platform.data)
    return (
        _kept(os.environ, but=_SECRET)
        | platform.shows(1 + number)
        | slot.environment()
        | {
            "PROCTOR_SERVER_URL": platform.server_url,
            "PROCTOR_WORKER_TOKEN_FILE": str(token_file(platform.data)),
            "PROCTOR_WORKER_DIR": str(directory),
            "PROCTOR_DRAIN_SECONDS": str(_DRAIN_SECONDS),
            "REDIS_URL": platform.redis.url,
        }
    )


def _server(platform: Platform) -> Program:
    command = ["server", "--host", platform.host, "--port", str(platform.port)]
    return _python(
        platform,
        "server",
        command,
        lambda: server_environment(platform),
        lambda: _healthy(platform.server_url),
        lambda: _answers(platform.server_url),
    )


def _beat(platform: Platform) -> Program:
    directory = make_directory(platform.data / "beat", 0o700)
    command = ["celery", "-A", "worker.app", "beat"]
    command += ["--schedule", str(directory / "schedule"), "--pidfile", ""]
    told = {"REDIS_URL": platform.redis.url}
    return _python(platform, "beat", command, lambda: _kept(os.environ, but=_SECRET) | told)


def _run_worker(platform: Platform, name: str, slot: SlotShare, number: int) -> Program:
    command = ["worker.run", "--name", name]
    return _python(platform, name, command, lambda: run_worker_environment(platform, slot, number=number))


def _score_worker(platform: Platform) -> Program:
    command = ["worker.score", "--name", "score-1"]

    def known() -> dict[str, str]:
        given = server_environment(platform, number=1)
        return {name: value for name, value in given.items() if name not in OF_SERVER}

    return _python(platform, "score-1", command, known)


def _courier(platform: Platform) -> Program:
    def known() -> dict[str, str]:
        everything = server_environment(platform)
        told = {name: everything[name] for name in ("DATABASE_URL", "PROCTOR_PUBLIC_URL")}
        return _kept(os.environ, but=("PROCTOR_OIDC_PROVIDERS", *OF_STORE, *OF_REGISTRY)) | told

    return _python(platform, "courier", ["worker.courier"], known)


def _python(
    platform: Platform,
    name: str,
    module: list[str],
    env: Callable[[], Mapping[str, str]],
    ready: Callable[[], bool] | None = None,
    answers: Callable[[], bool] | None = None,
) -> Program:
    command = [sys.executable, "-m", *module]
    return Program(
        name,
        command,
        platform.data / "logs" / f"{name}.log",
        CHECKOUT,
        env,
        ready,
        stop_seconds=_STOP_SECONDS,
        answers=answers,
    )


def _kept(environ: Mapping[str, str], *, but: Collection[str] = ()) -> dict[str, str]:
    return {key: environ[key] for key in KEPT if key in environ and key not in but} | {
        "PYTHONUNBUFFERED": "1",
        "LANG": "C.UTF-8",
    }


def _healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=2, trust_env=False).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def _answers(url: str) -> bool:
    """Whether the server says anything at all: one that says its database is away is not mended by a restart."""
    try:
        httpx.get(f"{url}/healthz", timeout=10, trust_env=False)
    except httpx.TransportError:
        return False
    return True
