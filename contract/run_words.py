"""The contract between a container and the platform in sentences, made of a challenge file."""

from collections.abc import Callable, Mapping
from typing import Any

from contract.texts import listed
from evaluator.spec import OneOf, Output, Task


def call_of(task: Task) -> str:
    """What is run for a case that has the first of each group of inputs."""
    present = {(entry.one_of[0] if isinstance(entry, OneOf) else entry).key for entry in task.inputs}
    program = " ".join(task.call) if task.call else "ENTRYPOINT-OF-YOUR-IMAGE"
    return f"{program} {' '.join(task.arguments(present, 'CASE'))}"


def alternatives_of(task: Task) -> list[str]:
    """A sentence for each group of inputs of which a case has at least one."""
    groups = ([one.flag for one in entry.one_of] for entry in task.inputs if isinstance(entry, OneOf))
    return [f"A case has {' or '.join(flags)}: it gets the first of them that it has." for flags in groups]


def short(output: Output) -> str:
    """What is written, in a phrase with its range: "a number from 0 to 1 (.txt)"."""
    made = _SHORT.get(output.kind)
    return f"{made(output) if made else output.kind} ({output.suffix})"


def whole(output: Output) -> list[str]:
    """What counts as an output and what is refused, in sentences; none for kinds that this does not know."""
    made = _WHOLE.get(output.kind)
    return [] if made is None else made(output)


def _bounds(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f" from {low:g} to {high:g}"
    if low is not None:
        return f" of at least {low:g}"
    return "" if high is None else f" of at most {high:g}"


def _number(output: Any) -> str:
    unit = f", in {output.unit}" if output.unit else ""
    return f"a number{_bounds(output.minimum, output.maximum)}{unit}"


def _whole_number(output: Any) -> list[str]:
    said = ["UTF-8 text with one decimal number and nothing else: 0.487, 4.87e-01 or .5."]
    if output.minimum is not None or output.maximum is not None:
        said.append(
            f"It has to be a number{_bounds(output.minimum, output.maximum)}; any other is output_invalid:range."
        )
    elif output.unit:
        said.append(f"It is in {output.unit}, and no range is asked for.")
    return [*said, "Refused: 0,5 with a comma, 50%, tensor(0.5), two values, nan."]


def _whole_scores(output: Any) -> list[str]:
    return [
        f"UTF-8 text with {len(output.classes)} decimal numbers and white space between them, one for each class in "
        f"this order: {', '.join(output.classes)}.",
        "Refused: another count, nan, text.",
    ]


def _whole_map(output: Any) -> list[str]:
    return [
        "A gzipped NIfTI file of three dimensions, with the shape of the inputs.",
        f"Every voxel is one of {listed(map(str, output.labels))}; any other is output_invalid:labels.",
        "Voxels are compared in the order in which they are stored, so keep the axes of the input.",
    ]


def _whole_vector(output: Any) -> list[str]:
    return [
        f"A NumPy file with one vector of 2 to {output.max_width:,} finite numbers of a floating type.",
        "It is as wide in every case, or the whole run is rejected. Pickles are not read.",
    ]


def _whole_points(output: Any) -> list[str]:
    extra = ['"confidence"'] if output.confidence else []
    extra += ['"name"'] if output.names else []
    more = "".join(f", {one}" for one in extra)
    said = [
        f'A JSON list of objects with "x", "y", "z"{more} and no other field; '
        f"[] where there is nothing; {output.most:,} points at most.",
        "Coordinates are millimetres of the world that the image's affine leads to."
        if output.unit == "mm"
        else "Coordinates are indices of the image's array, 0 the centre of the first voxel.",
    ]
    if output.confidence:
        said.append("A confidence is from 0 to 1.")
    if output.names:
        said.append(f"Names, each at most once: {', '.join(output.names)}.")
    if output.margin is not None:
        outside = (
            f"at most {output.margin:g} voxels outside of the image" if output.margin else "in the image"
        )
        said.append(f"A point lies {outside}.")
    return said


def _whole_table(output: Any) -> list[str]:
    columns = [f"{column.name}: {_column(column)}" for column in output.columns]
    return [
        f"A JSON object with one value for each of these. {'; '.join(columns)}.",
        "Any other field is refused.",
    ]


def _column(column: Any) -> str:
    kind = {
        "category": f"one of {', '.join(column.values)}",
        "boolean": "true or false",
        "integer": "a whole number",
    }
    said = kind.get(column.type, "a number") + _bounds(column.minimum, column.maximum)
    return (
        said + (f" {column.unit}" if column.unit else "") + ("" if column.required else ", may be left out")
    )


_SHORT: Mapping[str, Callable[[Any], str]] = {
    "number": _number,
    "scores": lambda output: f"a number for each class, in this order: {', '.join(output.classes)}",
    "segmentation": lambda output: (
        f"a label map of {listed(map(str, output.labels))}, with the inputs' shape"
    ),
    "embedding": lambda output: "one vector, as wide in every case",
    "points": lambda output: f"a list of points, in {'mm' if output.unit == 'mm' else 'voxels'}",
    "table": lambda output: f"a value for each of {listed(column.name for column in output.columns)}",
}
_WHOLE: Mapping[str, Callable[[Any], list[str]]] = {
    "number": _whole_number,
    "scores": _whole_scores,
    "segmentation": _whole_map,
    "embedding": _whole_vector,
    "points": _whole_points,
    "table": _whole_table,
}
