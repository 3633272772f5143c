"""A team's row when it is opened: what it has on each board, and what stands behind that, in words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from contract.entries import (
    BoardEntryOut,
    EntryDetailsOut,
    RepeatedRunsOut,
    ScoredWithOut,
    SharedCheckpointOut,
)
from contract.leaderboard import Marks
from evaluator.spec import Challenge as Spec
from evaluator.verdicts import HINTS, fault_of
from server.leaderboard.made import MadeTrack
from server.pages import plural
from server.web.public.sources import Detail, details
from server.web.public.tables import Mark


@dataclass(frozen=True)
class OpenedLine:
    """A board of the row. detail: None where nothing of it counts. behind: None where nothing ran here.

    marks: words beside the board's title.
    """

    board: str
    title: str
    detail: Detail | None
    behind: BoardEntryOut | None
    marks: Sequence[Mark]

    @property
    def runs(self) -> str:
        """Whether cases that ran several times agree, in words; empty where that is not told."""
        runs = None if self.behind is None else self.behind.repeated
        if runs is None:
            return ""
        if not runs.cases:
            return "not measured"
        if not runs.differing:
            return f"agree on {plural(runs.cases, 'case')}"
        return f"differ on {runs.differing:,} of {plural(runs.cases, 'case')}"


@dataclass(frozen=True)
class OpenedVersion:
    """What scored some boards of the row, named by their titles; metrics: a board, a metric and its code's digest."""

    evaluator: str | None
    version: str
    boards: str
    metrics: Sequence[tuple[str, str, str | None]]


@dataclass(frozen=True)
class OpenedRow:
    """Everything of one team on a track. about: sentences on the team. told: kinds of trouble, each in a sentence."""

    team: str
    behind: EntryDetailsOut | None
    about: Sequence[str]
    marks: Sequence[Mark]
    lines: Sequence[OpenedLine]
    versions: Sequence[OpenedVersion]
    told: Sequence[tuple[str, str]]


def opened_row(
    spec: Spec, track: MadeTrack, entry: Marks, decimals: int, behind: EntryDetailsOut | None
) -> OpenedRow:
    """What `entry`, which is opened, has to tell; behind: what stands behind it for whoever looks."""
    lines = list(_lines(track, details(track, entry.team, decimals), behind))
    return OpenedRow(
        team=entry.team,
        behind=behind,
        about=list(_about(entry)),
        marks=[] if behind is None else list(_marks(behind)),
        lines=lines,
        versions=_versions(lines),
        told=sorted(_told(lines).items()),
    )


def _lines(track: MadeTrack, found: Sequence[Detail], behind: EntryDetailsOut | None) -> Iterator[OpenedLine]:
    """Board by board what counts, then what is scored otherwise."""
    have = {one.board.board: one for one in found}
    of = {(one.board, bool(one.differs)): one for one in (() if behind is None else behind.boards)}
    for board in track.heads:
        detail, own = have.get(board.board), of.get((board.board, False))
        if detail is not None:
            yield OpenedLine(board.board, board.title, detail, own, list(_of_board(own)))
        if (other := of.get((board.board, True))) is not None:
            yield OpenedLine(board.board, board.title, None, other, list(_of_board(other)))


def _about(entry: Marks) -> Iterator[str]:
    if entry.disqualified:
        yield "Disqualified: out of the ranking and shown with its values, so others have moved up."
    elif entry.baseline:
        yield "A baseline: a reference by the organizers, shown with its values and never ranked."
    elif not entry.eligible:
        yield "Ranked, and not eligible for prizes."
    if entry.disclaimer:
        yield entry.disclaimer


def _marks(behind: EntryDetailsOut) -> Iterator[Mark]:
    """What holds of all that the team has here."""
    image = behind.image
    if image is not None and image.tasks > 1:
        alone = image.images == 1
        yield Mark(
            f"one image for all {image.tasks} tasks"
            if alone
            else f"{image.images} images, {image.tasks} tasks",
            "good" if alone else "",
            "Whether its entries on this track run the same container image",
        )
    if behind.checkpoint is not None:
        yield _checkpoint(behind.checkpoint)
    runs = [one.repeated for one in behind.boards if one.repeated is not None]
    if runs:
        yield _repeated(runs)


def _checkpoint(found: SharedCheckpointOut) -> Mark:
    """Whether the images hold one pretrained checkpoint, over all tasks that count."""
    said, of = (
        "The pretrained checkpoint that the images declare, as their check found it",
        plural(found.tasks, "task"),
    )
    if found.one_for_all:
        return Mark(
            "checkpoint verified" if found.tasks == 1 else f"one checkpoint for all {of}", "good", said
        )
    if found.mark is None:
        return Mark("checkpoint not known", "", "An older release checked an image, and did not look for one")
    if not found.declared:
        return Mark("checkpoint not declared", "", said)
    if found.checkpoints > 1:
        return Mark(f"{found.checkpoints} checkpoints, {of}", "warn", said)
    what = "verified" if found.verified < found.declared else "declared"
    return Mark(f"checkpoint {what} for {getattr(found, what)} of {of}", "warn", said)


def _repeated(runs: Sequence[RepeatedRunsOut]) -> Mark:
    """Whether repeated runs agree, over all boards."""
    if any(one.differing for one in runs):
        return Mark("repeated runs differ", "warn", "The image answered the same cases in two ways")
    if all(one.cases for one in runs):
        return Mark("deterministic", "good", "Repeated runs on the same cases gave the same outputs")
    if any(one.cases for one in runs):
        return Mark("deterministic where repeated", "", "Not every task was run several times")
    return Mark("repetition not measured", "", "No organizer has had its cases run several times")


def _of_board(behind: BoardEntryOut | None) -> Iterator[Mark]:
    if behind is None:
        return
    if behind.differs:
        yield Mark("scored otherwise", "warn", "Not of what counts now, so not ranked")
    if behind.amended:
        yield Mark("amended since", "warn", "What concerns this task was changed after it was scored")
    if behind.anew_at is not None:
        yield Mark("made anew", "", "A re-evaluation put it in place of an earlier one")


def _versions(lines: Sequence[OpenedLine]) -> list[OpenedVersion]:
    """What scored the boards, those that were scored by the same together."""
    found: dict[tuple[str | None, str], list[tuple[str, ScoredWithOut]]] = {}
    for line in lines:
        if line.behind is not None:
            made = line.behind.scored_with
            found.setdefault((made.evaluator, made.version), []).append((line.title, made))
    return [
        OpenedVersion(
            evaluator,
            version,
            "all boards" if len(found) == 1 else ", ".join(dict.fromkeys(title for title, _ in boards)),
            [(title, key, code) for title, made in boards for key, code in made.metrics.items()],
        )
        for (evaluator, version), boards in found.items()
    ]


def _told(lines: Sequence[OpenedLine]) -> dict[str, str]:
    """Each kind of trouble of the row's cases, in the platform's words."""
    failed = [line.behind.failed for line in lines if line.behind is not None]
    codes = {code for one in failed if one is not None for code in (one.verdicts or ())}
    return {code: _hint(code) for code in codes}


def _hint(code: str) -> str:
    try:
        return HINTS[fault_of(code)]
    except ValueError:
        return "This version of the page has no sentence for it."
