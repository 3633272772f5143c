"""Tables: a JSON object with one value for each column that the challenge file declares."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from evaluator.metrics import DATASETS
from evaluator.metrics.survival import MATERIAL
from evaluator.outputs._json import Reading, parse_json, read_json, sentence_of_label
from evaluator.outputs._number import TruthError, text_of
from evaluator.outputs._result import InvalidOutput, NotCanonical
from evaluator.outputs._samples import TABLES
from evaluator.spec import Canary, EachOnce, Files, Kind, Model, Output, guess
from evaluator.tables import text_of as read_text
from evaluator.verdicts import Check

TOLERANCE = 1e-5
"""Largest difference of two numbers that are one answer, relative to the larger of 1 and the two."""

_LARGEST_WHOLE = 2.0**53
_BYTES = 500  # of a column, generously

Record = tuple[float, ...]
"""A number per column: of a category its place among the values, of a boolean 0 or 1, NaN where it is not given."""

_Text = Annotated[str, Field(min_length=1, max_length=100)]


class TableColumn(Model):
    """One column: its name, type and, of numbers, unit and inclusive bounds; of a category the `values`.

    required: whether an output without it is invalid; what is not required may be left out, and then counts as missing.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=60)]
    type: Literal["number", "integer", "category", "boolean"] = "number"
    unit: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    values: Annotated[tuple[_Text, ...], Field(max_length=1000), EachOnce] = ()
    required: bool = True

    @model_validator(mode="after")
    def _fits_its_type(self) -> Self:
        if (self.type == "category") != (len(self.values) > 1):
            raise ValueError(f"values: a category has two or more, and a {self.type} has none")
        bounds = [bound for bound in (self.minimum, self.maximum) if bound is not None]
        if bounds and self.type not in ("number", "integer"):
            raise ValueError(f"minimum and maximum are of numbers, and {self.name} is a {self.type}")
        whole = all(bound.is_integer() and abs(bound) <= _LARGEST_WHOLE for bound in bounds)
        if self.type == "integer" and not whole:
            raise ValueError("minimum and maximum of an integer are whole numbers up to 2^53")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum:g} is above maximum {self.maximum:g}; no number fits")
        return self


class TableOutput(Output):
    """A JSON object with a value for each of `columns`. known: further columns that labels alone have."""

    suffix: ClassVar[str] = ".json"

    kind: Literal["table"]
    columns: Annotated[tuple[TableColumn, ...], Field(min_length=1, max_length=1000)]
    known: Annotated[tuple[TableColumn, ...], Field(max_length=1000)] = ()

    @model_validator(mode="after")
    def _each_name_once(self) -> Self:
        names = [column.name for column in (*self.columns, *self.known)]
        twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
        if twice is not None:
            raise ValueError(f"two columns are called {twice!r}; a column of outputs is one of labels too")
        return self


class ChosenColumns(Model):
    """What a metric of a board of tables is of.

    column: of outputs. truth: of labels, the same one where it is left out. event: a boolean of labels that says
    whether the time in `truth` is that of an event, or only until when there was none.
    """

    column: str
    truth: str | None = None
    event: str | None = None


def check(output: TableOutput, path: Path, inputs: Mapping[str, Path]) -> tuple[Record, tuple[str, ...]]:
    """The record in the file at `path`; `inputs` are not looked at.

    Raises:
        InvalidOutput: the first check that fails.
    """
    content = read_json(path, output.suffix, 4096 + _BYTES * len(output.columns))
    return _record(output.columns, Reading(content, "the output file"), partial=False), ()


def encode(output: TableOutput, value: Record) -> bytes:
    """A JSON object with what is given, in the order of the columns; the shortest text of each number."""
    given = {
        column.name: _told(column, number)
        for column, number in zip(output.columns, value, strict=True)
        if not math.isnan(number)
    }
    return json.dumps(given, separators=(",", ":")).encode()


def decode(output: TableOutput, data: bytes) -> Record:
    """The record that `encode` wrote.

    Raises:
        NotCanonical: these are other bytes.
    """
    try:
        record = _record(output.columns, Reading(parse_json(text_of(data)), "the output file"), partial=False)
    except InvalidOutput as error:
        raise NotCanonical(error.message) from None
    if encode(output, record) != data:
        raise NotCanonical("the record is not in its fixed order and form")
    return record


def _told(column: TableColumn, number: float) -> object:
    match column.type:
        case "category":
            return column.values[int(number)]
        case "boolean":
            return bool(number)
        case "integer":
            return int(number)
        case _:
            return number


def _record(columns: Sequence[TableColumn], record: Reading, *, partial: bool) -> Record:
    """The numbers of a record; a `partial` one need not have what is required."""
    required = [] if partial else [column.name for column in columns if column.required]
    record.require(required, optional=[column.name for column in columns if column.name not in required])
    return tuple(_cell(column, record) for column in columns)


def _cell(column: TableColumn, record: Reading) -> float:
    if not record.has(column.name):
        return math.nan
    low, high = _bounds(column)
    match column.type:
        case "category":
            return float(record.choice(column.name, column.values))
        case "boolean":
            return record.boolean(column.name)
        case "integer":
            return record.whole(column.name, max(low, -_LARGEST_WHOLE), min(high, _LARGEST_WHOLE))
        case _:
            return record.number(column.name, low, high)


def _same(one: Record, other: Record) -> bool:
    """Column by column, so that a large number in one excuses no other."""
    a, b = np.array(one), np.array(other)
    near = np.abs(a - b) <= TOLERANCE * np.maximum(1.0, np.maximum(np.abs(a), np.abs(b)))
    return bool((near | (np.isnan(a) & np.isnan(b))).all())


def _read_label(output: TableOutput, path: Path) -> Record:
    """An object with values of the task's columns and of those that only labels have; any may be unknown.

    Raises:
        evaluator.outputs.TruthError: it is none.
    """
    with sentence_of_label():
        return _record(
            (*output.columns, *output.known), Reading(parse_json(read_text(path)), "the label"), partial=True
        )


def _perfect(output: TableOutput, truth: Record) -> Record:
    """What a label says, and something valid for what it does not say."""
    return tuple(
        _valid(column) if math.isnan(number) and column.required else number
        for column, number in zip(output.columns, truth, strict=False)
    )


def _valid(column: TableColumn) -> float:
    """The number nearest to 0 that the column may hold."""
    low, high = _bounds(column)
    return min(max(0.0, low), high)


def _bounds(column: TableColumn) -> tuple[float, float]:
    low = -math.inf if column.minimum is None else column.minimum
    return low, math.inf if column.maximum is None else column.maximum


def _is_reached(chosen: ChosenColumns) -> bool:
    """Where the label's column is another one, it does not say which output is best."""
    return chosen.truth in (None, chosen.column)


def _of_dataset(
    output: TableOutput,
    chosen: ChosenColumns,
    truths: Sequence[Record],
    values: Sequence[Record | None],
    missing: Callable[[float, int], NDArray[np.float64]],
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Labels and scores of one column.

    labels: (n,), or with `event` (n, 2): the time and whether it is that of an event. scores: (n,), of a category
    (n, values) with 1 for the one that was given.

    Raises:
        TruthError: a label lacks what the metric is of.
    """
    place = _place(output.columns, chosen.column)
    column = output.columns[place]
    labels = np.array([_known(output, chosen.truth or chosen.column, truth) for truth in truths])
    classes = len(column.values) or 1
    scores = []
    for label, value in zip(labels, values, strict=True):
        given = math.nan if value is None else value[place]
        if math.isnan(given):
            scores.append(missing(float(label), classes))
        else:
            scores.append(np.eye(classes)[int(given)] if column.values else np.array([given]))
    table = np.array(scores, np.float64)
    if chosen.event is not None:
        labels = np.stack([labels, [_known(output, chosen.event, truth) for truth in truths]], axis=1)
    elif column.values:
        labels = labels.astype(np.intp)
    return labels, table if column.values else table[:, 0]


def _known(output: TableOutput, name: str, truth: Record) -> float:
    columns = (*output.columns, *output.known)
    value = truth[_place(columns, name)]
    if math.isnan(value):
        raise TruthError(f"does not say {name}, which a metric is of")
    return value


def _place(columns: Sequence[TableColumn], name: str) -> int:
    return [column.name for column in columns].index(name)


def _misfit(
    output: TableOutput, chosen: ChosenColumns, material: str, reads: str | None
) -> tuple[str, str] | None:
    """Why a metric cannot be of these columns: the field, and a sentence."""
    own = {column.name: column for column in output.columns}
    labels = own | {column.name: column for column in output.known}
    for field, name, known in (
        ("column", chosen.column, own),
        ("truth", chosen.truth or chosen.column, labels),
        ("event", chosen.event, labels),
    ):
        if name is not None and name not in known:
            return field, f"there is no column {name!r}{guess(name, [*known])}"
    column, truth = own[chosen.column], labels[chosen.truth or chosen.column]
    if (material == MATERIAL) != (chosen.event is not None):
        said = "metrics of survival times name the column that says whether there was an event; no others do"
        return "event", said
    if chosen.event is not None and labels[chosen.event].type != "boolean":
        return "event", f"{chosen.event} is no boolean"
    if (column.values != truth.values) and (column.values or truth.values):
        return "truth", f"{column.name} and {truth.name} are not categories with the same values"
    if reads is not None and (reads == "classes") != bool(column.values):
        what = "categories" if reads == "classes" else "numbers"
        return "column", f"the metric reads {what}, and {column.name} is a {column.type}"
    return None


def _known_answer(header: bytes, voxels: bytes) -> bytes:
    total = sum(voxels)
    grade = "low" if total % 2 else "high"
    return (
        f'{{"risk": {total % 1024 / 1024}, "grade": "{grade}", "recurs": {str(total % 3 == 0).lower()}, '
        f'"lesions": {total % 7}}}\n'
    ).encode()


_COLUMNS = [
    {"name": "risk"}, {"name": "lesions", "type": "integer"}, {"name": "recurs", "type": "boolean"},
    {"name": "grade", "type": "category", "values": ["low", "high"]},
]  # fmt: skip

KIND = Kind(
    "table", TableOutput, check, encode, decode, _same, Check.JSON,
    Canary({"columns": _COLUMNS}, _known_answer, "b33099df13e2531aa683c91d7d1067a0ac8de71af678c7ff02b034b71f3e8d35"),
    Files(".json", ("table.json", "label.json"), _read_label, _perfect, _is_reached, dataset=_of_dataset),
    "evaluator.scoring._files:score_files",
    material=(DATASETS, MATERIAL), one_number=None, chooses=ChosenColumns, misfit=_misfit, samples=TABLES,
)  # fmt: skip
