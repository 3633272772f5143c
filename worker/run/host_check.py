"""A slot takes no work before its host has shown that it denies what it must and answers what is known.

The suite and the canary run for every profile and runtime in use when the worker starts and once a day. Their result
is kept in the workers' folder, so slots of one host share it, and a restart within a day does not repeat it.
"""

import contextlib
import fcntl
import hashlib
import json
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import structlog

import sandbox
from evaluator.spec import Limits
from sandbox import conformance
from sandbox.conformance import Result
from sandbox.engine import Engine
from sandbox.faults import EngineFault
from sandbox.gpu_state import ailing
from sandbox.jobs import Slot
from sandbox.options import RUNTIMES
from worker.run.config import RunConfig
from worker.run.host import HostFolder
from worker.run.lease_client import LeaseClient

_log = structlog.get_logger()
_HOLDS = 24 * 3600.0
_AGAIN = 60.0
_ENGINE_AGAIN = 15.0
_GPU_AGAIN = 10.0
_NAMED = 5
_Setting = tuple[str, str]
"""A profile and a runtime."""


class Unfit(Exception):
    """This slot may not run the case: another one may, and it is nobody's failure."""


class HostCheck:
    """Whether one slot may take work; the server is told why not, and once it may again.

    `slot` is what the slot gives to a container.
    """

    def __init__(self, config: RunConfig, host: HostFolder, slot: Slot, client: LeaseClient) -> None:
        self._only, self._host, self._client = config.runtime, host, client
        self._accepted = config.accepted
        self._gpu, self._gpu_until = slot.gpu_uuid, 0.0
        self._gpu_ails: str | None = None
        # The suite does not know what a GPU's toolkit puts into a container.
        self._slot = replace(slot, gpu_uuid=None)
        self._folder = host.root / "conformance"
        for name in ("used", "scratch"):
            (self._folder / name).mkdir(parents=True, exist_ok=True, mode=0o711)
        self._unfit: str | None = None
        self._until = 0.0
        self._told = False
        self._passed: dict[_Setting, float] = {}

    @property
    def is_due(self) -> bool:
        """Whether `passes` would examine the host, which takes seconds and starts containers."""
        return time.time() >= self._until

    def passes(self) -> bool:
        """Whether the slot may take work. Examines the host at the first call and then daily, a GPU every few seconds.

        A GPU that fails takes its slot out for as long as it does.
        """
        self._look_at_gpu()
        if self._gpu_ails is None and self.is_due:
            self._settle(*self._of_engine(self._modes))
        if not self._told:
            self._say()
        return self._why_not is None

    @property
    def _why_not(self) -> str | None:
        return self._gpu_ails or self._unfit

    def _look_at_gpu(self) -> None:
        if self._gpu is None or time.time() < self._gpu_until:
            return
        before, self._gpu_ails = self._gpu_ails, ailing(self._gpu)
        self._gpu_until = time.time() + _GPU_AGAIN
        if self._gpu_ails == before:
            return
        self._told = False
        if self._gpu_ails is None:
            _log.info("gpu_answers_again", gpu=self._gpu)
            self._client.look_at_gpu()
        else:
            _log.error("gpu_fails", gpu=self._gpu, why=self._gpu_ails)

    def require(self, limits: Limits) -> None:
        """Return if the profile and the runtime of these limits have passed, now or within the last day.

        Raises:
            Unfit: a check failed; the slot takes no further work.
        """
        mode = limits.profile, limits.runtime or self._slot.runtime
        if time.time() < self._passed.get(mode, 0.0):
            return
        (self._folder / "used" / "-".join(mode)).touch()
        unfit, holds = self._of_engine(lambda engine: [mode])
        if unfit is not None:
            self._settle(unfit, holds)
            raise Unfit(unfit)

    def _settle(self, unfit: str | None, holds: float) -> None:
        self._told = self._told and unfit == self._unfit
        self._unfit, self._until = unfit, time.time() + holds

    def _of_engine(self, modes: Callable[[Engine], list[_Setting]]) -> tuple[str | None, float]:
        """Why the slot may take no work, or None, and for how many seconds that is so."""
        try:
            with contextlib.closing(Engine.connect()) as engine:
                unfit = self._sentence(engine, modes(engine))
                return unfit, _HOLDS if unfit is None else _AGAIN
        except EngineFault as fault:
            _log.error("host_not_examined", fault=fault.fault, detail=fault.detail)
            return f"The container engine of this host fails: {fault.fault}.", _ENGINE_AGAIN

    def _modes(self, engine: Engine) -> list[_Setting]:
        """What is examined ahead of any case: the usual, and what cases on this host have asked for."""
        used = [path.name.split("-") for path in (self._folder / "used").iterdir()]
        known = [name for name in runtimes(engine) if self._only in (None, name)]
        self._client.offer(known)
        asked = {(profile, runtime) for profile, runtime in used if runtime in known}
        return sorted({("compatible", self._slot.runtime)} | asked)

    def _sentence(self, engine: Engine, modes: list[_Setting]) -> str | None:
        failed = [name for mode in modes for name in self._failed(engine, mode)]
        if not failed:
            return None
        names = ", ".join(dict.fromkeys(failed[:_NAMED])) + (", …" if len(failed) > _NAMED else "")
        return f"Checks of the sandbox failed on this host ({len(failed)}): {names}."

    def _failed(self, engine: Engine, mode: _Setting) -> list[str]:
        """Names of the checks that fail; nothing is tried again that has passed within a day."""
        if mode[1] not in runtimes(engine):
            return [f"the engine has no runtime {mode[1]}"]
        kept = self._folder / f"{_key(engine, mode, self._accepted)}.json"
        if self._has_passed(mode, kept):
            return []
        self._say_examining()
        with self._locked():
            if self._has_passed(mode, kept):  # by now: another slot of this host was first
                return []
            results = self._examine(engine, mode)
            failed = [check.name for check in results if not (check.held or self._accepts(check))]
            if not failed:
                kept.write_text("-".join(mode))
                self._passed[mode] = time.time() + _HOLDS
            return failed

    def _has_passed(self, mode: _Setting, kept: Path) -> bool:
        try:
            age = time.time() - kept.stat().st_mtime
        except FileNotFoundError:
            return False
        if age < _HOLDS:
            self._passed[mode] = time.time() + _HOLDS - age
        return age < _HOLDS

    def _examine(self, engine: Engine, mode: _Setting) -> list[Result]:
        began = time.monotonic()
        log = _log.bind(profile=mode[0], runtime=mode[1])
        log.info(
            "examining_host",
            why="No case is taken before all checks have passed, which takes up to a minute.",
        )
        prefix = self._host.container_prefix("conformance")
        engine.remove_orphans(prefix, keep=())
        scratch = self._folder / "scratch"
        for path in scratch.iterdir():
            shutil.rmtree(path, ignore_errors=True)
        self._keep_one_image(engine)
        with self._host.running():
            results = [
                result
                for examine in (conformance.run, conformance.canary)
                for result in examine(engine, *mode, scratch, slot=self._slot, prefix=prefix)
            ]
        for check in results:
            if not check.held:
                log.error(
                    "check_failed", check=check.name, detail=check.detail, accepted=self._accepts(check)
                )
        log.info("host_examined", checks=len(results), seconds=round(time.monotonic() - began, 3))
        return results

    def _accepts(self, check: Result) -> bool:
        """Whether an admin lets it fail; known answers of the canary never may."""
        return check.name in self._accepted and not check.name.startswith(conformance.CANARY)

    def _keep_one_image(self, engine: Engine) -> None:
        """Makes the suite's image and lets go of the one that an older version of this code made."""
        note = self._folder / "image"
        before, now = note.read_text() if note.is_file() else None, conformance.image(engine)
        if before not in (None, now):
            engine.untag(str(before))
        note.write_text(now)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self._folder / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _say_examining(self) -> None:
        """So that admins see a slot that takes no work for a minute; what came of it is told in any case then."""
        self._told = False
        try:
            self._client.report_examining()
        except httpx.HTTPError as error:
            _log.warning("fitness_not_told", error=type(error).__name__)

    def _say(self) -> None:
        try:
            self._client.report(self._why_not)
            self._told = True
        except httpx.HTTPError as error:
            _log.warning("fitness_not_told", error=type(error).__name__)


def runtimes(engine: Engine) -> list[str]:
    """The container runtimes of this engine that a challenge may ask for."""
    return [name for name in RUNTIMES if name in (engine.host.get("Runtimes") or {})]


def _key(engine: Engine, mode: _Setting, accepted: frozenset[str]) -> str:
    """Names a result: the same engine, kernel, code, profile, runtime and accepted checks give the same key."""
    said = (
        "ServerVersion",
        "KernelVersion",
        "CgroupVersion",
        "CgroupDriver",
        "Driver",
        "SecurityOptions",
        "Runtimes",
    )
    known = [engine.raw.kind, *(engine.host.get(name) for name in said)]
    code = hashlib.sha256()
    for path in sorted(Path(sandbox.__file__).parent.rglob("*.*")):
        if path.suffix in (".py", ".json"):
            code.update(path.read_bytes())
    here = [sys.version, platform.release(), code.hexdigest(), sorted(accepted)]
    text = json.dumps([known, engine.privileged, *here, mode])
    return hashlib.sha256(text.encode()).hexdigest()[:32]
