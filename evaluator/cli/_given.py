"""Whether what `score` is given belongs together: a board, its manifest, references of it and outputs of one team."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from evaluator.manifest import Manifest, ManifestError, References
from evaluator.scoring import ScoringError
from evaluator.spec import Task

_NAMED = 3  # of files in a sentence


def refuse_other_inputs(task: Task, manifest: Manifest, file: Path) -> None:
    """The manifest of another task would be scored on the cases whose names both happen to have.

    Raises:
        ManifestError: a case lacks an input that the task's containers are called with.
    """
    for entry, case in enumerate(manifest.cases, 1):
        try:
            task.inputs_of(set(case.files))
        except ValueError as lacking:
            raise ManifestError(
                f"{file}: entry {entry}: there is {lacking}, which {task.title!r} is called with, but "
                f"{', '.join(case.files)}; give the manifest of the board's own task, or add the file to the case"
            ) from None


def refuse_no_outputs(task: Task, manifest: Manifest, predictions: Path) -> None:
    """A directory that holds something, but no output of any case, would make a report of nothing but missing ones.

    An empty one is scored: so a run ends of which no output was valid.

    Raises:
        ScoringError: with what was looked for, and what is there.
    """
    wanted = _wanted(task, manifest)
    present = sorted(path for path in predictions.iterdir() if not path.name.startswith("."))
    if not present or any((predictions / name).exists() for name in wanted):
        return
    holding = [path for path in present if path.is_dir() and any((path / name).exists() for name in wanted)]
    hint = (
        f"{_some([path.name for path in holding])} in it {'holds' if len(holding) == 1 else 'hold'} some: did you mean "
        f"--predictions {holding[0]}?"
        if holding
        else f"it holds {_some([path.name for path in present])}: give the directory of one team's outputs"
    )
    raise ScoringError(
        f"{predictions}: no output of the {len(wanted)} cases of the manifest is here, the first would be "
        f"{wanted[0]}; {hint}"
    )


def left_aside(task: Task, manifest: Manifest, references: References, predictions: Path) -> Iterator[str]:
    """What was given and is not read, in sentences."""
    files = [path.name for path in predictions.iterdir() if path.is_file() and not path.name.startswith(".")]
    strange = sorted({*files} - {*_wanted(task, manifest)})
    if strange:
        yield (
            f"{predictions}: {_counted(len(strange), 'file is', 'files are')} of no case of the manifest and not read: "
            f"{_some(strange)}; outputs are named CASE{task.output.suffix}"
        )
    unknown = {key for case in manifest.cases for key in case.files} - {scan.key for scan in task.all_inputs}
    if unknown:
        yield f"The manifest has inputs that {task.title!r} is not called with: {_some(sorted(unknown))}."
    if references.others:
        yield (
            f"references.csv: {_counted(len(references.others), 'row is', 'rows are')} of no case of the manifest and "
            f"not read, the first in line {references.others[0]}; is it the manifest of these references?"
        )


def _wanted(task: Task, manifest: Manifest) -> list[str]:
    return [f"{case}{task.output.suffix}" for case in manifest.names]


def _counted(number: int, one: str, more: str) -> str:
    return f"{number:,} {one if number == 1 else more}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"
