"""What the size of a dataset allows to say of its values, whatever is submitted; see docs/intervals.md."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from evaluator.dataset_check._finding import Finding, error, warning
from evaluator.manifest import Manifest, ManifestError, References, load_references
from evaluator.spec import Board, Cells, Challenge, Cohorts, Task
from evaluator.tables import decimal

_SIMULATED = 20  # subjects, from which on docs/intervals.md says what intervals hold
_FEW = 4
_FEW_SITES = 14


def interval_findings(
    spec: Challenge, task: str, manifest: Manifest, references: Path
) -> tuple[Finding, ...]:
    """Where an interval or a place on these cases would be missing, or hold the truth less often than it says."""
    try:
        rows = load_references(references, manifest)
    except ManifestError as problem:
        return (error("references", str(problem).removeprefix(f"{references}/")),)
    return tuple(
        finding
        for name, board in spec.boards_of(task).items()
        for finding in _of_board(name, board, spec.tasks[task], rows)
    )


def _of_board(name: str, board: Board, task: Task, rows: References) -> Iterator[Finding]:
    subjects = {row.subject for row in rows.rows.values()}
    if len(subjects) < _SIMULATED:
        yield warning(
            "few_subjects",
            f"{len(subjects)} subjects on board {name}: what intervals hold was measured from {_SIMULATED} on, so "
            "read them as a hint; add cases where you can",
        )
    for label, members in _classes(board, task, rows).items():
        if len(members) == 1:
            message = (
                f"class {label} of board {name} has one subject: there is no interval and no set of places"
            )
            yield warning("few_positives", f"{message}; add cases of it")
        elif len(members) <= _FEW:
            message = f"class {label} of board {name} has {len(members)} subjects: such intervals held the truth in 85"
            yield warning("few_positives", f"{message} to 90 of 100; add cases of it")
    sites = {row.site for row in rows.rows.values() if row.site}
    if board.bootstrap.unit == "site" and len(sites) <= _FEW_SITES:
        message = (
            f"board {name} draws whole sites, and there are {len(sites)}: such intervals are very wide, or hold less "
            "than they say; add sites, or draw subjects"
        )
        yield (warning if sites else error)("few_sites", message)


def _classes(board: Board, task: Task, rows: References) -> Mapping[str, set[str]]:
    """The subjects of each class; nothing where labels are no classes."""
    found: dict[str, set[str]] = defaultdict(set)
    for row in rows.rows.values():
        label = (row.cohort or row.label) if isinstance(task.kind.labels, Cohorts) else row.label
        if label is not None:
            found[label].add(row.subject)
    binary = all(decimal(label) in (0, 1) for label in found)
    classes = isinstance(task.kind.labels, Cohorts) or task.kind.one_number is False or binary
    return found if classes and isinstance(task.kind.labels, Cells | Cohorts) else {}
