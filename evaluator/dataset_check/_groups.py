"""Classes, ages and groups: what the probe splits by and what fairness compares."""

from collections import Counter
from collections.abc import Iterator, Mapping

from evaluator.dataset_check._finding import Finding, error, warning
from evaluator.manifest import References
from evaluator.probe import SplitError, split_cases
from evaluator.scoring import Report, cohort_of, groups_of
from evaluator.spec import Board, GroupVariable

_SAME = ({"f", "female", "woman", "w"}, {"m", "male", "man"})


def age_findings(references: References, boards: Mapping[str, Board]) -> Iterator[Finding]:
    """Ages that cannot be read, where a board uses ages at all."""
    used = [name for name, board in boards.items() if board.probe is not None or "age" in _variables(board)]
    if not used:
        return
    for case, row in references.rows.items():
        if row.unread_age is not None:
            message = (
                f"{row.place}: age {row.unread_age[:40]!r} is no number above 0, so the age counts as unknown; write a "
                "number of years, or leave it empty"
            )
            yield warning("age_unreadable", message, case)


def split_findings(references: References, boards: Mapping[str, Board], *, ranked: bool) -> Iterator[Finding]:
    """Classes that are too small for the split of a probe; every case has a class."""
    rows = list(references.rows.values())
    for board in boards.values():
        if board.probe is not None:
            try:
                split_cases([cohort_of(row) for row in rows], [row.age for row in rows], board.probe)
            except SplitError as problem:
                message = f"{problem}; add cases, or let the challenge file ask for fewer"
                yield (error if ranked else warning)("few_classes", message)


def group_findings(references: References, boards: Mapping[str, Board], *, ranked: bool) -> Iterator[Finding]:
    """Group variables that say nothing, or of few cases, or in two spellings."""
    for name, board in boards.items():
        for variable in board.groups:
            yield from _variable(references, name, variable, ranked=ranked)


def _variable(
    references: References, board: str, variable: GroupVariable, *, ranked: bool
) -> Iterator[Finding]:
    rows = list(references.rows.values())
    groups = groups_of(variable, [getattr(row, variable.variable) for row in rows])
    known = Counter(group for group in groups if group is not None)
    if not known:
        message = (
            f"no case has a group of {variable.variable}, which board {board} compares: is its column there, and "
            f"called {variable.variable}? Add the values, or take the variable out of the challenge file"
        )
        yield (error if ranked else warning)("group_empty", message)
        return
    if len(known) == 1:
        message = f"all cases are in one group of {variable.variable}, so board {board} has nothing to compare by it"
        yield warning("group_single", message)
    if known.total() < len(rows):
        message = f"{len(rows) - known.total()} of {len(rows)} cases are in no group of {variable.variable}"
        yield warning("group_unknown", f"{message}; board {board} leaves them out")
    for same in _SAME if variable.bins is None else ():
        spelt = sorted(same & set(known))
        if len(spelt) > 1:
            listed = ", ".join(f"{group} ({known[group]})" for group in spelt)
            message = (
                f"{variable.variable} is written in several ways that count as groups of their own: {listed}"
            )
            yield warning("group_spelling", f"{message}; choose one")


def size_findings(report: Report, board: str) -> Iterator[Finding]:
    """Groups of the test cases that are too small to say something."""
    for variable, groups in (report.extras.groups or {}).items():
        small = [f"{name} ({group.subjects})" for name, group in groups.items() if not group.enough]
        if small:
            message = f"few subjects of {variable} among the test cases of board {board}: {', '.join(small)}"
            yield warning("group_small", f"{message}; differences between such groups are mostly chance")


def _variables(board: Board) -> set[str]:
    return {group.variable for group in board.groups}
