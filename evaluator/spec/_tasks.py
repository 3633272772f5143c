"""Tasks: what a container is run on, how it is called, what it has to write, and within which limits."""

import unicodedata
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from evaluator.frozen import Model
from evaluator.spec._base import Bytes, EachOnce, Key, each_once
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


class NumberOutput(Model):
    """A text file with one decimal float, in `minimum` ≤ value ≤ `maximum` where these are set."""

    kind: Literal["number"]
    minimum: float | None = None
    maximum: float | None = None
    unit: str | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum:g} is above maximum {self.maximum:g}; no number fits")
        return self

    @property
    def suffix(self) -> str:
        """File name ending of the output."""
        return ".txt"


def _class_name(name: str) -> str:
    if name != name.strip():
        raise ValueError(f"{name!r} begins or ends with a blank, and cells of references.csv never do")
    if name.lower() in ("", "n/a", "nan"):
        raise ValueError(f"{name!r} says in references.csv that a label is unknown; name the class otherwise")
    return name


def _told_apart(names: tuple[str, ...]) -> tuple[str, ...]:
    """Cells of references.csv are read in composed characters, so names that differ in these alone are one."""
    each_once(tuple(unicodedata.normalize("NFC", name) for name in names))
    return names


_ClassName = Annotated[str, AfterValidator(_class_name), Field(max_length=100)]


class ScoresOutput(Model):
    """A text file with one decimal float per class, in the order of `classes`, as references name them."""

    kind: Literal["scores"]
    classes: Annotated[
        tuple[_ClassName, ...], Field(min_length=2, max_length=10_000), AfterValidator(_told_apart)
    ]

    @property
    def suffix(self) -> str:
        """File name ending of the output."""
        return ".txt"


def _with_background(labels: tuple[int, ...]) -> tuple[int, ...]:
    if 0 not in labels:
        raise ValueError("0, the background, is missing; list it with the others")
    return labels


_Label = Annotated[int, Field(ge=0, le=2**24)]  # whole numbers that every type of NIfTI voxels holds


class SegmentationOutput(Model):
    """A NIfTI label map with the shape of one input; `labels` lists every allowed value with 0."""

    kind: Literal["segmentation"]
    labels: Annotated[
        tuple[_Label, ...], Field(min_length=2, max_length=10_000), EachOnce, AfterValidator(_with_background)
    ]
    same_shape_as: Literal["any_input"] = "any_input"

    @property
    def suffix(self) -> str:
        """File name ending of the output."""
        return ".nii.gz"


class EmbeddingOutput(Model):
    """A NumPy file with one float vector; every case of a run has the same width."""

    kind: Literal["embedding"]
    max_width: Annotated[int, Field(gt=0, le=2**24)] = 65536

    @property
    def suffix(self) -> str:
        """File name ending of the output."""
        return ".npy"


Output = Annotated[
    NumberOutput | ScoresOutput | SegmentationOutput | EmbeddingOutput, Field(discriminator="kind")
]


class Gpu(Model):
    """GPUs of one case. `required: false` lets a slot without one run the case on its processor cores."""

    count: Annotated[int, Field(ge=0, le=8)] = 1
    memory: Bytes | None = None
    required: bool = True


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
    output: Output
    limits: Limits | None = None

    @property
    def all_inputs(self) -> tuple[Input, ...]:
        """Every input, those of one-of groups too, in the file's order."""
        found: list[Input] = []
        for one in self.inputs:
            found.extend(one.one_of if isinstance(one, OneOf) else (one,))
        return tuple(found)

    def inputs_of(self, present: set[str]) -> tuple[Input, ...]:
        """The inputs a case is called with, in order: of a one-of group the first modality present.

        Raises:
            ValueError: naming the input, or group of inputs, that the case lacks.
        """
        chosen: list[Input] = []
        for one in self.inputs:
            options = one.one_of if isinstance(one, OneOf) else (one,)
            found = next((option for option in options if option.key in present), None)
            if found is None:
                raise ValueError("no file for " + " or ".join(option.key for option in options))
            chosen.append(found)
        return tuple(chosen)

    def arguments(self, present: set[str], output_name: str) -> list[str]:
        """The flags of the call inside the container for a case with the modalities `present`."""
        arguments: list[str] = []
        for one in self.inputs_of(present):
            arguments += [one.flag, f"/input/{one.file}"]
        return [*arguments, "--output", f"/output/{output_name}{self.output.suffix}"]
