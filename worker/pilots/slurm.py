"""Slurm by its own commands: sbatch, squeue --json of every version that has it, scancel."""

import json
import os
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

_SECONDS = 60.0
_SAID = 500
_KEYS = re.compile(r"PROCTOR_|DATABASE_URL$|REDIS_URL$|SLURM_JOB|SLURM_MEM|SLURM_CPUS")


class SlurmError(Exception):
    """A command of Slurm failed; the text says which, and what it said."""


class JobPhase(StrEnum):
    """What a job's state means for whoever waits for its slots."""

    WAITING = "waiting"
    RUNNING = "running"
    ENDING = "ending"
    ENDED = "ended"
    FAILED = "failed"


_PHASES = {
    **dict.fromkeys(
        ("PENDING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD"),
        JobPhase.WAITING,
    ),
    **dict.fromkeys(("CONFIGURING", "RUNNING", "RESIZING", "SIGNALING", "STAGE_OUT"), JobPhase.RUNNING),
    **dict.fromkeys(("COMPLETING", "SUSPENDED", "STOPPED", "REVOKED"), JobPhase.ENDING),
    **dict.fromkeys(("COMPLETED", "CANCELLED", "TIMEOUT", "PREEMPTED", "DEADLINE"), JobPhase.ENDED),
    **dict.fromkeys(("FAILED", "BOOT_FAIL", "NODE_FAIL", "OUT_OF_MEMORY", "LAUNCH_FAILED"), JobPhase.FAILED),
}
_FIRST = (JobPhase.ENDING, JobPhase.FAILED, JobPhase.ENDED, JobPhase.WAITING, JobPhase.RUNNING)
"""Of a job that is in several states at once, the first of these holds."""


@dataclass(frozen=True)
class ClusterJob:
    """One job: its number, state, node, and when it began and came into the queue, in seconds since 1970."""

    id: int
    state: str
    phase: JobPhase
    reason: str
    node: str
    began: float
    submitted: float

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        """A job as `squeue --json` tells of it; versions differ in how they write states and numbers."""
        states = told["job_state"]
        states = [states] if isinstance(states, str) else list(states)
        # A state that a later version has brings slots, as far as anybody can tell.
        phases = {_PHASES.get(state, JobPhase.RUNNING) for state in states}
        return cls(
            id=int(told["job_id"]),
            state="+".join(states),
            phase=next(phase for phase in _FIRST if phase in phases),
            reason=str(told.get("state_reason") or ""),
            node=str(told.get("batch_host") or told.get("nodes") or ""),
            began=_number(told.get("start_time")),
            submitted=_number(told.get("submit_time")),
        )


class Slurm:
    """The cluster that this machine may ask; `name` is that of the jobs that are looked at, of this user alone."""

    def __init__(self, name: str) -> None:
        self._name = name

    def jobs(self) -> list[ClusterJob]:
        """The jobs of this name, oldest first: those that wait, run or ended within the last minutes.

        Raises:
            SlurmError: it could not be asked.
        """
        # With --json Slurm passes over every filter.
        answer = _run(["squeue", "--json"])
        try:
            told = json.loads(answer)["jobs"]
            own = [one for one in told if one["name"] == self._name and int(one["user_id"]) == os.getuid()]
            jobs = [ClusterJob.of(one) for one in own]
        except (ValueError, KeyError, TypeError) as error:
            raise SlurmError(
                f"squeue --json answered what is not understood ({type(error).__name__})."
            ) from None
        return sorted(jobs, key=lambda job: job.id)

    def submit(self, script: str) -> int:
        """The number of a new job.

        Raises:
            SlurmError: it was refused.
        """
        answer = _run(["sbatch", "--parsable"], script)
        number = answer.strip().partition(";")[0]
        if not number.isdecimal():
            raise SlurmError(f"sbatch answered no number of a job: {answer.strip()[:_SAID]}")
        return int(number)

    def cancel(self, jobs: Iterable[int], *, waiting: bool) -> None:
        """Cancels jobs; `waiting`: only those that have not begun meanwhile.

        Raises:
            SlurmError: it was refused.
        """
        numbers = [str(job) for job in jobs]
        if numbers:
            _run(["scancel", *(["--state=PENDING"] if waiting else []), *numbers])


def _run(command: Sequence[str], given: str = "") -> str:
    """What a command of Slurm printed. It is given none of the settings that jobs must not have."""
    plain = {name: value for name, value in os.environ.items() if not _KEYS.match(name)}
    try:
        done = subprocess.run(
            command, input=given, capture_output=True, text=True, timeout=_SECONDS, check=False, env=plain
        )
    except FileNotFoundError:
        raise SlurmError(
            f"There is no {command[0]} here: run this where jobs are submitted, as on a login node."
        ) from None
    except subprocess.TimeoutExpired:
        raise SlurmError(f"{command[0]} did not answer within {_SECONDS:.0f} s.") from None
    except OSError as error:
        raise SlurmError(f"{command[0]} does not start: {error.strerror}.") from None
    if done.returncode != 0:
        said = " ".join((done.stderr or done.stdout).split())[:_SAID]
        raise SlurmError(f"{command[0]} failed with {done.returncode}: {said}")
    return done.stdout


def _number(told: Any) -> float:
    if isinstance(told, Mapping):
        told = told.get("number") if told.get("set") else 0
    return float(told) if isinstance(told, int | float) else 0.0
