"""What a batch job was given on this node, compared with what it has; and its shares, one for each slot."""

import os
import subprocess
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sandbox.gpu import InstalledGpu, gpus

_MIB, _GIB = 2**20, 2**30
_FOR_WORKER = 256 * _MIB  # of a slot's memory; its process is part of the job, whatever its containers are
_NEARLY = 0.99  # control groups round
_ANNOUNCED = 60.0
_UNANNOUNCED = 20.0  # Slurm kills a job 30 s (KillWait) after it was cancelled, preempted or put back
_LAST = 10.0
JOB_END = "SLURM_JOB_END_TIME"
USUAL_GRACE = 280.0
"""Seconds that cases may go on after the signal of a time limit; a job asks for it 300 s before (`B:TERM@300`)."""


class TooSmall(Exception):
    """The job has less than it was promised, or than its slots are said to have; the text is for admins."""


@dataclass(frozen=True)
class Had:
    """What the job's processes can use on this node: cores, memory in bytes, GPUs."""

    cores: frozenset[int]
    memory: int
    gpus: Sequence[InstalledGpu]

    @classmethod
    def here(cls) -> "Had":
        """As the kernel and the driver say."""
        pages = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        bounds = memory_bounds(Path("/proc/self/cgroup").read_text(), Path("/sys/fs/cgroup"))
        return cls(frozenset(os.sched_getaffinity(0)), min([pages, *bounds]), gpus())


def memory_bounds(groups: str, root: Path) -> list[int]:
    """Bounds of the memory of the control groups that a process is in, as `/proc/self/cgroup` names them."""
    both = ("", "memory.max"), ("memory", "memory.limit_in_bytes")
    said = [value for which in both for _, value in group_values(groups, root, *which)]
    return [int(bound) for bound in said if bound.isdecimal()]


def group_values(groups: str, root: Path, controller: str, name: str) -> list[tuple[Path, str]]:
    """What the file `name` says in each control group of a process, and the group's folder, from the innermost on.

    groups: as `/proc/self/cgroup` has it. controller: of version 1, or nothing for version 2.
    """
    found = []
    for line in groups.splitlines():
        _, controllers, path = line.split(":", 2)
        if controller not in controllers.split(","):
            continue
        folder = root / controller
        inside = Path(path.lstrip("/"))
        for group in (inside, *inside.parents):
            with suppress(OSError):
                found.append((folder / group, (folder / group / name).read_text().strip()))
    return found


@dataclass(frozen=True)
class Allocation:
    """A job or pod on one node, in a word or two `where`: its CPUs, memory in bytes, GPUs.

    `cores`: those that it is bound to, if it is.
    """

    where: str
    cpus: int
    memory: int
    gpus: Sequence[InstalledGpu]
    cores: Sequence[int] | None

    @classmethod
    def read(cls, environment: Mapping[str, str], had: Had) -> "Allocation":
        """The Slurm job that this process belongs to.

        Raises:
            TooSmall: Slurm promised more than there is.
        """
        job, node = environment["SLURM_JOB_ID"], environment.get("SLURMD_NODENAME") or os.uname().nodename
        where = f"Slurm job {job} on {node}"
        if environment.get("SLURM_LOCALID", "0") != "0":
            raise TooSmall(f"{where} has several tasks; start one for each node (--ntasks-per-node=1).")
        cpus = int(environment.get("SLURM_CPUS_ON_NODE") or len(had.cores))
        if len(had.cores) < cpus:
            raise TooSmall(
                f"{where} was given {cpus} CPUs, and may run on {len(had.cores)} of them: has the batch script bound "
                "it, or a step less than the job?"
            )
        found = _gpus(environment, had.gpus, where)
        memory = _memory(environment, had, cpus, len(found))
        if had.memory < memory * _NEARLY:
            raise TooSmall(
                f"{where} was given {_size(memory)} of memory, and its control group or the machine allows "
                f"{_size(had.memory)}. Ask for what is there (--mem), or have the node's RealMemory looked at."
            )
        cores = sorted(had.cores) if len(had.cores) == cpus else None
        return cls(where, cpus, memory, found, cores)

    def shares(self, slots: int, claims: Mapping[str, str]) -> list[dict[str, str]]:
        """The settings of each slot: one for each GPU, or `slots` of them where there is none.

        claims: settings that were made by hand. A slot may have fewer CPUs and less memory than its share, and
        `PROCTOR_SLOT_GPU` may name one of the GPUs, which is then the only one that is used.

        Raises:
            TooSmall: they claim more than the allocation has, or it is too little for so many slots.
        """
        where = self.where
        own = self._own_gpus(claims.get("PROCTOR_SLOT_GPU"), where)
        count = len(own) or slots
        cpus, memory = self.cpus // count, self.memory // count - _FOR_WORKER
        if cpus < 1 or memory < _FOR_WORKER:
            raise TooSmall(
                f"{where} has {self.cpus} CPUs and {_size(self.memory)} of memory, too little for {count} slots: each "
                f"needs a CPU and {_size(2 * _FOR_WORKER)}, and what its cases need."
            )
        share = {"PROCTOR_SLOT_CPUS": str(cpus), "PROCTOR_SLOT_MEMORY": str(memory)}
        for name, most in share.items():
            claimed = claims.get(name, most)
            if _number(claimed) > float(most):
                raise TooSmall(f"{name} claims {claimed}, and {where} has {most} for each of its slots.")
            share[name] = claimed
        return [share | self._bound(number, cpus) | _gpu_of(own, number) for number in range(count)]

    def _own_gpus(self, claimed: str | None, where: str) -> Sequence[InstalledGpu]:
        if claimed is None:
            return self.gpus
        own = [gpu for gpu in self.gpus if gpu.uuid == claimed]
        if not own:
            has = ", ".join(gpu.uuid for gpu in self.gpus) or "none"
            raise TooSmall(f"PROCTOR_SLOT_GPU is none of the GPUs that {where} has: {has}.")
        return own

    def _bound(self, number: int, cpus: int) -> dict[str, str]:
        if self.cores is None:
            return {}
        return {"PROCTOR_SLOT_CPUSET": ",".join(map(str, self.cores[number * cpus : (number + 1) * cpus]))}


def _gpu_of(own: Sequence[InstalledGpu], number: int) -> dict[str, str]:
    if not own:
        return {}
    return {"PROCTOR_SLOT_GPU": own[number].uuid, "PROCTOR_SLOT_GPU_MEMORY": str(own[number].memory)}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0  # the settings say what is wrong with it


def in_job(environment: Mapping[str, str]) -> bool:
    """Whether this process is of a Slurm job."""
    return bool(environment.get("SLURM_JOB_ID"))


def was_put_back(environment: Mapping[str, str]) -> bool:
    """Whether Slurm has ended this job before, and put it back into its queue."""
    return environment.get("SLURM_RESTART_COUNT", "0") not in ("", "0")


def end_told(job: str) -> str:
    """When the job's time is over, in seconds since 1970, as Slurm says; empty where it does not.

    Versions before 23.02 do not put it into the job's environment.
    """
    # In the job's own zone and form, which the variables of a login shell could change.
    asked = ["squeue", "--noheader", f"--job={job}", "--format=%e"]
    plain = {
        name: value for name, value in os.environ.items() if not name.startswith(("SQUEUE_", "SLURM_TIME"))
    }
    try:
        answer = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=10, env=plain)
        return str(int(datetime.fromisoformat(answer.stdout.strip()).timestamp()))
    except (OSError, subprocess.SubprocessError, ValueError):
        return ""


def grace_left(asked: float | None, environment: Mapping[str, str], now: float) -> float:
    """For how many seconds cases may go on after a signal, where `asked` is wanted before the job's time is over.

    A signal long before that end was not sent because of it: the job is cancelled, preempted or put back into the
    queue, and killed soon. asked: None is as long as usual, where the end is known.
    """
    end = environment.get(JOB_END, "")
    if not end.isdecimal():
        return _UNANNOUNCED if asked is None else asked
    left, wanted = float(end) - now, USUAL_GRACE if asked is None else asked
    if left > wanted + _ANNOUNCED:
        return min(wanted, _UNANNOUNCED)
    return max(0.0, min(wanted, left - _LAST))


def _gpus(environment: Mapping[str, str], there: Sequence[InstalledGpu], where: str) -> list[InstalledGpu]:
    """The job's GPUs. A job that is bound to its own sees no others, and numbers them from 0."""
    named = environment.get("CUDA_VISIBLE_DEVICES") or environment.get("SLURM_JOB_GPUS") or ""
    wanted = [name.strip() for name in named.split(",") if name.strip() not in ("", "NoDevFiles")]
    found = [gpu for name in wanted for gpu in _named(name, there)]
    promised = environment.get("SLURM_GPUS_ON_NODE", "")
    count = int(promised) if promised.isdecimal() else len(wanted)
    if len({gpu.uuid for gpu in found}) < max(count, len(wanted)):
        raise TooSmall(
            f"{where} was given {count} GPUs ({named or 'none is named'}), and the driver shows "
            f"{', '.join(gpu.uuid for gpu in there) or 'none'}: no case is taken. Is the node's gres.conf right?"
        )
    return found


def _named(name: str, there: Sequence[InstalledGpu]) -> Collection[InstalledGpu]:
    if name.isdecimal():
        return there[int(name) : int(name) + 1]
    return [gpu for gpu in there if gpu.uuid.startswith(name)][:1]


def _memory(environment: Mapping[str, str], had: Had, cpus: int, gpu_count: int) -> int:
    """As Slurm says, in MiB for the node, each CPU or each GPU; 0 is all. Else a share like that of the CPUs."""
    for name, times in (
        ("SLURM_MEM_PER_NODE", 1),
        ("SLURM_MEM_PER_CPU", cpus),
        ("SLURM_MEM_PER_GPU", gpu_count),
    ):
        said = environment.get(name, "")
        if said.isdecimal():
            return int(said) * times * _MIB or had.memory
    return had.memory * cpus // max(cpus, os.cpu_count() or 1)


def _size(size: int) -> str:
    return f"{size / _GIB:.1f} GiB"
