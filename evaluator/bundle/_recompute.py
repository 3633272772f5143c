"""A bundle checked against itself: checksums, signatures, and its boards computed again from its reports."""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evaluator.bundle._derive import derive
from evaluator.bundle._manifest import BOARD, Bundle, BundleError
from evaluator.bundle._ranked import Reports, boards_of, key_of
from evaluator.bundle._shown import shown_boards, wrong_table
from evaluator.bundle._signed import (
    can_verify,
    receipts_of,
    wrong_receipts,
    wrong_statement,
)
from evaluator.bundle._sums import wrong_sums
from evaluator.bundle._values import made_again
from evaluator.metrics.registry import UnknownMetric, lookup
from evaluator.version import evaluator_version


@dataclass
class CheckedBoard:
    """What was looked at of a board of a track. values, intervals: how many were made again, of how many there are."""

    track: str
    board: str
    entries: int = 0
    values: list[int] = field(default_factory=lambda: [0, 0])
    signed: int = 0
    intervals: list[int] = field(default_factory=lambda: [0, 0])


@dataclass(frozen=True)
class Recomputation:
    """What came of it. differences: sentences, none where everything is as the bundle says. notes: what to know."""

    boards: tuple[CheckedBoard, ...]
    differences: tuple[str, ...]
    notes: tuple[str, ...]
    files: int
    receipts: int


def recompute(folder: Path) -> Recomputation:
    """Checks the bundle in `folder` with nothing but what is in it.

    Raises:
        BundleError: it is none, or a metric that its boards rank is not installed here.
    """
    differences = list(wrong_sums(folder))
    bundle = Bundle.read(folder)
    _refuse_absent_metrics(bundle)
    reports = {key_of(entry): bundle.report(entry) for entry in bundle.manifest.entries}
    if bundle.challenge.digest != bundle.manifest.spec:
        differences.append("challenge.yaml: is not the version that bundle.json names")
    receipts = receipts_of(bundle)
    differences += wrong_statement(bundle)
    differences += wrong_receipts(bundle, receipts)
    checked = {
        (track, board): CheckedBoard(track, board)
        for track in bundle.challenge.tracks
        for board in bundle.challenge.boards
    }
    differences += _figures(bundle, reports, receipts, checked)
    differences += _differences("", boards_of(bundle, reports), shown_boards(bundle))
    differences += wrong_table(bundle)
    differences += _derived(bundle)
    return Recomputation(
        boards=tuple(board for board in checked.values() if board.entries),
        differences=tuple(differences),
        notes=tuple(_notes(bundle)),
        files=sum(1 for _ in folder.rglob("*")),
        receipts=len(receipts),
    )


def _refuse_absent_metrics(bundle: Bundle) -> None:
    """Boards that rank by what is not here would be other boards."""
    for name, board in bundle.challenge.boards.items():
        for key, metric in board.metrics.items():
            try:
                lookup(metric.metric)
            except UnknownMetric as error:
                if bundle.manifest.metrics.get(name, {}).get(key) is not None:
                    raise BundleError(
                        f"{name} is ranked by {key}, and {metric.metric} is not installed here: install the package "
                        f"that has it. ({error})"
                    ) from None


def _figures(
    bundle: Bundle,
    reports: Reports,
    receipts: Mapping[str, Mapping[str, Any]],
    checked: Mapping[tuple[str, str], CheckedBoard],
) -> Iterator[str]:
    """What in reports is not what follows from the rest of them, or not what was signed."""
    for entry in bundle.manifest.entries:
        report, told = reports[key_of(entry)], checked[entry.track, entry.board]
        told.entries += 1
        told.values[1] += len(report.metrics)
        told.intervals[1] += sum(score.low is not None for score in report.metrics.values())
        for figure in made_again(bundle.challenge, report):
            if figure.what == "value":
                told.values[0] += 1
            elif figure.what == "low":
                told.intervals[0] += 1
            if figure.again != figure.kept:
                yield (
                    f"{bundle.place(entry)}: {figure.what} of {figure.metric} is {figure.kept!r}, and "
                    f"{figure.again!r} follows from the rest of the report"
                )
        receipt = receipts.get(entry.evaluation)
        if receipt is None:
            yield f"receipts/{entry.evaluation}.json: is missing"
            continue
        signed = receipt["statement"].get("scores", {}).get(entry.board, {})
        told.signed += len(signed)
        for key, score in report.metrics.items():
            if signed.get(key) != score.value:
                yield (
                    f"{bundle.place(entry)}: {key} is {score.value!r}, and {signed.get(key)!r} in the receipt that "
                    "was signed"
                )


def _differences(place: str, again: Any, shown: Any) -> Iterator[str]:
    """Where what was computed is not what the board shows; numbers have to agree in every digit."""
    if isinstance(again, Mapping) and isinstance(shown, Mapping):
        for key in dict.fromkeys([*again, *shown]):
            where = f"{place}, {key}" if place else str(key)
            if key not in again or key not in shown:
                yield f"{BOARD}: {where}: {'should not be there' if key in shown else 'is missing'}"
            else:
                yield from _differences(where, again[key], shown[key])
    elif again != shown:
        yield f"{BOARD}: {place}: shows {shown!r}, and {again!r} follows from the reports"


def _derived(bundle: Bundle) -> Iterator[str]:
    """Files that are made of the others, made again; those of another evaluator may be worded otherwise."""
    if bundle.manifest.evaluator != evaluator_version():
        return
    with tempfile.TemporaryDirectory(prefix="proctor-recompute-") as folder:
        made = derive(bundle, Path(folder))
        for name in made:
            there = bundle.folder / name
            if not there.is_file() or there.read_bytes() != (Path(folder) / name).read_bytes():
                yield f"{name}: is not what follows from the other files"


def _notes(bundle: Bundle) -> Iterator[str]:
    manifest = bundle.manifest
    if manifest.evaluator != evaluator_version():
        yield (
            f"Made with evaluator {manifest.evaluator}, and this is {evaluator_version()}: figures, tables and texts "
            "that follow from the reports were not made again."
        )
    if not can_verify():
        yield "Signatures were not checked: install the package cryptography for that."
    if not manifest.released:
        yield "The leaderboard was not released when the bundle was made."
    if manifest.pending:
        yield f"{len(manifest.pending)} evaluations had not ended, or were ended by the platform's fault."
