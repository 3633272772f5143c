"""What one pilot job is: a small TOML file, whose values options of the command replace."""

import re
import shlex
import tomllib
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZES = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_FOR_WORKER = 256 * 2**20
_FIRST_OF_GRES = re.compile(r"gpu(?::[A-Za-z0-9_.-]*[A-Za-z_.-][A-Za-z0-9_.-]*)?(?::(\d{1,2}))?(?:\(.*\))?")
_TOKEN = "PROCTOR_WORKER_TOKEN"  # noqa: S105 - the name of a variable


def span(written: object) -> object:
    """Seconds, from `90s`, `10m`, `8h` or `2d`."""
    found = re.fullmatch(r"(\d{1,6})([smhd])", written.strip()) if isinstance(written, str) else None
    if found is None:
        raise ValueError(f"{written!r} is no span of time; write 90s, 10m, 8h or 2d")
    return float(found[1]) * _UNITS[found[2]]


def _size(written: object) -> object:
    found = re.fullmatch(r"(\d{1,9})([KMGT])", written.strip()) if isinstance(written, str) else None
    if found is None:
        raise ValueError(f"{written!r} is no size; write 64G or 500M")
    return int(found[1]) * _SIZES[found[2]]


def _word(written: str) -> str:
    if not re.fullmatch(r"[^\s\x00-\x1f\x7f]{1,200}", written):
        raise ValueError("has to be one word")
    return written


def _line(written: str) -> str:
    if re.search(r"[\x00-\x08\x0a-\x1f\x7f]", written):
        raise ValueError("has to be one line")
    return written


Span = Annotated[float, BeforeValidator(span), Field(gt=0)]
Size = Annotated[int, BeforeValidator(_size), Field(gt=0)]
Word = Annotated[str, AfterValidator(_word)]
OneLine = Annotated[str, AfterValidator(_line)]


class PilotSettings(BaseModel):
    """A pilot job: what Slurm is asked for, how long it stays, and how its worker is started.

    `name` tells these jobs from all others of their user. `within`: the time in which the queue is to be worked off.
    `warn`: how long before its time limit a job is signalled; `worker`: the token's name, whose slots are the pilots'.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")] = "proctor-pilot"
    account: Word | None = None
    partition: Word | None = None
    qos: Word | None = None
    time: Span = 8 * 3600.0
    gres: Word | None = None
    cpus: Annotated[int, Field(ge=1, le=4096)] = 4
    memory: Size = 16 * 2**30
    gpu_memory: Size | None = None
    slots: Annotated[int, Field(ge=1, le=64)] = 1
    options: Annotated[list[OneLine], Field(max_length=50)] = []
    within: Span = 3600.0
    until_idle: Span = 600.0
    warn: Annotated[int, Field(ge=10, le=3600)] = 300
    worker: Annotated[str, Field(min_length=1, max_length=100)]
    python: OneLine = "python3"
    log: OneLine = "%x-%j.log"
    before: Annotated[list[OneLine], Field(max_length=50)] = []
    environment: Annotated[dict[str, OneLine], Field(max_length=50)] = {}

    @classmethod
    def read(cls, file: Path | None, **changes: Any) -> Self:
        """The settings of a file, if there is one, with what of `changes` is not None in their place.

        Raises:
            OSError, tomllib.TOMLDecodeError, pydantic.ValidationError: it cannot be read, or is wrong.
        """
        written = {} if file is None else tomllib.loads(file.read_text())
        return cls.model_validate(
            written | {name: value for name, value in changes.items() if value is not None}
        )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if any(not option.startswith("-") for option in self.options):
            raise ValueError("options are sbatch's own and begin with a dash, as --constraint=a100 does")
        if bad := [name for name in self.environment if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name)]:
            raise ValueError(f"{bad[0]!r} is no name of a variable")
        if _TOKEN in self.environment:
            raise ValueError(
                f"everybody on the cluster may read a batch script: put the token into a file that only you may read, "
                f"and name it in {_TOKEN}_FILE"
            )
        if self.gres is not None and self.gpus == 0:
            raise ValueError(f"gres names no GPUs: {self.gres!r}; gpu:2 or gpu:a100:2 does")
        if self.cpus < self.slots_each or self.slot_memory < _FOR_WORKER:
            raise ValueError(f"{self.slots_each} slots need as many CPUs, and 512M of memory each")
        return self

    @property
    def gpus(self) -> int:
        """How many GPUs a job has."""
        found = None if self.gres is None else _FIRST_OF_GRES.fullmatch(self.gres)
        return 0 if found is None else int(found[1] or 1)

    @property
    def slots_each(self) -> int:
        """How many slots a job brings: one for each GPU."""
        return self.gpus or self.slots

    @property
    def slot_memory(self) -> int:
        """What a slot of it offers to containers."""
        return self.memory // self.slots_each - _FOR_WORKER

    @property
    def offer(self) -> dict[str, Any]:
        """What one of its slots offers, as the server is asked about."""
        gpu = {"gpus": 1, "gpu_memory": self.gpu_memory or 2**42} if self.gpus else {}
        return {"cpus": self.cpus // self.slots_each, "memory": self.slot_memory, **gpu}

    def script(self) -> str:
        """The batch script."""
        return "\n".join([*self._head(), *self._body()]) + "\n"

    def _head(self) -> list[str]:
        asked = {
            "job-name": self.name,
            "account": self.account,
            "partition": self.partition,
            "qos": self.qos,
            "nodes": "1",
            "ntasks": "1",
            "cpus-per-task": str(self.cpus),
            "mem": f"{self.memory // 2**20}M",
            "gres": self.gres,
            "time": str(max(1, round(self.time / 60))),
            "signal": f"B:TERM@{self.warn}",
            "output": self.log,
        }
        lines = [f"#SBATCH --{name}={value}" for name, value in asked.items() if value is not None]
        return ["#!/bin/sh", *lines, "#SBATCH --requeue", *(f"#SBATCH {option}" for option in self.options)]

    def _body(self) -> list[str]:
        told = [f"export {name}={shlex.quote(value)}" for name, value in self.environment.items()]
        # Without exec the shell would get the signal, and the worker nothing.
        slots = "" if self.gpus else f" --slots {self.slots}"  # with GPUs there is one for each
        work = f"exec {self.python} -m worker.run --until-idle {self.until_idle:g}s{slots}"
        return [*self.before, *told, f"{work} --grace {max(self.warn - 20, 5)}s"]
