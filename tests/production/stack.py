"""`compose.yaml` as an operator runs it: images from Debian's packages, a project and a folder of its own."""

import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from worker.embedded.data import CHECKOUT

PRIVILEGED = "privileged: true\n"
UNPRIVILEGED = """\
cap_add: [SYS_ADMIN]
    security_opt: ["seccomp=unconfined", "apparmor=unconfined"]
    device_cgroup_rules: ["b *:* rmw", "c *:* rmw"]
"""
"""What a run worker uses of it, where the engine can make nothing privileged, as inside some virtual machines."""
OWN = ("POSTGRES_PASSWORD", "REDIS_PASSWORD", "PROCTOR_SECRET_KEY", "PROCTOR_SETUP_TOKEN")
IMAGE = re.compile(r"(image: proctor/\w+)$", re.MULTILINE)
"""As versions before PROCTOR_TAG named theirs: whoever had two of them beside each other wrote it so."""
SERVICES = ("postgres", "redis", "server", "beat", "run-worker", "score-worker", "courier")
_PATIENCE = 420.0
_LABEL = "com.docker.compose"


def docker(*words: str, check: bool = True) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def composer() -> list[str] | None:
    """Compose as this machine has it; None where it has none."""
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0:
        return ["docker", "compose"]
    return ["docker-compose"] if shutil.which("docker-compose") else None


@dataclass
class Stack:
    """One project of compose.yaml: `folder` holds its .env, and what run workers have on the host."""

    folder: Path
    images: dict[str, str]
    privileged: bool
    tree: Path = CHECKOUT
    project: str = field(default_factory=lambda: f"proctor-production-{secrets.token_hex(4)}")

    def __post_init__(self) -> None:
        self.file = self.folder / "compose.yaml"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.env = {
            **self.images,
            **{name: secrets.token_hex(32) for name in OWN},
            "PROCTOR_WORKER_TOKEN": "none-yet",
            "PROCTOR_WORKER_DIR": str(self.folder / "worker"),
            "PROCTOR_LISTEN": f"127.0.0.1:{self.port}",
            "PROCTOR_LEASE_SECONDS": "5",
            "PROCTOR_DISK_RESERVE": str(2**30),
        }
        self.use(self.tree, self.images["PROCTOR_TAG"])

    def use(self, tree: Path, tag: str) -> None:
        """From the next `up` on it is the version of `tree`: its compose.yaml, and its images by their tag."""
        text = (tree / "compose.yaml").read_text()
        assert text.count(PRIVILEGED) == 1
        # When ends are shown is tried in tests/abuse/test_leakage.py; here each evaluation would wait for its moment.
        text = text.replace(
            "  PROCTOR_DATA: /data\n", '  PROCTOR_DATA: /data\n  PROCTOR_HOLD_ENDS: "false"\n'
        )
        text = IMAGE.sub(r"\1:${PROCTOR_TAG}", text)
        self.file.write_text(text if self.privileged else text.replace(PRIVILEGED, UNPRIVILEGED))
        self.env["PROCTOR_TAG"] = tag

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def compose(self, *words: str, check: bool = True, given: str | None = None) -> str:
        """What compose prints, with `given` on its standard input; the test fails where compose does."""
        file = self.folder / "env"
        file.write_text("".join(f"{name}={value}\n" for name, value in self.env.items()))
        command = composer()
        assert command is not None
        options = ["--project-name", self.project, "--env-file", str(file), "--file", str(self.file)]
        plain = {key: value for key, value in os.environ.items() if key not in self.env}
        done = subprocess.run(
            [*command, *options, *words], env=plain, capture_output=True, text=True, input=given, check=False
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def admin(
        self, *words: str, mounted: Path | None = None, given: str | None = None, check: bool = True
    ) -> str:
        """What `proctor-admin` prints in a container of the score worker; `mounted` is /given there."""
        return self.within("python3", "-m", "worker.admin", *words, mounted=mounted, given=given, check=check)

    def within(
        self, *command: str, mounted: Path | None = None, given: str | None = None, check: bool = True
    ) -> str:
        """What a command prints in a container of the score worker; `mounted` is /given there."""
        volume = ("--volume", f"{mounted}:/given") if mounted else ()
        run = ("run", "--rm", "-T", "--no-deps", *volume, "score-worker")
        return self.compose(*run, *command, given=given, check=check)

    def within_database(self, *command: str, given: bytes | None = None) -> bytes:
        """What a command in the database's container writes, with `given` on its standard input."""
        words = ["docker", "exec", "--interactive", self.container("postgres"), *command]
        done = subprocess.run(words, input=given, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def begin(self) -> None:
        """The first start, as the top of compose.yaml says it."""
        self.compose("up", "--detach", "--no-build", "server")
        self.renew_worker_token()
        self.compose("up", "--detach", "--no-build")
        self.settled()

    def renew_worker_token(self) -> None:
        self.env["PROCTOR_WORKER_TOKEN"] = self.admin("worker-token", "run-1").splitlines()[0].strip()

    def again(self, *services: str) -> None:
        """`up` after a change of settings or images; returns when all is well."""
        self.compose("up", "--detach", "--no-build", *services)
        self.settled()

    def container(self, service: str) -> str:
        return str(self._containers()[service]["Id"])

    def states(self) -> dict[str, str]:
        """Of every service but `migrate`, which ends: what the engine says of its container."""
        there = self._containers()
        states = {service: there[service]["State"] if service in there else {} for service in SERVICES}
        return {
            service: state.get("Health", {}).get("Status", state.get("Status", "missing"))
            for service, state in states.items()
        }

    def _containers(self) -> dict[str, Any]:
        """What the engine says of the project's containers, by service. Asking compose takes a second for each."""
        ours = f"label={_LABEL}.project={self.project}"
        ids = docker("ps", "--all", "--quiet", "--filter", ours, "--filter", f"label={_LABEL}.oneoff=False")
        told = json.loads(docker("inspect", *ids.split())) if ids else []
        return {one["Config"]["Labels"][f"{_LABEL}.service"]: one for one in told}

    def ready(self, service: str) -> None:
        """Waits until one service is healthy."""
        deadline = time.monotonic() + _PATIENCE
        while self.states()[service] != "healthy":
            assert time.monotonic() < deadline, self.states()
            time.sleep(1)

    def settled(self) -> None:
        """Waits until every service is healthy and the server answers."""
        deadline = time.monotonic() + _PATIENCE
        while set(states := self.states()) and set(states.values()) != {"healthy"}:
            assert time.monotonic() < deadline, (states, self.logs()[-4000:])
            time.sleep(1)
        assert httpx.get(f"{self.url}/healthz", timeout=10).json() == {"status": "ok"}

    def running_case(self, *, seconds: float = 60) -> None:
        """Waits until the container of a case runs."""
        deadline = time.monotonic() + seconds
        ours = self.folder / "worker" / "installation"  # the engine may run cases of others too
        while not (
            ours.exists() and docker("ps", "--quiet", "--filter", f"name=proctor-{ours.read_text()}-")
        ):
            assert time.monotonic() < deadline, "nothing runs"
            time.sleep(0.1)

    def crash(self, service: str) -> None:
        """Kills a service's processes as a fault would, and waits until the engine has started it again.

        After `docker kill` the engine would leave it stopped.
        """
        container = self.container(service)
        before = json.loads(docker("inspect", container))[0]
        os.kill(before["State"]["Pid"], signal.SIGKILL)
        deadline = time.monotonic() + _PATIENCE
        while json.loads(docker("inspect", container))[0]["RestartCount"] == before["RestartCount"]:
            assert time.monotonic() < deadline, "it is not started again"
            time.sleep(0.1)

    def logs(self) -> str:
        return self.compose("logs", "--no-color", check=False)


@contextmanager
def stack(folder: Path, images: dict[str, str], tree: Path = CHECKOUT) -> Iterator[Stack]:
    """A project of the version in `tree` that is not started yet; nothing of it is left at the end."""
    folder.mkdir(mode=0o711)
    one = Stack(folder, images, _may_be_privileged(images["REDIS_IMAGE"]), tree)
    try:
        yield one
    finally:
        one.compose("down", "--volumes", "--remove-orphans", "--timeout", "5", check=False)


def _may_be_privileged(image: str) -> bool:
    command = ["docker", "run", "--rm", "--network", "none", "--privileged", "--user", "root", image, "true"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
