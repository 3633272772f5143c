"""A worker in a Slurm job or a pod: the slots of its allocation, each a process of its own where there are several."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import httpx
import structlog
from pydantic import ValidationError

from worker.run.allocation import (
    JOB_END,
    Allocation,
    Had,
    TooSmall,
    end_told,
    grace_left,
    in_job,
    was_put_back,
)
from worker.run.alone import Signals, Terms, serve
from worker.run.config import RunConfig
from worker.run.host import SlotTaken
from worker.run.lease_client import LeaseClient
from worker.run.orders import Orders
from worker.run.pod import NODE, cpu_quota, in_pod, pod
from worker.run.runner import Runner

_LOOK_EVERY = 0.2
_MOST_SLOTS = 1000

_log = structlog.get_logger()


def run(orders: Orders, say: Callable[[str], None]) -> int:
    """Runs the slots of the job or pod that this process is of; returns when all have ended, with the exit code.

    An allocation that is smaller than it claims takes no case: what is wrong is said, also to the server, and the
    exit code is 2.
    """
    signals = Signals()
    base = orders.name or _stem()
    try:
        allocation = _allocation()
        shares = allocation.shares(orders.slots, os.environ)
    except TooSmall as why:
        say(str(why))
        _tell_admins(f"{base}-0", str(why))  # not the name of a slot that another job of this node may have
        return 2
    if in_job(os.environ):
        os.environ.setdefault(JOB_END, end_told(os.environ["SLURM_JOB_ID"]))
    if len(shares) == 1:
        os.environ.update(shares[0])
        return run_slot(base, orders, signals)
    return _run_all(base, shares, orders, signals)


def is_given(environment: Mapping[str, str]) -> bool:
    """Whether somebody gave this process a part of its node, whose slots it has then."""
    return in_job(environment) or in_pod(environment)


def _stem() -> str:
    if in_job(os.environ):
        return f"slurm-{os.environ.get('SLURMD_NODENAME') or os.uname().nodename}"
    return f"pod-{os.environ[NODE]}"


def _allocation() -> Allocation:
    had = Had.here()
    if in_job(os.environ):
        return Allocation.read(os.environ, had)
    groups = Path("/proc/self/cgroup").read_text()
    return pod(os.environ, had, cpu_quota(groups, Path("/sys/fs/cgroup")))


def run_slot(base: str, orders: Orders, signals: Signals, *, busy: Path | None = None) -> int:
    """Runs one slot of the job: the first of `base-1`, `base-2` … that no living worker of this node has."""
    asked = orders.grace
    if asked is None:
        asked = RunConfig().drain_seconds  # type: ignore[call-arg]  # fields are filled from the environment
    terms = Terms(orders.until_idle, lambda: _grace(asked), busy)
    slot = first_free(base)
    return serve(slot, terms, signals, took_over=was_put_back(os.environ))


def _grace(asked: float | None) -> float | None:
    """Kubernetes kills a pod when its own grace is over, of which `asked` is the part that is for cases."""
    return asked if in_pod(os.environ) else grace_left(asked, os.environ, time.time())


def first_free(base: str) -> Runner:
    """The slot that has the lowest number; the same again where a job comes back to its node."""
    config = RunConfig()  # type: ignore[call-arg]
    for number in range(1, _MOST_SLOTS):
        with suppress(SlotTaken):
            return Runner(config, f"{base}-{number}")
    raise SlotTaken(f"all of {base}-1 to {base}-{_MOST_SLOTS - 1} are in use on this node")


def _run_all(base: str, shares: Sequence[Mapping[str, str]], orders: Orders, signals: Signals) -> int:
    with tempfile.NamedTemporaryFile(prefix="proctor-busy-") as busy:
        command = [*_program(), "--name", base, "--slot-of-job", busy.name]
        if orders.until_idle is not None:
            command += ["--until-idle", f"{orders.until_idle}s"]
        if orders.grace is not None:
            command += ["--grace", f"{orders.grace}s"]
        children = [subprocess.Popen(command, env={**os.environ, **share}) for share in shares]
        return _wait(children, signals)


def _program() -> list[str]:
    """What this process was started as."""
    spec = sys.modules["__main__"].__spec__
    return [sys.executable, "-m", "worker.run" if spec is None else spec.name.removesuffix(".__main__")]


def _wait(children: Sequence[subprocess.Popen[bytes]], signals: Signals) -> int:
    """Passes signals on; a slot that ends early leaves the others at work."""
    heeded = 0
    while any(child.poll() is None for child in children):
        if signals.count > heeded:
            heeded = signals.count
            for child in children:
                child.send_signal(signal.SIGTERM)
        time.sleep(_LOOK_EVERY)
    # One that had not begun when the signal came dies of it, and had nothing.
    codes = [0 if heeded and child.returncode == -signal.SIGTERM else child.returncode for child in children]
    return max(code if code >= 0 else 1 for code in codes)


def _tell_admins(slot: str, why: str) -> None:
    """So that it is read where slots are looked at, and not in a file on some node alone."""
    try:
        client = LeaseClient(RunConfig(), slot)  # type: ignore[call-arg]
        client.report(why)
        client.close()
    except (ValidationError, httpx.HTTPError) as error:
        _log.warning("server_not_told", error=type(error).__name__)
