"""Bundles: what a paper and a reviewer need of a phase, and computing its boards again from that alone.

The platform writes the material (reports, runs, leaderboard, receipts) and has `complete` add what follows from it.
"""

from evaluator.bundle._manifest import (
    BOARD,
    CHALLENGE,
    MADE,
    MANIFEST,
    SUMS,
    Bundle,
    BundledEntry,
    BundledTeam,
    BundleError,
    BundleManifest,
    PendingEvaluation,
    json_text,
    libraries,
)
from evaluator.bundle._recompute import CheckedBoard, Recomputation, recompute
from evaluator.bundle._rows import RUN_COLUMNS, RUNS
from evaluator.bundle._shown import TABLE
from evaluator.bundle._signed import statement_of
from evaluator.bundle._sums import unpacked
from evaluator.bundle._write import complete

__all__ = [
    "BOARD",
    "CHALLENGE",
    "MADE",
    "MANIFEST",
    "RUNS",
    "RUN_COLUMNS",
    "SUMS",
    "TABLE",
    "Bundle",
    "BundleError",
    "BundleManifest",
    "BundledEntry",
    "BundledTeam",
    "CheckedBoard",
    "PendingEvaluation",
    "Recomputation",
    "complete",
    "json_text",
    "libraries",
    "recompute",
    "statement_of",
    "unpacked",
]
