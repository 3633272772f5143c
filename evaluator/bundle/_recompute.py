"""A bundle checked against itself: checksums, signatures, and its boards computed again from its reports."""

import math
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evaluator.bundle._derive import derive
from evaluator.bundle._manifest import BOARD, SUMS, Bundle, BundleError, libraries
from evaluator.bundle._ranked import Reports, boards_of, key_of
from evaluator.bundle._shown import shown_boards, wrong_scores, wrong_table
from evaluator.bundle._signed import receipts_of, wrong_receipts, wrong_statement
from evaluator.bundle._sums import files_of, wrong_sums
from evaluator.bundle._values import made_again
from evaluator.metrics.registry import UnknownMetric, lookup
from evaluator.signing import can_verify
from evaluator.version import evaluator_version

_NEAR = 1e-9
_RELEASE = re.compile(rb"[0-9a-z.]+(?=\+src\.)")


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
    """What came of it. differences: sentences, none where everything is as the bundle says. notes: what to know.

    rounded: numbers that agree to nine digits and not to the last one, as on another processor.
    """

    boards: tuple[CheckedBoard, ...]
    differences: tuple[str, ...]
    rounded: int
    notes: tuple[str, ...]
    files: int
    receipts: int


def recompute(folder: Path) -> Recomputation:
    """Checks the bundle in `folder` with nothing but what is in it.

    Raises:
        BundleError: it is none, or a metric that its boards rank is not installed here.
    """
    try:
        return _recomputed(folder)
    except BundleError:
        raise
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise BundleError(
            f"{folder}: its files do not fit together, or are of a form that no bundle has ({type(error).__name__}: "
            f"{error}). See {SUMS} for which of them were changed."
        ) from None


def _recomputed(folder: Path) -> Recomputation:
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
    numbers = [
        *_figures(bundle, reports, receipts, checked),
        *_differences("", boards_of(bundle, reports), shown_boards(bundle)),
    ]
    differences += filter(None, numbers)
    differences += wrong_table(bundle)
    differences += wrong_scores(bundle, receipts)
    differences += _derived(bundle)
    return Recomputation(
        boards=tuple(board for board in checked.values() if board.entries),
        differences=tuple(differences),
        rounded=numbers.count(""),
        notes=tuple(_notes(bundle)),
        files=len(files_of(folder)) + 2,
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
    """What in reports is not what follows from the rest of them, or not what was signed; "" as in `_differences`."""
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
            if _near(figure.again, figure.kept):
                yield ""
            elif figure.again != figure.kept:
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
    """Where what was computed is not what the board shows; "" for a number that is nearly the same."""
    if isinstance(again, Mapping) and isinstance(shown, Mapping):
        for key in dict.fromkeys([*again, *shown]):
            where = f"{place}, {key}" if place else str(key)
            if key not in again or key not in shown:
                yield f"{BOARD}: {where}: {'should not be there' if key in shown else 'is missing'}"
            else:
                yield from _differences(where, again[key], shown[key])
    elif isinstance(again, list) and isinstance(shown, list) and len(again) == len(shown):
        for number, pair in enumerate(zip(again, shown, strict=True), 1):
            yield from _differences(f"{place}, {number}", *pair)
    elif _near(again, shown):
        yield ""
    elif again != shown:
        yield f"{BOARD}: {place}: shows {shown!r}, and {again!r} follows from the reports"


def _near(one: object, other: object) -> bool:
    """Whether two numbers differ, and in no digit that says anything."""
    if not (isinstance(one, float) and isinstance(other, float)):
        return False
    return one != other and math.isclose(one, other, rel_tol=_NEAR)


def _derived(bundle: Bundle) -> Iterator[str]:
    """Files that are made of the others, made again; with other code or libraries they may be worded otherwise."""
    if _other_code(bundle) or bundle.manifest.libraries != libraries():
        return
    with tempfile.TemporaryDirectory(prefix="proctor-recompute-") as folder:
        made = derive(bundle, Path(folder))
        for name in made:
            kept = bundle.folder / name
            if not kept.is_file() or _text(kept) != _text(Path(folder) / name):
                yield f"{name}: is not what follows from the other files"


def _other_code(bundle: Bundle) -> bool:
    """Whether another evaluator made it; a release and its sources are the same code."""
    return bundle.manifest.evaluator.partition("+")[2] != evaluator_version().partition("+")[2]


def _versions(evaluator: str, others: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in {"evaluator": evaluator, **others}.items())


def _text(path: Path) -> bytes:
    """A file without the releases of evaluators: run from its sources alone, the same code has none."""
    return _RELEASE.sub(b"", path.read_bytes())


def _notes(bundle: Bundle) -> Iterator[str]:
    manifest = bundle.manifest
    if _other_code(bundle) or manifest.libraries != libraries():
        made, here = (
            _versions(manifest.evaluator, manifest.libraries),
            _versions(evaluator_version(), libraries()),
        )
        yield (
            f"Made with {made}, and here are {here}: figures, tables and texts that follow from the reports were not "
            "made again."
        )
    if not can_verify():
        yield "Signatures were not checked: install the package cryptography for that."
    if not manifest.released:
        yield "The leaderboard was not released when the bundle was made."
    if manifest.pending:
        yield f"Evaluations that had not ended, or that the platform's fault ended: {len(manifest.pending)}."
