"""Leaderboards and verdicts in a terminal of 80 columns."""

import io
from datetime import UTC, datetime

from rich.console import Console, RenderableType

from client.boards import leaderboard_tables
from client.models import Board, Column, Entry, Evaluation, Leaderboard, Standing, Submission, Track, Value
from client.progress import size
from client.show import submission_table

BOARDS = tuple(f"task{number}" for number in range(1, 8))
TEAM = "The Cortical Surface Mappers of the Northern University"


def leaderboard() -> Leaderboard:
    """A track of seven boards with one team, which has no scored submission on task2."""
    columns = (Column(name="auroc", title="AUROC"), Column(name="ap", title="Average precision"))
    entry = Entry(team=TEAM, rank=1, metrics={"auroc": Value(value=0.875), "ap": Value(value=None)})
    ranks: dict[str, float | None] = dict.fromkeys(BOARDS, 1.5)
    row = Standing(team=TEAM, placement=10, overall=1.25, board_ranks=ranks, missing=("task2",))
    boards = (Board(board="task1", title="Infarcts", metrics=columns, entries=(entry,)),)
    empty = tuple(Board(board=name, title=name, metrics=(), entries=()) for name in BOARDS[1:])
    track = Track(track="method", unified=(row,), boards=boards + empty)
    return Leaderboard(title="FOMO26", phase_title="Validation", tracks=(track,))


def printed(width: int, *shown: RenderableType) -> str:
    """What a terminal of this width shows."""
    console = Console(file=io.StringIO(), width=width)
    console.print(*shown, sep="\n")
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def tables(width: int) -> str:
    return printed(width, *leaderboard_tables(leaderboard()))


def test_80_columns_break_no_name_and_no_head() -> None:
    lines = tables(80)
    assert TEAM in lines
    assert "…" not in lines
    for words in ("place", "overall 1.25", *(f"{name} 1.5" for name in BOARDS if name != "task2")):
        assert words in lines
    assert "AUROC" in lines
    assert max(map(len, lines.splitlines())) <= 80


def test_a_board_without_a_scored_submission_is_in_brackets_at_any_width() -> None:
    for width in (60, 80, 200):
        lines = tables(width)
        assert lines.count("(1.5)") == 1, lines
    assert "task2 (1.5)" in tables(80)
    assert "In brackets: no scored submission." in " ".join(tables(80).split())


def test_80_columns_cut_no_verdict_of_a_submission() -> None:
    code = "output_invalid:decimal_float"
    one = Evaluation(
        id="e",
        task="task1",
        status="REJECTED",
        reason_code="every_case_failed",
        reason="Every one of the first three cases failed by the image's own doing, so the rest did not run.",
        verdicts={code: 3, "timeout": 1},
    )
    submission = Submission(
        id="0" * 36, track="method", phase="validation", created_at=datetime.now(UTC), evaluations=(one,)
    )
    lines = printed(80, submission_table(submission))
    assert f"3 × {code}" in lines
    assert "every_case_failed" in lines


def test_sizes_have_units_that_move() -> None:
    assert [size(count) for count in (12, 5 << 20, 1500 << 20)] == ["12 bytes", "5 MiB", "1.5 GiB"]
