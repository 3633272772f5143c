"""A database and a server of a benchmark's own, on the code that `proctor-admin up` runs."""

import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from server.settings import Settings
from worker.embedded import process
from worker.embedded.data import CHECKOUT
from worker.embedded.migrations import migrate
from worker.embedded.ports import free_port
from worker.embedded.postgres import Postgres

_READY_SECONDS = 60


@contextmanager
def installation() -> Iterator[Settings]:
    """Settings with a migrated, empty, durable PostgreSQL; everything is removed afterwards."""
    data = Path(tempfile.mkdtemp(prefix="proctor-bench-"))
    data.chmod(0o711)
    postgres = Postgres(data)
    try:
        postgres.start()
        migrate(postgres.url())
        yield Settings.model_validate(
            {"data": data, "secret_key": secrets.token_hex(32), "DATABASE_URL": postgres.url()}
        )
    finally:
        postgres.stop()
        shutil.rmtree(data, ignore_errors=True)


@contextmanager
def server(settings: Settings) -> Iterator[str]:
    """The address of a server process before that database."""
    with server_process(settings) as (address, _):
        yield address


@contextmanager
def server_process(settings: Settings, more: Mapping[str, str] | None = None) -> Iterator[tuple[str, int]]:
    """The same, with the id of its process; `more` is what its environment holds beside."""
    port = free_port()
    command = [sys.executable, "-m", "server", "--port", str(port)]
    environment = {
        "DATABASE_URL": settings.database_url,
        "PROCTOR_DATA": str(settings.data),
        "PROCTOR_SECRET_KEY": settings.secret_key.get_secret_value(),
        # A whole season's people come from this one address.
        "PROCTOR_REQUESTS_PER_TOKEN": "1000000",
        "PROCTOR_REQUESTS_PER_ADDRESS": "1000000",
    } | dict(more or {})
    log = settings.data / "logs" / "server.log"
    child = process.spawn(command, log=log, env=environment, cwd=CHECKOUT)
    try:
        _wait(child, f"http://127.0.0.1:{port}", log)
        yield f"http://127.0.0.1:{port}", child.pid
    finally:
        process.stop(child, [(signal.SIGTERM, 10.0)])


def _wait(child: subprocess.Popen[bytes], url: str, log: Path) -> None:
    until = time.monotonic() + _READY_SECONDS
    while child.poll() is None and time.monotonic() < until:
        try:
            httpx.get(f"{url}/healthz", trust_env=False).raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"the server did not get ready:\n{process.last_lines(log)}")
