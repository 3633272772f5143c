"""A line about the labels of a version, from the references tree: how many of each class, or the range of numbers."""

import csv
import hashlib
import json
from collections import Counter
from pathlib import Path
from statistics import fmean

from evaluator.tables import decimal

_MOST_CLASSES = 8


def files_of(references: Path) -> list[list[str]]:
    """Every file of the references of a version with its sha256, by name."""
    return [
        [path.name, hashlib.sha256(path.read_bytes()).hexdigest()] for path in sorted(references.iterdir())
    ]


def labels_digest(references: Path) -> str:
    """sha256 over the canonical JSON of `files_of`: what a promise about labels is made of.

    Raises:
        OSError: they cannot be read here.
    """
    return (
        "sha256:"
        + hashlib.sha256(json.dumps(files_of(references), separators=(",", ":")).encode()).hexdigest()
    )


def labels_of(references: Path) -> str | None:
    """Such as "0: 12, 1: 8", "24 to 81, mean 52.3" or "12 label maps"; None where they cannot be read here."""
    try:
        with (references / "references.csv").open(encoding="utf-8", newline="") as file:
            labels = [row.get("label") or "" for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, csv.Error):
        return None
    labels = [label for label in labels if label]
    if not labels:
        maps = sum(1 for _ in references.glob("*.nii.gz"))
        files = sum(1 for path in references.iterdir() if path.name != "references.csv")
        return f"{maps} label maps" if maps == files else f"{files} label files"
    counts = Counter(labels)
    classes = len(counts) <= _MOST_CLASSES and (len(counts) < len(labels) or len(counts) <= 2)
    if classes:  # numbers that are all different are no classes
        return ", ".join(f"{label}: {count}" for label, count in sorted(counts.items()))
    numbers = [number for label in labels if (number := decimal(label)) is not None]
    if len(numbers) == len(labels):
        return f"{min(numbers):g} to {max(numbers):g}, mean {fmean(numbers):.1f}"
    return f"{len(counts)} classes"
