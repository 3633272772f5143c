"""Redis from a Python wheel: wake-ups only, so nothing is kept, and nobody without the password gets in."""

import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import redis

from worker.embedded import binaries, process
from worker.embedded.account import require_passage, service_account
from worker.embedded.data import make_directory, prepare, secret
from worker.embedded.ports import is_free, port_to_keep, reachable_as, require_free
from worker.embedded.process import ServiceError

_USER = "proctor"
_READY_SECONDS = 20.0
_FREE_SECONDS = 5.0
# INFO is among the dangerous commands, and Celery's transport asks for it.
_RIGHTS = "~* &* +@all -@admin -@dangerous +info"
_CONFIGURATION = """\
bind {host}
port {port}
protected-mode yes
daemonize no
dir {directory}
save ""
appendonly no
maxmemory 128mb
maxmemory-policy noeviction
tcp-keepalive 60
user default off
user {user} on >{password} {rights}
"""


@dataclass
class Redis:
    """One Redis server on a TCP port, started empty each time.

    TCP and not a socket, because run workers may sit on other hosts: `host` says where it listens. Port 0 is the port
    that this installation had before, or a free one at the first start; it is kept in `data`, so that the address
    stays. Call `start` from a thread that lives as long as the server should.
    """

    data: Path
    host: str = "127.0.0.1"
    port: int = 0
    name: str = field(default="redis", init=False)
    _child: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.port == 0:
            self.port = self._kept_port() or port_to_keep(self.host)

    @property
    def port_file(self) -> Path:
        """Holds the port that this installation keeps."""
        return self.data / "redis.port"

    def _kept_port(self) -> int | None:
        try:
            return int(self.port_file.read_text())
        except (FileNotFoundError, ValueError):
            return None

    @property
    def log(self) -> Path:
        """What the server writes about itself."""
        return self.data / "logs" / "redis.log"

    @property
    def url(self) -> str:
        """The address with user and password, as Celery and redis-py take it."""
        return self.url_at(reachable_as(self.host))

    def url_at(self, host: str) -> str:
        """The address as it is for somebody who reaches this machine as `host`."""
        password = quote(secret(self.data, "redis_password"), safe="")
        return f"redis://{_USER}:{password}@{host}:{self.port}/0"

    def start(self) -> None:
        """Start the server and return when it answers.

        Raises `SetupError` for what a person has to change and `ServiceError` for anything else.
        """
        prepare(self.data)
        account = service_account()
        require_passage(account, self.data)
        home = binaries.redis_home(self.data, account)
        self._wait_until_free()
        directory = make_directory(self.data / "redis", 0o700, account.owner if account else None)
        # The configuration goes through standard input: the password is in no file and no process list.
        self._child = process.spawn(
            [home / "redis-server", "-"],
            log=self.log,
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
            cwd=directory,
            account=account,
            stdin=self._configuration(directory).encode(),
        )
        if not self._answers():
            self.stop()
            raise ServiceError(f"Redis did not start:\n{process.last_lines(self.log)}")
        self.port_file.write_text(f"{self.port}\n")

    def _wait_until_free(self) -> None:
        """What a killed supervisor left leaves the port within moments; another program does not."""
        deadline = time.monotonic() + _FREE_SECONDS
        while not is_free(self.host, self.port) and time.monotonic() < deadline:
            time.sleep(0.05)
        require_free(self.host, self.port, option="--redis-port")

    def start_again(self) -> None:
        """The same as `start`, for it needs nothing that others do."""
        self.start()

    def alive(self) -> bool:
        """Whether the server process runs."""
        return self._child is not None and self._child.poll() is None

    def stop(self) -> None:
        """End the server; its messages are wake-ups and may be lost."""
        if self._child is not None:
            process.stop(self._child, [(signal.SIGTERM, 5.0)])
            self._child = None

    def _configuration(self, directory: Path) -> str:
        return _CONFIGURATION.format(
            host=self.host,
            port=self.port,
            directory=directory,
            user=_USER,
            password=secret(self.data, "redis_password"),
            rights=_RIGHTS,
        )

    def _answers(self) -> bool:
        deadline = time.monotonic() + _READY_SECONDS
        with redis.Redis.from_url(self.url) as client:
            while self.alive() and time.monotonic() < deadline:
                try:
                    client.ping()
                except redis.RedisError:
                    time.sleep(0.03)
                else:
                    return True
        return False
