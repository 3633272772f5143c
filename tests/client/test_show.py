"""Leaderboards and verdicts in a terminal of 80 columns."""

import io
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console, RenderableType

from client.boards import leaderboard_tables
from client.progress import size
from client.show import grant_lines, quota_table, standing_lines, submission_table
from contract.intervals import BootstrapOut
from contract.leaderboard import (
    BoardOut,
    EntryOut,
    LeaderboardOut,
    MetricOut,
    OtherwiseOut,
    TrackOut,
    UnifiedOut,
    ValueOut,
)
from contract.submissions import EvaluationOut, QuotaOut, SubmissionOut
from contract.teams import TeamOut

BOARDS = tuple(f"task{number}" for number in range(1, 8))
TEAM = "The Cortical Surface Mappers of the Northern University"


AT = datetime(2026, 11, 28, 18, 56, tzinfo=UTC)
PLAIN: dict[str, Any] = {"baseline": False, "eligible": True, "disclaimer": None}


def value(number: float | None, **said: Any) -> ValueOut:
    return ValueOut(**{"value": number, "low": None, "high": None, "rank": None, **said})


def column(name: str, title: str, **said: Any) -> MetricOut:
    return MetricOut(**{"name": name, "title": title, "better": "higher", **said})


def board(name: str, title: str, columns: list[MetricOut], entries: list[EntryOut], **more: Any) -> BoardOut:
    return BoardOut(board=name, title=title, weight=1, metrics=columns, entries=entries, **more)


def phase(title: str, track: TrackOut, **more: Any) -> LeaderboardOut:
    named = {"challenge": "fomo26", "title": "FOMO26", "phase": "phase", "phase_title": title, "version": "0"}
    return LeaderboardOut(**named, at=AT, open=True, decimals=3, tracks=[track], **more)


def leaderboard() -> LeaderboardOut:
    """A track of seven boards with one team, which has no scored submission on task2."""
    columns = [column("auroc", "AUROC"), column("ap", "Average precision")]
    metrics = {"auroc": value(0.875), "ap": value(None)}
    entry = EntryOut(team=TEAM, rank=1, metrics=metrics, submitted_at=AT, **PLAIN)
    ranks: dict[str, float | None] = dict.fromkeys(BOARDS, 1.5)
    row = UnifiedOut(
        team=TEAM,
        placement=10,
        eligible_placement=10,
        prize=None,
        overall=1.25,
        board_ranks=ranks,
        missing=["task2"],
        **PLAIN,
    )
    empty = [board(name, name, [], []) for name in BOARDS[1:]]
    boards = [board("task1", "Infarcts", columns, [entry]), *empty]
    return phase("Validation", TrackOut(track="method", unified=[row], boards=boards))


def evaluation(status: str, **more: Any) -> EvaluationOut:
    """An evaluation of task1, as a server says it that knows only what it has to."""
    unset = dict.fromkeys(("reason_code", "reason", "note", "finished_at"))
    counts = {"cases": 0, "progress": 0, "verdicts": {}, "scores": {}}
    known = {"id": "e", "task": "task1", "image": "sha256:0", "created_at": AT, **unset, **counts}
    return EvaluationOut.model_validate(known | {"status": status, **more})


def submission(one: EvaluationOut, **more: Any) -> SubmissionOut:
    known = {"challenge": "fomo26", "team": "t", "track": "method", "phase": "validation"}
    return SubmissionOut(id="0" * 36, created_at=AT, evaluations=[one], **known, **more)


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
    one = evaluation(
        "rejected",
        reason_code="every_case_failed",
        reason="Every one of the first three cases failed by the image's own doing, so the rest did not run.",
        verdicts={code: 3, "timeout": 1},
    )
    lines = printed(80, submission_table(submission(one)))
    assert f"3 × {code}" in lines
    assert "every_case_failed" in lines
    assert "REJECTED" in lines, "people read a status as the documentation writes it"


def test_a_rejection_on_hidden_cases_shows_its_class() -> None:
    one = evaluation("rejected", reason_code="all_failed", failure="timeout")
    assert "timeout" in printed(80, submission_table(submission(one)))


def test_hidden_cases_say_that_they_show_late_until_they_have_ended() -> None:
    for hidden, status, said in ((True, "queued", True), (True, "scored", False), (False, "queued", False)):
        lines = printed(80, submission_table(submission(evaluation(status), hidden=hidden)))
        assert ("every 15 seconds at first" in " ".join(lines.split())) is said, lines
        assert max(map(len, lines.splitlines())) <= 80


def test_80_columns_show_what_may_still_be_rejected() -> None:
    at = datetime(2026, 12, 3, 8, 30, tzinfo=UTC)
    row = {"track": "method", "phase": "validation", "valid": 3, "spent": 0, "reserved": 0, "left": 3}
    full = {"rejected_per_week": 10, "rejected": 10, "rejected_left": 0, "rejected_next_at": at}
    rows = [QuotaOut(task="task1", **row, **full), QuotaOut(task="task2", **row)]
    words = " ".join(printed(80, quota_table(rows)).split())
    assert "0 of 10" in words
    assert "2026-12-03" in words
    assert "no limit" in words
    assert "of all tracks together" in words


def test_what_organizers_decided_is_said_with_the_reason() -> None:
    at = datetime(2026, 12, 3, 8, 30, tzinfo=UTC)
    row = {
        "task": "task1",
        "track": "open",
        "phase": "test",
        "valid": 2,
        "spent": 0,
        "reserved": 0,
        "left": 2,
    }
    grant = {"valid": 1, "why": "A host failed.\x1b[2J", "created_at": at}
    (line,) = grant_lines([QuotaOut(**row, grants=[grant]), QuotaOut(**row)])
    assert line.startswith("test, open, task1: +1 by the organizers on 2026-12-03: A host failed.")
    assert "\x1b" not in line
    plain = {
        "id": "t",
        "name": "T",
        "eligible": True,
        "disclaimer": None,
        "is_baseline": False,
        "created_at": at,
    }
    assert standing_lines(TeamOut(**plain)) == []
    told = plain | {"disqualified": "It copied.", "waits": True, "eligible": False, "disclaimer": "Institute"}
    assert len(standing_lines(TeamOut(**told))) == 4


def test_sizes_have_units_that_move() -> None:
    assert [size(count) for count in (12, 5 << 20, 1500 << 20)] == ["12 bytes", "5 MiB", "1.5 GiB"]


def season() -> LeaderboardOut:
    """A board with everything that may be said of a team: a tie, no prize, a baseline, one that is disqualified."""
    auroc = column("auroc", "AUROC")
    gone = column("gone", "Gone", better=None, reason="The metric is not installed; it is not ranked.")
    outside = value(0.9, low=0.7, high=0.8, note="It lies outside its own interval.")

    def marked(team: str, rank: int | None, value: ValueOut, **marks: Any) -> tuple[EntryOut, UnifiedOut]:
        prize = "500 USD" if marks.pop("wins", False) else None
        shared = {"team": team, **PLAIN, **marks}
        ranks = {"task1": rank, "task2": None}
        return (
            EntryOut(rank=rank, metrics={"auroc": value}, submitted_at=AT, scored_at=AT, **shared),
            UnifiedOut(
                placement=rank,
                eligible_placement=rank,
                overall=rank,
                prize=prize,
                board_ranks=ranks,
                missing=["task2"],
                **shared,
            ),
        )

    rows = [
        marked("Ada", 1, value(0.9), first=True, wins=True),
        marked("Bob", 1, outside, first=True),
        marked("Institute", 3, value(0.8), eligible=False, disclaimer="Members of an organizing institute"),
        marked("Baseline", None, value(0.7), baseline=True),
        marked("Cheats", None, value(0.99), disqualified=True),
    ]
    old = OtherwiseOut(
        team="Old",
        metrics={"auroc": value(0.6)},
        submitted_at=AT,
        scored_at=AT,
        differs=["dataset"],
        **PLAIN,
    )
    drawn = BootstrapOut(level=0.9, resamples=200, unit="subject", strata=["site"], sources="test_cases")
    entries = [one for one, _ in rows]
    full = board(
        "task1",
        "Infarcts",
        [auroc, gone],
        entries,
        otherwise=[old],
        cases=80,
        last_scored=AT,
        bootstrap=drawn,
    )
    empty = board("task2", "Tumours", [auroc], [])
    track = TrackOut(track="open", unified=[one for _, one in rows], boards=[full, empty])
    return phase("Test", track, closes=AT, last_scored=AT, released_early="A talk.")


@pytest.mark.parametrize("width", [60, 80, 160])
def test_every_team_has_its_marks_and_every_value_its_reason(width: int) -> None:
    shown = " ".join(printed(width, *leaderboard_tables(season())).split())
    for words in (
        "Released before it was final: A talk.",
        "Ada (tied for first)",
        "Bob (tied for first)",
        "Institute (no prize)",
        "Institute: Members of an organizing institute",
        "Baseline (baseline)",
        "Cheats (disqualified)",
        "500 USD",
        "0.900 (0.700 to 0.800) [1]",
        "In parentheses: the 90 % interval from 200 resamples of the test cases, by subject within site.",
        "[1] It lies outside its own interval.",
        "Gone: The metric is not installed; it is not ranked.",
        "80 cases · 5 entries · last scored 2026-11-28 18:56 UTC",
        "scored otherwise: 1",
        "dataset",
    ):
        assert words in shown, words
    assert shown.count("tied for first") == 4, "on the unified leaderboard and on the board"
    assert "(–)" not in shown, "what nobody has is in no brackets"
