"""An installation of its own, run as `proctor-admin up` runs it: every part a process, reached over HTTP."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
from pydantic import SecretStr
from sqlalchemy.orm import Session

from evaluator.spec import Challenge
from server.challenges.service import apply, get_challenge
from server.database import connect, session_factory, unit_of_work
from server.settings import Settings
from server.versions.service import import_fomo
from worker.embedded.data import CHECKOUT, secret
from worker.embedded.postgres import Postgres

LEASE_SECONDS = 5
_START_SECONDS = 300.0
"""For a platform whose process lives; on two cores with twenty others at work a start takes close to a minute."""


@dataclass(frozen=True)
class Installation:
    """A running platform in `data`."""

    data: Path
    process: subprocess.Popen[bytes]
    url: str

    @property
    def setup_token(self) -> str:
        return secret(self.data, "setup_token")

    @property
    def settings(self) -> Settings:
        """What the server of this installation was told."""
        return Settings.model_validate(
            {
                "data": self.data,
                "secret_key": SecretStr(secret(self.data, "secret_key")),
                "DATABASE_URL": Postgres(self.data).url(),
            }
        )

    @contextmanager
    def database(self) -> Iterator[Session]:
        """A unit of work on the database, for what no endpoint does or shows."""
        engine = connect(self.settings.database_url, pool_size=1)
        try:
            with unit_of_work(session_factory(engine)) as session:
                yield session
        finally:
            engine.dispose()

    def apply(self, spec: Challenge) -> None:
        with self.database() as session:
            apply(session, spec, actor="tests")

    def import_task(self, challenge: str, phase: str, task: str, folder: Path) -> None:
        with self.database() as session:
            import_fomo(
                session,
                get_challenge(session, challenge),
                phase=phase,
                task=task,
                source=folder,
                settings=self.settings,
                actor="tests",
            )

    def admin(self, *words: str) -> str:
        """What `proctor-admin` prints; it fails the test where the command fails."""
        environment = {**os.environ, "PROCTOR_DATA": str(self.data)}
        command = [sys.executable, "-m", "worker.admin", *words]
        return subprocess.run(
            command, cwd=CHECKOUT, env=environment, check=True, capture_output=True, text=True
        ).stdout

    def program(self, *words: str) -> int:
        """Process id of the program of this installation whose command line has all of `words`.

        Raises:
            LookupError: it does not run.
        """
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and _is_child(entry, self.process.pid):
                with suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
                    line = (entry / "cmdline").read_bytes().decode(errors="replace")
                    if all(word in line for word in words):
                        return int(entry.name)
        raise LookupError(words)

    def worker(self, name: str) -> int:
        """Process id of the run worker called `name`; LookupError if it does not run."""
        return self.program("worker.run", name)

    def logs(self) -> str:
        """Everything the platform's processes have written."""
        return "\n".join(path.read_text(errors="replace") for path in sorted((self.data / "logs").iterdir()))


def _is_child(entry: Path, parent: int) -> bool:
    try:
        return f"\nPPid:\t{parent}\n" in (entry / "status").read_text()
    except OSError:
        return False


@contextmanager
def installation(data: Path, *, run_workers: int = 2, **settings: str) -> Iterator[Installation]:
    """Starts a platform in `data`, with further settings, and stops it at the end as Ctrl-C would."""
    command = [sys.executable, "-m", "worker.admin", "up", "--port", "0", "--run-workers", str(run_workers)]
    environment = {
        key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "REDIS_URL")
    }
    environment |= {"PROCTOR_DATA": str(data), "PROCTOR_LEASE_SECONDS": str(LEASE_SECONDS)}
    # When ends are shown is tried in tests/abuse/test_leakage.py; here each evaluation would wait for its moment.
    environment |= {"PROCTOR_HOLD_ENDS": "false", **settings}
    with (data.parent / "up.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=CHECKOUT, env=environment, stdout=log, stderr=log)
    try:
        yield Installation(data, process, _address(data, process))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(120)


def _address(data: Path, process: subprocess.Popen[bytes]) -> str:
    file, deadline = data / "address", time.monotonic() + _START_SECONDS
    while not file.exists():
        assert process.poll() is None, (data.parent / "up.log").read_text()
        assert time.monotonic() < deadline, (data.parent / "up.log").read_text()
        time.sleep(0.1)
    url = file.read_text().strip()
    assert httpx.get(f"{url}/healthz").json() == {"status": "ok"}
    return url
