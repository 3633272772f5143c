"""What makes a whole bundle of its material: figures, tables, texts, and checksums over all of it."""

from pathlib import Path

from evaluator.bundle._derive import derive
from evaluator.bundle._manifest import Bundle
from evaluator.bundle._parquet import can_write, write_tables
from evaluator.bundle._sums import write_sums


def complete(folder: Path) -> None:
    """Adds to the material in `folder` everything that follows from it.

    Raises:
        BundleError: the material is incomplete.
        OSError: it cannot be written.
    """
    bundle = Bundle.read(folder)
    if can_write():
        write_tables(bundle)
    derive(bundle, folder)
    write_sums(folder)
