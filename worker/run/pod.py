"""What a pod of Kubernetes was given on its node, compared with what it has.

The pod's own manifest tells: the downward API its limits and its node, a plain variable how many GPUs it asked for.
Containers of cases run in the node's engine and outside of the pod's control group, so it is Proctor that holds them to
what the pod has reserved.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from sandbox.gpu import InstalledGpu
from worker.run.allocation import Allocation, Had, TooSmall, group_values

NODE = "PROCTOR_POD_NODE"
_GIVEN = ("PROCTOR_POD_CPUS", "PROCTOR_POD_MEMORY", "PROCTOR_POD_GPUS")
_NEARLY = 0.99


def in_pod(environment: Mapping[str, str]) -> bool:
    """Whether this process is of a pod that takes its slots from what it was given."""
    return bool(environment.get(NODE))


def pod(environment: Mapping[str, str], had: Had, quota: float | None) -> Allocation:
    """The pod that this process belongs to. quota: the CPUs that its control group allows, None without a bound.

    Raises:
        TooSmall: it was promised more than there is, or nobody can say which GPUs are its own.
    """
    where = f"The pod on {environment[NODE]}"
    cpus, memory, gpus = (_whole(environment, name, where) for name in _GIVEN)
    cpus //= 1000
    allowed = min(len(had.cores), quota if quota is not None else len(had.cores))
    if allowed < cpus:
        raise TooSmall(
            f"{where} was given {cpus} CPUs, and its control group or the machine allows {allowed:g}."
        )
    if had.memory < memory * _NEARLY:
        raise TooSmall(
            f"{where} was given {memory / 2**30:.1f} GiB of memory, and its control group or the machine allows "
            f"{had.memory / 2**30:.1f} GiB."
        )
    cores = sorted(had.cores) if len(had.cores) == cpus else None
    return Allocation(where, cpus, memory, _own(environment, had.gpus, gpus, where), cores)


def cpu_quota(groups: str, root: Path) -> float | None:
    """The fewest CPUs' time that any control group of a process allows, as `/proc/self/cgroup` names them."""
    found = []
    for version, controller, name in ((2, "", "cpu.max"), (1, "cpu", "cpu.cfs_quota_us")):
        for folder, said in group_values(groups, root, controller, name):
            quota, _, period = said.partition(" ")
            if version == 1:
                period = (folder / "cpu.cfs_period_us").read_text().strip()
            if quota.isdecimal() and period.isdecimal() and int(period):
                found.append(int(quota) / int(period))
    return min(found, default=None)


def _own(
    environment: Mapping[str, str], there: Sequence[InstalledGpu], count: int, where: str
) -> Sequence[InstalledGpu]:
    """The pod's GPUs as the device plugin names them: a privileged pod sees those of others too, so none is guessed."""
    named = [name.strip() for name in environment.get("NVIDIA_VISIBLE_DEVICES", "").split(",")]
    found = [gpu for gpu in there if gpu.uuid in named]
    if not found and len(there) == count:
        found = list(there)  # all that the driver shows are as many as it was given
    if count and len(found) != count:
        shown = ", ".join(gpu.uuid for gpu in there) or "none"
        raise TooSmall(
            f"{where} was given {count} GPUs; the device plugin names {len(found)} of those that the driver shows "
            f"({shown}): no case is taken. Has the plugin deviceListStrategy envvar and deviceIDStrategy uuid, and the "
            "pod NVIDIA's RuntimeClass and NVIDIA_DRIVER_CAPABILITIES?"
        )
    return found if count else ()


def _whole(environment: Mapping[str, str], name: str, where: str) -> int:
    said = environment.get(name, "")
    if not said.isdecimal():
        raise TooSmall(f"{where}: {name} is no number ({said!r}); see docs/kubernetes.md.")
    return int(said)
