"""What goes into one case run and what comes out of it."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluator.spec import Limits, Task
from evaluator.verdicts import Verdict


@dataclass(frozen=True)
class Slot:
    """What a worker lends to one container at a time: processor cores, one GPU, memory, or none in particular.

    `uid` is the slot's own user, under which containers of the profile `strict` run. `runtime` runs what no
    challenge asks another runtime for. `memory` (bytes) lowers the task's own limit where several containers
    share what a slot has.
    """

    cpuset: str | None = None
    gpu_uuid: str | None = None
    memory: int | None = None
    uid: int = 61_000
    runtime: str = "runc"


@dataclass(frozen=True)
class CaseJob:
    """One case to run in one fresh container.

    `name` (`proctor-<case run id>-<claim_no>`) is the container's name and starts every other name on the
    host (volumes, files), so that orphans are found by it. `image` is the image id (sha256:…). `inputs` maps
    input keys to files of this host. `scratch` is a directory for this case alone: made if it is missing,
    removed afterwards. `stop`, once set, kills the case. `patience` is how many times the limit a container may
    run before it is killed; what it writes after the limit does not count.
    """

    name: str
    image: str
    task: Task
    task_name: str
    track: str
    inputs: Mapping[str, Path]
    pseudonym: str
    limits: Limits
    slot: Slot
    scratch: Path
    stop: threading.Event | None = None
    patience: float = 1.0

    @property
    def output_name(self) -> str:
        """File name of the output inside /output."""
        return f"{self.pseudonym}{self.task.output.suffix}"


@dataclass(frozen=True)
class CaseOutcome:
    """What came of a case run.

    `output` is the canonical encoding and None unless the verdict is valid. `seconds` runs from process
    start to exit. `peak_memory_bytes` (page cache included) is None where the host does not show it. `log` is
    the tail of stdout and stderr and must never reach a participant in a hidden phase, nor must `exit_code`.
    `options` are the container options as the receipt shows them, without host paths. `cpu_seconds` is None where
    the host hides it, `gpu_memory_bytes` (the peak) where there is no GPU. `late`: the verdict is a timeout, but a
    valid output came within the job's patience. `detail` says what is wrong with an output, with its values, or what
    the log looks like: as the log itself, it must never reach a participant in a hidden phase.
    """

    verdict: Verdict
    output: bytes | None
    seconds: float
    peak_memory_bytes: int | None
    exit_code: int | None
    oom_killed: bool
    log: str
    options: dict[str, Any]
    cpu_seconds: float | None = None
    gpu_memory_bytes: int | None = None
    late: bool = False
    detail: str = ""
