"""Public cases on disk: the released FOMO layout, or a folder with one folder per case."""

import re
from dataclasses import dataclass
from pathlib import Path

from client.errors import Local
from evaluator.spec import Task

_DEPTH = 4
# As earlier editions wrote.
_ALSO = {"dwi": ("dwi_b1000",), "t1w": ("t1",), "t2w": ("t2",), "t2s": ("t2star",)}


@dataclass(frozen=True)
class LocalCase:
    """One case: its name for this terminal, and its input files by key."""

    name: str
    inputs: dict[str, Path]


def find_cases(root: Path, task_name: str, task: Task) -> tuple[list[LocalCase], list[str]]:
    """The cases of a task below `root`, by name, and a sentence for each folder that lacks an input.

    `root` is a folder with one folder per case (`<case>/<file>`), or data in the released layout: a folder of
    `Task_N` folders, one of these, or its `preprocessed`.

    Raises:
        Local: there is no such folder, it holds other tasks only, or not one complete case is in it.
    """
    if not root.is_dir():
        raise Local(f"{root} is not a folder.", "Give the folder with the public cases: --cases DIR.")
    top = _top(root, task_name)
    cases, problems = [], []
    for folder in _folders(top, _DEPTH):
        inputs = _inputs(folder, task)
        if not inputs:
            continue
        name = "/".join(folder.relative_to(top).parts) or folder.name
        try:
            task.inputs_of(set(inputs))
        except ValueError as error:
            problems.append(f"{name}: {error}")
        else:
            cases.append(LocalCase(name, inputs))
    if not cases:
        files = ", ".join(scan.file for scan in task.all_inputs)
        raise Local(
            f"{root} holds no complete case of {task_name}.", f"A case is a folder with the files {files}."
        )
    return sorted(cases, key=lambda case: case.name), problems


def _top(root: Path, task_name: str) -> Path:
    number = re.search(r"\d+$", task_name)
    names = (task_name, f"Task_{number[0]}" if number else task_name)
    found = next((root / name for name in names if (root / name).is_dir()), None)
    if found is None and (others := [path.name for path in sorted(root.iterdir()) if _is_task(path)]):
        # Tasks share names of inputs: another task's cases would run, and pass for this one's.
        raise Local(
            f"{root} holds {', '.join(others)}, but not {names[-1]}.",
            f"Give a folder with cases of {task_name}: --cases DIR.",
        )
    root = found or root
    return root / "preprocessed" if (root / "preprocessed").is_dir() else root


def _is_task(folder: Path) -> bool:
    return folder.is_dir() and re.fullmatch(r"Task_\d+|task\d+", folder.name) is not None


def _folders(root: Path, depth: int, above: tuple[Path, ...] = ()) -> list[Path]:
    """The folder and those in it; a link to one that it lies in is not followed, or a few would give millions."""
    folders, above = [root], (*above, root.resolve())
    if depth:
        for child in sorted(root.iterdir()):
            if child.is_dir() and not (child.is_symlink() and child.resolve() in above):
                folders += _folders(child, depth - 1, above)
    return folders


def _inputs(folder: Path, task: Task) -> dict[str, Path]:
    paths = {}
    for scan in task.all_inputs:
        suffix = scan.file[scan.file.index(".") :]
        names = [scan.file, *(stem + suffix for stem in (scan.key, *_ALSO.get(scan.key, ())))]
        path = next((folder / name for name in names if (folder / name).is_file()), None)
        if path is not None:
            paths[scan.key] = path
    return paths
