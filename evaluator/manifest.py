"""What a dataset consists of: the inputs manifest, and the references beside it that run workers never see.

Problems name the file and the line, and cases by their position: case names stay out of messages.
"""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
import numpy.typing as npt
import yaml
from pydantic import Field, ValidationError, model_validator

from evaluator.frozen import Model
from evaluator.outputs import LabelMapError, SegmentationOutput, TruthError, Value, read_label_map
from evaluator.spec import Cells, Output, kind_of
from evaluator.tables import TableError, decimal, known, text_of, text_table

COLUMNS = ("case", "subject", "label", "cohort", "sex", "age", "site", "scanner")
"""The columns of references.csv; only `case` must be there."""

SPACING_DECIMALS = 4  # a header holds float32: 0.1 mm reads as 0.10000000149 and would shift a tolerance


class ManifestError(ValueError):
    """A manifest or a references directory that cannot be used; the message names the file and the line."""


class ManifestInput(Model):
    """One input of a case: where it lies, relative to the manifest, and what is in it."""

    path: Annotated[str, Field(min_length=1)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class ManifestCase(Model):
    """One case: its name and its input files by modality."""

    case: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$", max_length=200)]
    files: Annotated[dict[str, ManifestInput], Field(min_length=1)]


class Manifest(Model):
    """The cases of one dataset in their order, which is the order of every report."""

    dataset: Annotated[str, Field(min_length=1)]
    cases: Annotated[tuple[ManifestCase, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _each_case_once(self) -> Self:
        seen: dict[str, int] = {}
        for position, case in enumerate(self.cases):
            if case.case in seen:
                raise ValueError(f"cases.{position}: same case name as entry {seen[case.case] + 1}")
            seen[case.case] = position
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Case names in order."""
        return tuple(case.case for case in self.cases)

    @property
    def digest(self) -> str:
        """sha256 over dataset, cases and file contents. Paths are left out: moved data are the same data."""
        content = [
            self.dataset,
            [[case.case, {key: file.sha256 for key, file in case.files.items()}] for case in self.cases],
        ]
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def load_manifest(path: Path) -> Manifest:
    """The inputs manifest in the JSON file `path`.

    Raises:
        ManifestError: no such file, not JSON, or fields that do not fit, with file and line.
    """
    text = _text(path)
    try:
        return Manifest.model_validate(json.loads(text, object_pairs_hook=_each_key_once))
    except json.JSONDecodeError as error:
        raise ManifestError(f"{path.name}:{error.lineno}: not valid JSON: {error.msg}") from None
    except ValidationError as error:
        raise ManifestError("\n".join(_problems(path.name, text, error))) from None
    except RecursionError:
        raise ManifestError(f"{path.name}: nested too deeply") from None
    except ValueError as error:  # a key that stands twice, or a number of thousands of digits
        raise ManifestError(f"{path.name}: {error}") from None


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    merged = dict(pairs)
    if len(merged) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for place, key in enumerate(keys) if key in keys[:place])
        raise ValueError(f"the key {twice[:40]!r} stands twice in one object")
    return merged


def _text(path: Path) -> str:
    try:
        return text_of(path)
    except TableError as error:
        raise ManifestError(str(error)) from None


def _problems(name: str, text: str, error: ValidationError) -> Iterator[str]:
    for problem in error.errors():
        field, message = [str(part) for part in problem["loc"]], problem["msg"].removeprefix("Value error, ")
        if not field and ": " in message:  # a rule that joins fields names its field itself
            named, _, message = message.partition(": ")
            field = named.split(".")
        line = _line_of(text, field)
        place = f"{name}:{line}" if line else name
        yield f"{place}: {'.'.join(field)}: {message}" if field else f"{place}: {message}"


def _line_of(text: str, field: list[str]) -> int | None:
    """The line of a field: JSON is YAML, and the YAML parser keeps the lines."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError):  # indented with tabs: JSON, but not YAML
        return None
    line: int | None = None
    for part in field:
        if isinstance(node, yaml.MappingNode):
            node = next((value for key, value in node.value if key.value == part), None)
        elif isinstance(node, yaml.SequenceNode) and part.isdecimal():
            node = node.value[int(part)] if int(part) < len(node.value) else None
        else:
            node = None
        if node is None:
            break
        line = node.start_mark.line + 1
    return line


@dataclass(frozen=True)
class Reference:
    """What is known of one case. Empty cells are None; `line` is its line in references.csv, if any.

    age is None too where its cell writes no number above 0, as "89+" of a patient whose age must not be known does;
    `unread_age` is that cell.
    """

    subject: str
    label: str | None = None
    cohort: str | None = None
    sex: str | None = None
    age: float | None = None
    site: str | None = None
    scanner: str | None = None
    line: int | None = None
    unread_age: str | None = None

    @property
    def place(self) -> str:
        """Where it stands, for messages."""
        return f"references.csv:{self.line}" if self.line else "references.csv"


@dataclass(frozen=True, eq=False)
class ReferenceMap:
    """A reference segmentation: labels of the task, the voxel spacing in mm, rounded to 1e-4, and what was doubtful."""

    labels: npt.NDArray[np.unsignedinteger]
    spacing_mm: tuple[float, ...]
    affine: npt.NDArray[np.float64]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class References:
    """The references of a manifest's cases. others: the lines of references.csv that are of no case of it."""

    directory: Path
    rows: Mapping[str, Reference]
    others: tuple[int, ...] = ()

    def label(self, case: str, output: Output) -> Value:
        """The perfect output for the label of a case; the labels of the output's kind are cells of the table.

        Raises:
            ManifestError: there is none.
        """
        row, labels = self.rows[case], kind_of(output.kind).labels
        if not isinstance(labels, Cells):
            raise TypeError(f"labels of the kind {output.kind} are no cells")
        if row.label is None and row.line is None:
            raise ManifestError(f"there is no references.csv in {self.directory}; labels stand there")
        if row.label is None:
            raise ManifestError(f"{row.place}: the case has no label")
        try:
            return labels.read(output, row.label)[0]
        except TruthError as error:
            raise ManifestError(f"{row.place}: {error}") from None

    def label_map(self, case: str, output: SegmentationOutput) -> ReferenceMap:
        """The reference segmentation of a case.

        Raises:
            ManifestError: it is missing, or none that an output can be compared with.
        """
        try:
            return read_reference_map(output, self.label_map_path(case))
        except LabelMapError as error:
            entry = list(self.rows).index(case) + 1
            raise ManifestError(f"entry {entry} of the manifest: its reference label map {error}") from None

    def label_map_path(self, case: str) -> Path:
        """Where the reference segmentation of a case lies, whether or not it exists."""
        return self.directory / f"{case}.nii.gz"


def load_references(directory: Path, manifest: Manifest) -> References:
    """The references of every case of `manifest`, in its order, from `references.csv` where there is one.

    Cases of the file that the manifest does not hold are left aside. Without the file every case is known by
    its name only: its subject is what stands before `_ses-`.

    Raises:
        ManifestError: unknown columns, bad cells, a case that stands twice, or one that is missing.
    """
    if not directory.is_dir():
        raise ManifestError(f"{directory}: there is no such directory")
    path = directory / "references.csv"
    if not path.exists():
        return References(directory, {case: Reference(_subject(case)) for case in manifest.names})
    rows = dict(_rows(path))
    lacking = [position for position, case in enumerate(manifest.names, 1) if case not in rows]
    if lacking:
        raise ManifestError(
            f"{path.name}: {len(lacking)} of {len(manifest.cases)} cases of the manifest have no row, "
            f"the first is entry {lacking[0]}"
        )
    others = sorted(rows[case].line or 0 for case in rows.keys() - {*manifest.names})
    return References(directory, {case: rows[case] for case in manifest.names}, tuple(others))


def _subject(case: str) -> str:
    return case.partition("_ses-")[0]


def _rows(path: Path) -> Iterator[tuple[str, Reference]]:
    seen: dict[str, int] = {}
    try:
        table = text_table(path.name, _text(path))
        strange = [column for column in table.columns if column not in COLUMNS]
        if strange or "case" not in table.columns:
            wrong = f"no column is called {strange[0][:40]!r}" if strange else "there is no column case"
            raise ManifestError(
                f"{path.name}:1: {wrong}; the columns are {', '.join(COLUMNS)}, and case must be there"
            )
        for line, cells in table.rows:
            place = f"{path.name}:{line}"
            case, reference = _row(cells, place, line)
            if case in seen:
                raise ManifestError(f"{place}: same case as line {seen[case]}")
            seen[case] = line
            yield case, reference
    except TableError as error:
        raise ManifestError(str(error)) from None


def _row(row: Mapping[str, str], place: str, line: int) -> tuple[str, Reference]:
    cells = {column: known(text) for column, text in row.items()}
    case = cells.pop("case", None)
    if case is None:
        raise ManifestError(f"{place}: the case has no name")
    subject, age = cells.pop("subject", None) or _subject(case), cells.pop("age", None)
    years = _years(age or "")
    unread = age if years is None else None
    return case, Reference(subject=subject, age=years, line=line, unread_age=unread, **cells)


def _years(text: str) -> float | None:
    """An age, None where it is unknown: other texts, and numbers that are no age, say no more than no text."""
    years = decimal(text)
    return years if years is not None and 0 < years < math.inf else None


def read_reference_map(output: SegmentationOutput, path: Path) -> ReferenceMap:
    """The reference segmentation in the file at `path`.

    Raises:
        evaluator.outputs.LabelMapError: it is missing, or none that an output can be compared with.
    """
    image = read_label_map(output, path)
    # The one place where spacing is read and rounded: every metric gets this, and the report stores it.
    rounded = tuple(round(step, SPACING_DECIMALS) for step in image.header.spacing)
    if not all(rounded):
        raise LabelMapError(f"has voxels smaller than 1e-{SPACING_DECIMALS} mm", "reference_spacing")
    return ReferenceMap(image.labels, rounded, image.header.affine, image.warnings)
