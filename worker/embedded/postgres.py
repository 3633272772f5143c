"""PostgreSQL 18 from a Python wheel: our own cluster, reached through a socket, gone when we are gone."""

import fcntl
import os
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psycopg

from worker.embedded import binaries, process
from worker.embedded.account import SetupError, SystemUser, require_passage, service_account
from worker.embedded.data import make_directory, path_digest, prepare, secret
from worker.embedded.process import ServiceError

ROLE = "proctor"
DATABASE = "proctor"
_READY_SECONDS = 60.0
_LONGEST_SOCKET_DIRECTORY = 80  # the kernel's limit for the whole socket path is 107
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "shared_buffers": "64MB",
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",
    "max_connections": "80",
    "max_wal_size": "256MB",
    "dynamic_shared_memory_type": "mmap",  # /dev/shm holds 64 MB inside most containers
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
_UNSAFE_BUT_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_STOP = [(signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0)]  # fast, then immediate shutdown


class AlreadyRuns(SetupError):
    """Another process runs this cluster."""


@dataclass
class Postgres:
    """One cluster below `data`; `start` waits until it answers, `stop` ends it with a fast shutdown.

    Call `start` from a thread that lives as long as the server should: the kernel shuts PostgreSQL down
    when that thread ends, however it ends. `durable=False` trades safety for speed, for tests only.
    """

    data: Path
    durable: bool = True
    name: str = field(default="postgres", init=False)
    _child: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)
    _lock: int | None = field(default=None, init=False, repr=False)

    @property
    def cluster(self) -> Path:
        """PostgreSQL's own directory."""
        return self.data / "postgres"

    @property
    def log(self) -> Path:
        """What the server writes about itself."""
        return self.data / "logs" / "postgres.log"

    @property
    def socket_directory(self) -> Path:
        """A short path of this installation's own, open to the database user and root alone."""
        base = Path("/run") if os.geteuid() == 0 and Path("/run").is_dir() else Path(tempfile.gettempdir())
        directory = base / f"proctor-{os.geteuid()}-{path_digest(self.data)}"
        if len(str(directory)) > _LONGEST_SOCKET_DIRECTORY:
            raise SetupError(f"{base} is too long a path for a socket; set TMPDIR to a shorter one")
        return directory

    def url(self, database: str = DATABASE) -> str:
        """The SQLAlchemy address of a database of this cluster, password included."""
        password = quote(secret(self.data, "postgres_password"), safe="")
        host = quote(str(self.socket_directory), safe="")
        return f"postgresql+psycopg://{ROLE}:{password}@/{database}?host={host}"

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """A connection in autocommit mode, for statements about databases."""
        return psycopg.connect(
            host=str(self.socket_directory),
            user=ROLE,
            password=secret(self.data, "postgres_password"),
            dbname=database,
            autocommit=True,
            connect_timeout=5,
        )

    def start(self) -> None:
        """Create the cluster on first use, start it and return when it answers.

        Raises `SetupError` for what a person has to change and `ServiceError` for anything else.
        """
        prepare(self.data)
        self._take_lock()
        try:
            account = service_account()
            require_passage(account, self.data)
            home = binaries.postgres_home(self.data, account)
            _private_directory(self.socket_directory, account)
            self.end_orphan()
            if not self.cluster.is_dir():
                self._initialise(home, account)
            self._require_major(home)
            self._launch(home, account)
        except BaseException:
            self.stop()
            raise

    def start_again(self) -> None:
        """The same as `start`, for it needs nothing that others do."""
        self.start()

    def alive(self) -> bool:
        """Whether the server process runs."""
        return self._child is not None and self._child.poll() is None

    def stop(self) -> None:
        """End the server: open transactions are rolled back, everything committed is on disk."""
        if self._child is not None:
            process.stop(self._child, _STOP)
            self._child = None
        if self._lock is not None:
            with suppress(OSError):  # not made yet, or PostgreSQL was killed and left its socket
                self.socket_directory.rmdir()
            os.close(self._lock)
            self._lock = None

    def _take_lock(self) -> None:
        """Make sure no other supervisor runs this cluster; the kernel frees the lock when we die."""
        if self._lock is not None:
            return
        handle = os.open(self.data / "postgres.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(handle)
            raise AlreadyRuns(
                f"Another Proctor already runs on {self.data}. "
                "Stop it, or choose another directory with PROCTOR_DATA."
            ) from error
        self._lock = handle

    def end_orphan(self) -> None:
        """Stop a server that a killed supervisor left behind, and forget a pid that is somebody else's now.

        The pid file of a dead server stays: PostgreSQL checks through it that no old backend is left.
        """
        pid_file = self.cluster / "postmaster.pid"
        pid = _first_line_number(pid_file)
        if pid is None or not Path(f"/proc/{pid}").exists():
            return
        if str(self.cluster).encode() not in _command_line(pid):
            pid_file.unlink()
            return
        os.kill(pid, signal.SIGINT)
        deadline = time.monotonic() + 30
        while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
            time.sleep(0.05)

    def _initialise(self, home: Path, account: SystemUser | None) -> None:
        """Make the cluster beside its final place, so that an interrupted run leaves nothing half made."""
        fresh = self.data / "postgres.new"
        shutil.rmtree(fresh, ignore_errors=True)
        make_directory(fresh, 0o700, account.owner if account else None)
        password = self.socket_directory / "password"
        password.write_text(secret(self.data, "postgres_password"))
        if account:
            os.chown(password, *account.owner)
        try:
            self._initdb(home, account, fresh, password)
        finally:
            password.unlink()
        fresh.rename(self.cluster)

    def _initdb(self, home: Path, account: SystemUser | None, fresh: Path, password: Path) -> None:
        command: list[str | Path] = [
            home / "bin" / "initdb",
            "-D",
            fresh,
            "-U",
            ROLE,
            f"--pwfile={password}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--locale=C.UTF-8",
        ]
        command += [] if self.durable else ["--no-sync"]
        child = process.spawn(command, log=self.log, env=_environment(home), cwd=fresh, account=account)
        if child.wait(_READY_SECONDS * 2) != 0:
            raise ServiceError(f"initdb failed:\n{process.last_lines(self.log)}")

    def _require_major(self, home: Path) -> None:
        """Refuse a cluster of another major version: PostgreSQL would, with a worse message."""
        wanted = subprocess.run([home / "bin" / "postgres", "-V"], capture_output=True, text=True, check=True)
        version = (self.cluster / "PG_VERSION").read_text().strip()
        if wanted.stdout.split()[2].split(".")[0] != version:
            raise SetupError(
                f"{self.cluster} was made by PostgreSQL {version}, but {wanted.stdout.strip()} is installed. "
                "Dump it with the old version, or move the directory away to start afresh."
            )

    def _launch(self, home: Path, account: SystemUser | None) -> None:
        settings = _SETTINGS | {"unix_socket_directories": str(self.socket_directory)}
        settings |= {} if self.durable else _UNSAFE_BUT_FAST
        command: list[str | Path] = [home / "bin" / "postgres", "-D", self.cluster]
        command += [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        deadline = time.monotonic() + _READY_SECONDS
        while True:
            self._child = process.spawn(
                command,
                log=self.log,
                env=_environment(home),
                cwd=self.cluster,
                death_signal=signal.SIGINT,
                account=account,
            )
            if self._answers(deadline):
                break
            # Right after a crash old backends may hold the shared memory for a moment: try again.
            process.stop(self._child, _STOP)
            if time.monotonic() > deadline or "shared memory block" not in process.last_lines(self.log):
                raise ServiceError(f"PostgreSQL did not start:\n{process.last_lines(self.log)}")
            time.sleep(0.5)
        self._create_database()

    def _answers(self, deadline: float) -> bool:
        """Wait until a connection with our password works; False when the server left or time is up."""
        while self.alive() and time.monotonic() < deadline:
            try:
                self.connect().close()
            except psycopg.OperationalError:
                time.sleep(0.03)
            else:
                return True
        return False

    def _create_database(self) -> None:
        with self.connect() as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
            if known is None:
                connection.execute(f'CREATE DATABASE "{DATABASE}"')


def _private_directory(directory: Path, account: SystemUser | None) -> None:
    """Create a 0700 directory for `account`; one that exists must already be exactly that.

    Raises `SetupError` where somebody else made it, since /tmp is open to all.
    """
    owner = account.owner if account else (os.geteuid(), os.getegid())
    make_directory(directory, 0o700, owner)
    state = directory.lstat()
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != owner[0] or state.st_mode & 0o077:
        raise SetupError(f"{directory} exists and is not Proctor's own private directory; remove it")


def _environment(home: Path) -> dict[str, str]:
    """What PostgreSQL needs from the environment; nothing of ours, so no PGDATA or PGHOST interferes."""
    return {"PATH": f"{home / 'bin'}:/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": "UTC"}


def _first_line_number(path: Path) -> int | None:
    try:
        line = path.read_text().splitlines()[0]
    except (FileNotFoundError, IndexError):
        return None
    return int(line) if line.isdigit() else None


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
