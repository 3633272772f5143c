"""Tasks: what a container is run on, how it is called, what it has to write, and within which limits."""

from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from evaluator.spec._base import Bytes, Key, Model


class Input(Model):
    """One input file of a case: the flag it is passed with and the name it has inside the container."""

    key: Key
    flag: Annotated[str, Field(pattern=r"^--[a-z0-9][a-z0-9_-]*$")]
    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9]+)+$")]


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

    @property
    def suffix(self) -> str:
        """File name ending of the output."""
        return ".txt"


class ScoresOutput(Model):
    """A text file with one decimal float per class, in the order of `classes`, as references name them."""

    kind: Literal["scores"]
    classes: Annotated[tuple[str, ...], Field(min_length=2)]

    @model_validator(mode="after")
    def _each_class_once(self) -> Self:
        if len(set(self.classes)) < len(self.classes):
            raise ValueError("every class stands once")
        return self

    @property
    def suffix(self) -> str:
        """File name ending of the output."""
        return ".txt"


class SegmentationOutput(Model):
    """A NIfTI label map with the shape of one input; `labels` lists every allowed value with 0."""

    kind: Literal["segmentation"]
    labels: Annotated[tuple[int, ...], Field(min_length=2)]
    same_shape_as: Literal["any_input"] = "any_input"

    @property
    def suffix(self) -> str:
        """File name ending of the output."""
        return ".nii.gz"


class EmbeddingOutput(Model):
    """A NumPy file with one float vector; every case of a run has the same width."""

    kind: Literal["embedding"]
    max_width: Annotated[int, Field(gt=0)] = 65536

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


class Limits(Model):
    """What one case, and one evaluation, may use. Sizes in bytes, times in seconds."""

    seconds_per_case: Annotated[float, Field(gt=0)]
    seconds_per_evaluation: Annotated[float, Field(gt=0)] | None = None
    stop_after_failures_in_a_row: Annotated[int, Field(gt=0)] = 20
    first_cases: Annotated[int, Field(ge=1)] = 3
    cpus: Annotated[float, Field(gt=0)]
    memory: Bytes
    gpu: Gpu | None = None
    shm: Bytes
    output: Bytes
    output_files: Annotated[int, Field(gt=0)] = 10_000
    disk: Bytes
    processes: Annotated[int, Field(gt=0)]
    image: Bytes
    log: Annotated[Bytes, Field(le=1_000_000)] = 64 * 1024
    profile: Literal["compatible", "strict"] = "compatible"


class Task(Model):
    """What a container is run on. `call` None means the image's own ENTRYPOINT."""

    title: str
    inputs: Annotated[tuple[_InputOrGroup, ...], Field(min_length=1)]
    call: tuple[str, ...] | None = None
    output: Output
    limits: Limits | None = None

    @model_validator(mode="after")
    def _unique_inputs(self) -> Self:
        inputs = self.all_inputs
        for what in ("key", "file"):
            names = [getattr(one, what) for one in inputs]
            if len(set(names)) < len(names):
                raise ValueError(f"every input needs its own {what}")
        return self

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
