"""The large tables as Parquet, where pyarrow is installed: they keep their types, and take a tenth of the room."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from evaluator.bundle._manifest import Bundle
from evaluator.bundle._rows import CASES, case_rows, drawn_rows

TABLES = ("cases.parquet", "scores.parquet", "replicates.parquet", "influence.parquet")
_ROWS = 50_000  # in memory at once
_DRAWN = ("team", "track", "board", "metric")
_NUMBERS = {
    "value": "float64",
    "low": "float64",
    "high": "float64",
    "seconds": "float64",
    "peak_memory_bytes": "int64",
    "resample": "int32",
    "unit": "int32",
    "counts": "bool",
}
"""Columns that hold no text."""


def can_write() -> bool:
    """Whether Parquet can be written here."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        return False
    return True


def write_tables(bundle: Bundle) -> None:
    """Writes the large tables of a bundle into its folder."""
    folder = bundle.folder
    _write(folder / "cases.parquet", CASES, case_rows(bundle))
    with (folder / "scores.csv").open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        _write(folder / "scores.parquet", next(rows), rows)
    _write(folder / "replicates.parquet", (*_DRAWN, "resample", "value"), drawn_rows(bundle, "replicates"))
    _write(folder / "influence.parquet", (*_DRAWN, "unit", "value"), drawn_rows(bundle, "influence"))


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(
        [(name, getattr(pa, _NUMBERS.get(name, "string").replace("bool", "bool_"))()) for name in columns]
    )
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in _batches(rows):
            arrays = [
                pa.array([_typed(name, row[at]) for row in batch], type=schema.field(name).type)
                for at, name in enumerate(columns)
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def _batches(rows: Iterable[Sequence[object]]) -> Iterator[list[Sequence[object]]]:
    left = iter(rows)
    while batch := list(islice(left, _ROWS)):
        yield batch


def _typed(column: str, value: Any) -> Any:
    """A cell as its column's type; an empty one is null, but for text."""
    kind = _NUMBERS.get(column)
    if value is None or (value == "" and kind is not None):
        return None
    if kind == "float64":
        return float(value)
    if kind == "bool":
        return value == "1"
    return str(value) if kind is None else int(value)
