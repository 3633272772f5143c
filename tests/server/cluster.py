"""A Slurm cluster of two nodes on this machine, in a folder of its own: munged, slurmctld and slurmd of Debian."""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from worker.pilots.slurm import ClusterJob, Slurm

NODES = ("n1", "n2")
NAME = "proctor-pilot"
_SECONDS = 60.0
_SBIN = os.pathsep.join((os.environ["PATH"], "/usr/sbin", "/usr/local/sbin"))
# As root in a container nothing confines jobs: no control groups, no accounting. What is tested here is what Slurm
# does to a job: when it begins, which signals it gets, when it is killed, where it comes back.
_CONFIG = """
ClusterName=proctor
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SchedulerType=sched/builtin
SlurmdParameters=config_overrides
JobRequeue=1
KillWait=30
MinJobAge=600
ReturnToService=2
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={n1} CPUs=1 RealMemory={memory}
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={n2} CPUs=1 RealMemory={memory}
PartitionName=low Nodes=n1,n2 Default=YES PriorityTier=1 State=UP
PartitionName=high Nodes=n1,n2 PriorityTier=10 PreemptMode=OFF State=UP
"""


class Cluster:
    """The cluster; its commands find it by SLURM_CONF. A node has a CPU, and as much memory (MiB) as is said."""

    def __init__(self, folder: Path, memory: int = 1024) -> None:
        self.folder = folder
        self.memory = memory
        self.environment = {**os.environ, "PATH": _SBIN, "SLURM_CONF": str(folder / "slurm.conf")}
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Starts all of it, and waits until both nodes are idle."""
        assert shutil.which("slurmctld", path=_SBIN), "Slurm is not here: 'make slurm' installs it"
        for name in ("state", *(f"spool-{node}" for node in NODES)):
            (self.folder / name).mkdir()
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        ports = dict(zip(("controller", *NODES), _free_ports(3), strict=True))
        host = socket.gethostname().partition(".")[0]
        said = {"folder": self.folder, "host": host, "user": getpass.getuser(), "memory": self.memory}
        config = _CONFIG.format(**said, **ports)
        (self.folder / "slurm.conf").write_text(config)
        files = {"key-file": "munge.key", "socket": "munge.socket", "pid-file": "munged.pid"}
        files |= {"log-file": "munged.log", "seed-file": "munged.seed"}
        named = [f"--{option}={self.folder / file}" for option, file in files.items()]
        self._daemon("munged", "munged", "--foreground", "--force", *named)
        until(lambda: (self.folder / "munge.socket").exists())
        self._daemon("slurmctld", "slurmctld", "-D", "-c")
        for node in NODES:
            self.start_node(node)
        self.until_idle()

    def _daemon(self, name: str, *command: str) -> None:
        with (self.folder / f"{name}.out").open("ab") as said:
            self._daemons[name] = subprocess.Popen(command, env=self.environment, stdout=said, stderr=said)

    def start_node(self, node: str) -> None:
        """Starts the daemon of a node."""
        self._daemon(node, "slurmd", "-D", "-N", node)

    def lose(self, node: str) -> None:
        """The node is gone from one moment to the next, with all that runs on it."""
        self._daemons[node].kill()
        self._daemons.pop(node).wait()
        for process in self._of_node(node):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self.control("update", f"nodename={node}", "state=down", "reason=lost")

    def _of_node(self, node: str) -> list[int]:
        """The processes of jobs on a node, and first the daemons that would tell how these ended."""
        daemons, others = [], []
        for folder in Path("/proc").iterdir():
            try:
                environment = (folder / "environ").read_bytes().split(b"\0")
                command = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if f"SLURM_CONF={self.environment['SLURM_CONF']}".encode() not in environment:
                continue  # of another cluster on this machine
            if command.startswith(f"slurmstepd-{node}".encode()):
                daemons.append(int(folder.name))
            elif f"SLURMD_NODENAME={node}".encode() in environment:
                others.append(int(folder.name))
        return [*daemons, *others]

    def until_idle(self) -> None:
        """Waits until both nodes can take a job."""
        wanted = {f"{node}|idle" for node in NODES}
        until(lambda: set(self.run("sinfo", "--Node", "--noheader", "--format=%N|%T").split()) >= wanted)

    def control(self, *words: str) -> str:
        """scontrol."""
        return self.run("scontrol", *words)

    def run(self, *command: str, given: str = "") -> str:
        """What a command of Slurm prints."""
        done = subprocess.run(
            command,
            env=self.environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        assert done.returncode == 0, (command, done.stderr)
        return done.stdout.strip()

    def begin(self, job: int) -> None:
        """Has a job that was put back begin now; Slurm lets it wait for two minutes."""
        self.reach(job, "PENDING")
        self.control("update", f"jobid={job}", "starttime=now")

    def state(self, job: int) -> str:
        """A job's state."""
        return self.run("squeue", "--noheader", "--states=all", f"--job={job}", "--format=%T")

    def reach(self, job: int, *states: str, seconds: float = _SECONDS) -> None:
        """Waits until a job is in one of these states."""
        until(lambda: self.state(job) in states, lambda: self.control("show", "job", str(job)), seconds)

    def clear(self) -> None:
        """Cancels every job, and waits until none is left; nodes that were lost come back."""
        self.run("scancel", f"--user={getpass.getuser()}")
        for node in NODES:
            if node not in self._daemons:
                self.start_node(node)
                self.control("update", f"nodename={node}", "state=resume")
        until(lambda: not self.run("squeue", "--noheader"))
        self.until_idle()

    def stop(self) -> None:
        """Ends all of it."""
        for daemon in reversed(self._daemons.values()):
            daemon.terminate()
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()


@contextmanager
def running(folder: Path, memory: int = 1024) -> Iterator[Cluster]:
    """A cluster for as long as the block runs."""
    cluster = Cluster(folder, memory)
    with ExitStack() as stack:
        stack.callback(cluster.stop)
        cluster.start()
        yield cluster
        cluster.clear()
    shutil.rmtree(folder)


def jobs(name: str = NAME) -> list[ClusterJob]:
    """As a pilots' keeper sees them."""
    return Slurm(name).jobs()


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in sockets]


def until(
    holds: Callable[[], bool], told: Callable[[], object] = lambda: "", seconds: float = _SECONDS
) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, told()
        time.sleep(0.1)
