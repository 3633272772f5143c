"""Tasks: what a container is run on, how it is called, what it has to write, and within which limits."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from evaluator.frozen import Model
from evaluator.spec._base import Bytes, Key
from evaluator.spec._kinds import AnyOutput, Kind, kind_of
from evaluator.spec._words import FILE, FLAG


class Input(Model):
    """One input file of a case: the flag it is passed with and the name it has inside the container."""

    key: Key
    flag: Annotated[str, Field(pattern=FLAG)]
    file: Annotated[str, Field(pattern=FILE)]


class OneOf(Model):
    """Inputs of which a case has at least one; the first present one is passed."""

    one_of: Annotated[tuple[Input, ...], Field(min_length=2)]


def _which(value: object) -> str:
    group = isinstance(value, OneOf) or (isinstance(value, dict) and "one_of" in value)
    return "group" if group else "single"


_InputOrGroup = Annotated[
    Annotated[Input, Tag("single")] | Annotated[OneOf, Tag("group")], Discriminator(_which)
]


class Gpu(Model):
    """GPUs of one case. `required: false` lets a slot without one run the case on its processor cores.

    memory: the size that each is sold with, so that `80g` takes every card of 80 GB, none of which shows 80 GiB.
    """

    count: Annotated[int, Field(ge=0, le=8)] = 1
    memory: Bytes | None = None
    required: bool = True

    @property
    def least_shown(self) -> int:
        """Bytes that a driver shows of such a card at least: in decimal units, an H100 of 80 GB shows 85.5e9.

        Cards that keep error-correcting codes in their own memory show up to a sixteenth less than their size in binary
        units, and all of them more than their size in decimal ones.
        """
        return (self.memory or 0) * 10**9 // 2**30


_Seconds = Annotated[float, Field(gt=0, le=366 * 86400)]
MOST_AT_ONCE = 50
"""Cases that a slot runs beside each other."""
_Count = Annotated[int, Field(gt=0, le=10_000_000)]


class Limits(Model):
    """What one case, and one evaluation, may use. Sizes in bytes, times in seconds.

    runtime: which of a worker's container runtimes runs a case; null is the worker's own choice.
    pack: how many fresh containers of one evaluation a slot may run at once, each with the core and the memory that
    stand here; "auto" means as many as a slot has room for, 1 never more than one. Nothing that is `promised` is
    packed. invoke: an image that can may serve several cases in one container, one after the other.
    """

    seconds_per_case: _Seconds
    seconds_per_evaluation: _Seconds | None = None
    stop_after_failures_in_a_row: _Count = 20
    first_cases: _Count = 3
    cpus: Annotated[float, Field(gt=0, le=4096)]
    memory: Bytes
    gpu: Gpu | None = None
    shm: Bytes
    output: Bytes
    output_files: _Count = 10_000
    disk: Bytes
    processes: _Count
    image: Bytes
    log: Annotated[Bytes, Field(le=1_000_000)] = 64 * 1024
    profile: Literal["compatible", "strict"] = "compatible"
    runtime: Literal["runc", "runsc"] | None = None
    pack: Annotated[int, Field(ge=1, le=MOST_AT_ONCE)] | Literal["auto"] = "auto"
    invoke: bool = False

    @property
    def promised(self) -> str | None:
        """What a neighbour would take from a case, in words: a GPU, and more than one core. None where it is nothing.

        A program that measures its own speed does less beside others, and nobody sees it. So such cases never run
        side by side; one after the other, in fresh containers or in one, each has all that is promised.
        """
        gpus = self.gpu.count if self.gpu else 0
        parts = [f"{gpus} GPU{'s' if gpus > 1 else ''}"] if gpus else []
        parts += [f"{self.cpus:g} cores"] if self.cpus > 1 else []
        return " and ".join(parts) or None

    @property
    def may_pack(self) -> bool:
        """Whether a slot may ever run several containers of an evaluation at once."""
        return self.pack != 1 and self.promised is None


class Task(Model):
    """What a container is run on. `call` None means the image's own ENTRYPOINT."""

    title: str
    inputs: Annotated[tuple[_InputOrGroup, ...], Field(min_length=1)]
    call: tuple[str, ...] | None = None
    output: AnyOutput
    limits: Limits | None = None

    @property
    def kind(self) -> Kind:
        """All that is known of the kind of its output."""
        return kind_of(self.output.kind)

    @property
    def all_inputs(self) -> tuple[Input, ...]:
        """Every input, those of one-of groups too, in the file's order."""
        scans: list[Input] = []
        for entry in self.inputs:
            scans.extend(entry.one_of if isinstance(entry, OneOf) else (entry,))
        return tuple(scans)

    def inputs_of(self, present: set[str]) -> tuple[Input, ...]:
        """The inputs a case is called with, in order: of a one-of group the first modality present.

        Raises:
            ValueError: naming the input, or group of inputs, that the case lacks.
        """
        chosen: list[Input] = []
        for entry in self.inputs:
            options = entry.one_of if isinstance(entry, OneOf) else (entry,)
            scan = next((option for option in options if option.key in present), None)
            if scan is None:
                raise ValueError("no file for " + " or ".join(option.key for option in options))
            chosen.append(scan)
        return tuple(chosen)

    def arguments(self, present: set[str], output_name: str) -> list[str]:
        """The flags of the call inside the container for a case with the modalities `present`."""
        arguments: list[str] = []
        for scan in self.inputs_of(present):
            arguments += [scan.flag, f"/input/{scan.file}"]
        return [*arguments, "--output", f"/output/{output_name}{self.output.suffix}"]
