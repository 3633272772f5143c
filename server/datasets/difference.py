"""What one version of the cases has that another has not."""

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from server.datasets.findings import some
from server.datasets.models import Case
from server.datasets.participants import GROUPS


@dataclass(frozen=True)
class Difference:
    """Names of cases, sorted. For organizers only: in a hidden phase they are hidden."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    voxels: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """A line per kind of change that there is."""
        what = {
            "added": "added",
            "removed": "removed",
            "voxels": "with other images",
            "labels": "with another label",
            "groups": "with other groups",
        }
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return [f"{_cases(len(names))} {what[key]}: {some(names)}" for key, names in found.items() if names]


def _cases(count: int) -> str:
    return f"{count} case" if count == 1 else f"{count} cases"


def difference(
    old: Sequence[Case], new: Sequence[Case], *, old_references: Path, new_references: Path
) -> Difference:
    """What `new` changes against `old`."""
    before, after = {case.name: case for case in old}, {case.name: case for case in new}
    both = sorted(before.keys() & after.keys())
    old_rows, new_rows = rows_of(old_references), rows_of(new_references)
    return Difference(
        added=tuple(sorted(after.keys() - before.keys())),
        removed=tuple(sorted(before.keys() - after.keys())),
        voxels=tuple(name for name in both if _images_differ(before[name], after[name])),
        labels=tuple(
            name
            for name in both
            if _cell(old_rows, name, "label") != _cell(new_rows, name, "label")
            or _file(old_references, name) != _file(new_references, name)
        ),
        groups=tuple(
            name
            for name in both
            if any(
                _cell(old_rows, name, column) != _cell(new_rows, name, column)
                for column in ("subject", *GROUPS)
            )
        ),
    )


def groups_lost(old_references: Path, new_references: Path) -> tuple[str, ...]:
    """The groups that some case of the old references is in, and no case of the new ones."""
    old, new = rows_of(old_references), rows_of(new_references)
    return tuple(
        column
        for column in GROUPS
        if any(row.get(column) for row in old.values()) and not any(row.get(column) for row in new.values())
    )


def _images_differ(old: Case, new: Case) -> bool:
    if old.files.keys() != new.files.keys():
        return True
    for key, file in new.files.items():
        other = old.files[key]
        kind = "voxels" if "voxels" in file and "voxels" in other else "sha256"
        if file.get(kind) != other.get(kind):
            return True
    return False


def rows_of(references: Path) -> dict[str, dict[str, str]]:
    """The rows of references.csv by case; none where there is no such table."""
    path = references / "references.csv"
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        return {row["case"]: row for row in csv.DictReader(file)}


def _cell(rows: dict[str, dict[str, str]], case: str, column: str) -> str:
    return rows.get(case, {}).get(column) or ""


def _file(references: Path, case: str) -> str:
    """The digest of a label that is a file of its own, empty where there is none."""
    path = next(references.glob(f"{case}.*"), None)
    return "" if path is None else hashlib.sha256(path.read_bytes()).hexdigest()
