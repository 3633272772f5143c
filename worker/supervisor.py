"""One process that starts the others in order, restarts what dies, and stops them in reverse order."""

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Protocol

from worker.answering import Answering
from worker.embedded import process
from worker.embedded.process import ServiceError

_LOOK_EVERY = 0.3
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 60.0
_STEADY_AFTER = 60.0
_SILENT_STOP = 3.0


class Service(Protocol):
    """What a supervisor looks after; `start` returns when the service is ready, or raises `ServiceError`."""

    @property
    def name(self) -> str:
        """A name for people, unique within the supervisor."""
        ...

    @property
    def log(self) -> Path | None:
        """The file that it writes to while it runs, if there is one."""
        ...

    def start(self) -> None:
        """Start and wait until ready."""
        ...

    def start_again(self) -> None:
        """Start after it died, without a wait for what others do."""
        ...

    def alive(self) -> bool:
        """Whether it still runs and answers, and has got ready in time since it was started again."""
        ...

    def stop(self) -> None:
        """Stop and wait until gone; harmless when it does not run."""
        ...


@dataclass
class Program:
    """A child process as a service.

    `env` is called at each start, so a secret made by an earlier step is there by then. `ready` is asked
    every 50 ms until it says so or `ready_seconds` are over; without it a program is ready once started.
    `answers` is asked while it runs: a program that has not answered for `silent_seconds` counts as dead.
    """

    name: str
    command: Sequence[str | Path]
    log: Path
    cwd: Path
    env: Callable[[], Mapping[str, str]]
    ready: Callable[[], bool] | None = None
    ready_seconds: float = 60.0
    stop_seconds: float = 20.0
    answers: Callable[[], bool] | None = None
    silent_seconds: float = 30.0
    _child: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)
    _ready_until: float | None = field(default=None, init=False, repr=False)
    _answering: Answering | None = field(default=None, init=False, repr=False)

    def start(self) -> None:
        """Start the program and wait for `ready`; raises `ServiceError` with the end of its log."""
        self._spawn()
        deadline = time.monotonic() + self.ready_seconds
        while self.ready is not None and not self.ready():
            if not self.alive() or time.monotonic() > deadline:
                self.stop()
                raise ServiceError(f"{self.name} did not get ready:\n{process.last_lines(self.log)}")
            time.sleep(0.05)
        self._listen()

    def start_again(self) -> None:
        """Start the program; `alive` sees to it that it gets ready.

        It may need another service that is down as well, and whoever looks after both must not wait here.
        """
        self._spawn()
        if self.ready is not None:
            self._ready_until = time.monotonic() + self.ready_seconds

    def alive(self) -> bool:
        """Whether the process runs and answers; one that was started again and is not ready in time does not count."""
        if self._child is None or self._child.poll() is not None:
            return False
        if self._ready_until is not None and self.ready is not None:
            if not self.ready():
                return time.monotonic() < self._ready_until
            self._ready_until = None
            self._listen()
        return not self.silent

    @property
    def silent(self) -> bool:
        """Whether it has not answered for too long."""
        return self._answering is not None and self._answering.silent

    def _listen(self) -> None:
        if self.answers is not None:
            self._answering = Answering(self.answers, seconds=self.silent_seconds)

    def _spawn(self) -> None:
        self._ready_until = None
        self._child = process.spawn(self.command, log=self.log, env=self.env(), cwd=self.cwd)

    def stop(self) -> None:
        """SIGTERM, `stop_seconds` to finish, then SIGKILL; what does not answer has little to finish."""
        seconds = min(self.stop_seconds, _SILENT_STOP) if self.silent else self.stop_seconds
        if self._answering is not None:
            self._answering.stop()
            self._answering = None
        if self._child is not None:
            process.stop(self._child, [(signal.SIGTERM, seconds)])
            self._child = None


@dataclass
class Step:
    """Something done once on the way up, such as the migrations; never restarted, nothing to stop."""

    name: str
    action: Callable[[], None]
    log: None = None

    def start(self) -> None:
        """Do it; whatever it raises ends the start."""
        self.action()

    def start_again(self) -> None:
        """Done is done."""

    def alive(self) -> bool:
        """Done is done."""
        return True

    def stop(self) -> None:
        """Nothing runs."""


@dataclass
class _Restart:
    """When a dead service is started again: after twice the pause of the last time, up to a minute."""

    at: float
    pause: float


class Supervisor:
    """Runs services until told to stop.

    Use it from the main thread: the kernel ends every child when the thread that started it ends.
    `announce` hears one line per event, for a person at a terminal.
    """

    def __init__(
        self, services: Sequence[Service], announce: Callable[[str], None] = lambda line: None
    ) -> None:
        self._services = services
        self._announce = announce
        self._started: list[Service] = []
        self._since: dict[str, float] = {}
        self._restarts: dict[str, _Restart] = {}
        self._pauses: dict[str, float] = {}
        self._stop = threading.Event()

    def start(self) -> None:
        """Start everything in order; if one fails, stop what already runs and raise its error.

        A request to stop that arrives meanwhile ends the start early, without an error.
        """
        try:
            for service in self._services:
                if self._stop.is_set():
                    break
                self._started.append(service)
                began = time.monotonic()
                service.start()
                self._since[service.name] = time.monotonic()
                self._announce(f"{service.name}: ready in {time.monotonic() - began:.1f} s")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop everything in reverse order, each with its own time-outs."""
        self._stop.set()
        while self._started:
            service = self._started.pop()
            service.stop()
            if not isinstance(service, Step):
                self._announce(f"{service.name}: stopped")

    def request_stop(self, number: int = 0, frame: FrameType | None = None) -> None:
        """Make `run` return; has the shape of a signal handler."""
        self._stop.set()

    def run(self, when_ready: Callable[[], None] = lambda: None) -> None:
        """Start, watch and restart until SIGTERM, SIGINT or `request_stop`; then stop in reverse order.

        `when_ready` is called once everything has started.
        """
        numbers = (signal.SIGTERM, signal.SIGINT)
        before = {number: signal.signal(number, self.request_stop) for number in numbers}
        try:
            self.start()
            if not self._stop.is_set():
                when_ready()
            while not self._stop.wait(_LOOK_EVERY):
                self.look_after()
        finally:
            self.stop()
            for number, handler in before.items():
                signal.signal(number, handler)

    def look_after(self) -> None:
        """One round: keep logs short, plan a restart for whatever died, and carry out those that are due."""
        now = time.monotonic()
        for service in self._started:
            if service.log is not None:
                process.keep_short(service.log)
            if service.alive():
                continue
            planned = self._restarts.get(service.name)
            if planned is None:
                self._plan(service, now)
            elif planned.at <= now:
                self._start_again(service)

    def _plan(self, service: Service, now: float) -> None:
        """Double the pause for a service that keeps dying; start over once it had run for a minute."""
        steady = now - self._since.get(service.name, now) > _STEADY_AFTER
        pause = _FIRST_PAUSE if steady else self._pauses.get(service.name, _FIRST_PAUSE)
        self._pauses[service.name] = min(pause * 2, _LONGEST_PAUSE)
        self._restarts[service.name] = _Restart(now + pause, pause)
        silent = isinstance(service, Program) and service.silent
        state = "runs and does not answer" if silent else "stopped by itself"
        self._announce(f"{service.name}: {state}, starting it again in {pause:g} s")

    def _start_again(self, service: Service) -> None:
        del self._restarts[service.name]
        service.stop()
        try:
            service.start_again()
        except ServiceError as error:
            self._announce(f"{service.name}: did not start again: {error}")
            return
        self._since[service.name] = time.monotonic()
        self._announce(f"{service.name}: started again")
