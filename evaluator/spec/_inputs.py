"""Inputs and calls of tasks that no container could make sense of, or that no case could be imported for."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from evaluator.spec._kinds import UnknownKind, kind_of
from evaluator.spec._words import Mistake, Path, mapping

_OURS = {"--output": "the container is told with it where to write", "--help": "programs answer it and end"}
_NEARLY_NIFTI = re.compile(
    r"\.(nii|nifti|nifti1|hdr|img)(\.|$)|\.(gz|bz2|xz|zst|zip|tar|tgz)$", re.IGNORECASE
)
_LONGEST_FILE, _LONGEST_FLAG, _MOST_INPUTS, _MOST_WORDS = 100, 64, 100, 100


def wrong_inputs(content: Mapping[str, Any]) -> Iterator[Mistake]:
    """What is wrong with the inputs and calls of all tasks, whatever shape the rest has."""
    for name, task in mapping(content.get("tasks")).items():
        inputs = list(_inputs(mapping(task).get("inputs")))
        kind = mapping(mapping(task).get("output")).get("kind")
        mistakes = [
            *_twice(inputs),
            *_wrong_flags(inputs),
            *_wrong_files(inputs, kind),
            *_wrong_call(mapping(task)),
        ]
        if len(inputs) > _MOST_INPUTS:
            mistakes.append(
                Mistake(("inputs",), f"{len(inputs)} inputs; a task takes at most {_MOST_INPUTS}")
            )
        for mistake in mistakes:
            yield Mistake(("tasks", name, *mistake.path), mistake.message)


def _inputs(inputs: object) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Every input with its path within the task, those of one-of groups too."""
    for position, scan in enumerate(inputs if isinstance(inputs, list | tuple) else ()):
        group = mapping(scan).get("one_of")
        if isinstance(group, list | tuple):
            for place, option in enumerate(group):
                yield ("inputs", position, "one_of", place), mapping(option)
        else:
            yield ("inputs", position), mapping(scan)


def _twice(inputs: list[tuple[Path, Mapping[str, Any]]]) -> Iterator[Mistake]:
    """Inputs with the key, flag or file of an earlier one; some disks hold names for one that differ in case only."""
    for field in ("key", "flag", "file"):
        first: dict[str, object] = {}
        for path, scan in inputs:
            value = scan.get(field)
            if not isinstance(value, str):
                continue
            if value.lower() in first:
                message = (
                    f"{value!r} is the {field} of input {first[value.lower()]!s} already; each needs its own"
                )
                yield Mistake((*path, field), message)
            else:
                first[value.lower()] = scan.get("key", value)


def _wrong_flags(inputs: list[tuple[Path, Mapping[str, Any]]]) -> Iterator[Mistake]:
    for path, scan in inputs:
        flag = scan.get("flag")
        if not isinstance(flag, str):
            continue
        if flag in _OURS:
            yield Mistake((*path, "flag"), f"{flag} cannot be an input's flag: {_OURS[flag]}")
        elif len(flag) > _LONGEST_FLAG:
            yield Mistake((*path, "flag"), f"a flag has at most {_LONGEST_FLAG} characters")


def _wrong_files(inputs: list[tuple[Path, Mapping[str, Any]]], kind: object) -> Iterator[Mistake]:
    for path, scan in inputs:
        file = scan.get("file")
        if not isinstance(file, str):
            continue
        stem = file.split(".")[0] or "t1w"
        base = file.removesuffix(".nii.gz") if file.endswith(".nii.gz") else file.removesuffix(".nii")
        if len(file) > _LONGEST_FILE:
            yield Mistake((*path, "file"), f"a file name has at most {_LONGEST_FILE} characters")
        elif base != file and not _NEARLY_NIFTI.search(base):
            continue
        elif _NEARLY_NIFTI.search(file):
            message = f"{file!r} is no name that programs read as NIfTI: write {stem}.nii.gz, or {stem}.nii"
            yield Mistake((*path, "file"), message)
        elif _is_shaped(kind):
            message = f"a {kind} has the shape of its inputs, so they are NIfTI: write {stem}.nii.gz"
            yield Mistake((*path, "file"), message)


def _is_shaped(kind: object) -> bool:
    try:
        return kind_of(str(kind)).shaped
    except UnknownKind:  # said where the kind stands
        return False


def _wrong_call(task: Mapping[str, Any]) -> Iterator[Mistake]:
    call = task.get("call")
    if isinstance(call, str):
        words = ", ".join(call.split()[:4])
        yield Mistake(("call",), f"a list of words is wanted, such as [{words}]")
    if not isinstance(call, list | tuple):
        return
    if not call:
        message = "needs at least one word, such as [python, /app/predict.py]; leave it out for the image's ENTRYPOINT"
        yield Mistake(("call",), message)
    elif isinstance(call[0], str) and not call[0].strip():
        yield Mistake(("call", 0), "the first word is the program, and it is blank")
    elif len(call) > _MOST_WORDS:
        yield Mistake(("call",), f"{len(call)} words; a call has at most {_MOST_WORDS}")
