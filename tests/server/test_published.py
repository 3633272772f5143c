"""Published results: imported from values alone, browsed like any leaderboard, and honest about what they lack."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import yaml
from click.testing import Result
from rich.console import Console
from sqlalchemy import func, select

from client.boards import leaderboard_tables
from contract.challenges import ChallengeDetail
from contract.leaderboard import LeaderboardOut
from evaluator.ranking import rank, read_rows
from evaluator.spec import Challenge, load_challenge
from server.challenges.service import apply, find_challenge, get_challenge
from server.database import SessionFactory, unit_of_work
from server.events import Event
from server.published.models import PublishedResults
from server.published.reading import WrongResults, read_results
from server.settings import Settings
from tests.server.conftest import Person
from tests.server.lab import Entrant, Lab
from tests.server.organizer import words
from tests.server.test_leaderboard import scored

ROOT = Path(__file__).parents[2]
FOMO25 = ROOT / "challenges" / "fomo25"
Command = Callable[..., Result]
Show = Callable[..., Path]

SOURCE = "the public leaderboard of FOMO25, open track"


@pytest.fixture(scope="module")
def fomo25() -> Challenge:
    return load_challenge(FOMO25 / "challenge.yaml")


@pytest.fixture
def showcase(tmp_path: Path) -> Show:
    """Writes the file of FOMO25 under a name that is the test's own, which the file's name tells."""

    def write(**changes: Any) -> Path:
        named = {"challenge": f"past-{uuid4().hex[:8]}", **changes}
        path = tmp_path / f"{named['challenge']}.yaml"
        content = yaml.safe_load((FOMO25 / "challenge.yaml").read_text()) | named
        path.write_text(yaml.safe_dump(content, sort_keys=False))
        return path

    return write


@pytest.fixture
def finished(command: Command, showcase: Show) -> str:
    """FOMO25 with its published results, under a name of its own."""
    file = showcase()
    result = command("import-results", file, FOMO25 / "results.csv", "--source", SOURCE)
    assert result.exit_code == 0, result.output
    return file.stem


def board_of(nobody: httpx.Client, slug: str, phase: str = "test") -> LeaderboardOut:
    answer = nobody.get(f"/challenges/{slug}/leaderboards/{phase}")
    assert answer.status_code == 200, answer.text
    return LeaderboardOut.model_validate(answer.json())


def page_of(nobody: httpx.Client, slug: str, phase: str = "test") -> str:
    answer = nobody.get(f"http://{nobody.base_url.netloc.decode()}/challenges/{slug}/leaderboards/{phase}")
    assert answer.status_code == 200, answer.text
    return answer.text


def published_rows() -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((FOMO25 / "results.csv").read_text())))


def csv_with(*lines: str, head: str = "team,track,task,metric,value,task_rank,placement,is_baseline") -> str:
    return "\n".join([head, *lines]) + "\n"


def mistakes(text: str, spec: Challenge) -> list[tuple[int, str | None, str]]:
    with pytest.raises(WrongResults) as wrong:
        read_results(text, spec)
    return [(one.line, one.column, one.message) for one in wrong.value.mistakes]


def imports(sessions: SessionFactory, slug: str) -> int:
    with unit_of_work(sessions) as session:
        challenge = get_challenge(session, slug)
        query = select(func.count()).where(PublishedResults.challenge_id == challenge.id)
        return session.scalar(query) or 0


def test_the_shipped_results_are_those_that_the_ranking_is_held_against() -> None:
    assert (FOMO25 / "results.csv").read_bytes() == (ROOT / "tests/data/fomo25_open_track.csv").read_bytes()


def test_fomo25_is_browsed_as_it_was_published(nobody: httpx.Client, finished: str) -> None:
    board = board_of(nobody, finished)
    track = next(one for one in board.tracks if one.track == "open")
    told = {row["team"]: row for row in published_rows()}
    assert {one.team: one.placement for one in track.unified} == {
        team: int(row["placement"]) for team, row in told.items()
    }
    assert {one.team: one.published_overall for one in track.unified} == {
        team: float(row["overall_rank"]) for team, row in told.items()
    }
    ranks = {(row["team"], row["task"]): float(row["task_rank"]) for row in published_rows()}
    found = {(entry.team, one.board): entry for one in track.boards for entry in one.entries}
    assert {key: entry.rank for key, entry in found.items()} == ranks
    assert {key: entry.published_rank for key, entry in found.items()} == ranks
    values = {
        (team, key, metric): value.value
        for (team, key), entry in found.items()
        for metric, value in entry.metrics.items()
    }
    assert values == {
        (row["team"], row["task"], row["metric"]): float(row["value"]) for row in published_rows()
    }


def test_what_needs_cases_says_why_it_is_absent(nobody: httpx.Client, finished: str) -> None:
    board = board_of(nobody, finished)
    track = next(one for one in board.tracks if one.track == "open")
    assert board.published is not None
    assert board.published.source == SOURCE
    said = " ".join(board.published.sentences)
    assert "all places are as they were published" in said
    assert "LatentCampus 2.7, here 2.67" in said
    assert not any(team in said for team in ("MIPLAB", "DKFZ_MIC")), "4.50 and 4.17 are as here"
    assert "Intervals, sets of places" in said
    assert track.certainty is None
    assert all(one.places is None for one in track.unified)
    assert all((one.cases, one.bootstrap) == (None, None) for one in track.boards)
    value = track.boards[0].entries[0].metrics["auroc"]
    assert (value.low, value.high, value.interval_method) == (None, None, None)
    assert "single cases" in (value.note or "")


def test_the_page_shows_both_ranks_only_where_they_differ(nobody: httpx.Client, finished: str) -> None:
    page = page_of(nobody, finished)
    assert "Published results, imported" in page
    assert page.count(">33.3 %<") == 6, "the share of each board, in the head and beside it"
    assert "published 2.7</small>" in page
    assert page.count("published 4.5</small>") == 0
    assert page.count(">published 1</small>") == 0, "the place is the same"
    for absent in ("0 cases", "nothing is scored yet", "no date yet", "95 %", "published 4.17"):
        assert absent not in page
    origin = f"http://{nobody.base_url.netloc.decode()}"
    for other in (f"{origin}/challenges/{finished}", origin):
        assert "published results</span>" in nobody.get(other).text


def test_the_csv_is_one_that_the_evaluator_ranks_the_same(
    nobody: httpx.Client, finished: str, tmp_path: Path, fomo25: Challenge
) -> None:
    answer = nobody.get(f"/challenges/{finished}/leaderboards/test.csv")
    (tmp_path / "board.csv").write_text(answer.text)
    again = rank(fomo25.ranking, fomo25.boards, read_rows(tmp_path / "board.csv", fomo25.tracks))
    row = next(csv.DictReader(io.StringIO(answer.text)))
    assert {one.team: one.placement for one in again.tracks["open"]}[row["team"]] == int(row["placement"])
    assert [row["published_rank"], row["published_overall"], row["published_placement"]] == [
        "1.0",
        "5.5",
        "7",
    ]


def test_the_same_again_changes_nothing_and_is_no_event(
    command: Command, sessions: SessionFactory, showcase: Show
) -> None:
    file = showcase()
    assert "imported" in command("import-results", file, FOMO25 / "results.csv").output
    before = events_of(sessions, file.stem)
    assert before.count("published results imported") == 1
    again = command("import-results", file, FOMO25 / "results.csv")
    assert (again.exit_code, "unchanged" in again.output) == (0, True)
    assert events_of(sessions, file.stem) == before
    assert imports(sessions, file.stem) == 1


def events_of(sessions: SessionFactory, slug: str) -> list[str | None]:
    with unit_of_work(sessions) as session:
        challenge = get_challenge(session, slug)
        query = (
            select(Event.what).where(Event.subject_id == challenge.id).order_by(Event.created_at, Event.id)
        )
        return list(session.scalars(query))


def test_other_results_replace_them_only_with_a_reason_that_everybody_reads(
    command: Command, admin: Person, nobody: httpx.Client, showcase: Show, tmp_path: Path
) -> None:
    file, other = showcase(), tmp_path / "other.csv"
    command("import-results", file, FOMO25 / "results.csv")
    other.write_text((FOMO25 / "results.csv").read_text().replace("LatentCampus", "LatentTown"))
    refused = command("import-results", file, other)
    assert (refused.exit_code, "--replace --why" in refused.output) == (1, True)
    assert command("import-results", file, other, "--replace").exit_code == 1
    assert board_of(nobody, file.stem).tracks[1].unified[0].team == "LatentCampus"
    # Over HTTP, as a server forgets at once what it knew before its own commits.
    body = {"file": file.read_text(), "results": other.read_text(), "replace": True}
    path = f"/admin/challenges/{file.stem}/results"
    assert admin.http.post(path, json=body).status_code == 422
    done = admin.http.post(path, json=body | {"why": "A team's name was misspelt."})
    assert (done.status_code, done.json()["changed"]) == (200, True)
    assert board_of(nobody, file.stem).tracks[1].unified[0].team == "LatentTown", "not the one in memory"
    told = nobody.get(f"/challenges/{file.stem}/amendments").json()
    assert "misspelt" in json.dumps(told)


def test_every_mistake_is_named_with_line_and_column_and_nothing_is_imported(
    command: Command, sessions: SessionFactory, showcase: Show, tmp_path: Path
) -> None:
    file, results = showcase(), tmp_path / "results.csv"
    results.write_text(
        csv_with(
            "Ada,open,task1,auroc,0.5,2,1,0",
            "Ada,shut,task1,auroc,0.5,2,1,0",
            "Ada,open,task9,auroc,0.5,2,1,0",
            "Ada,open,task1,dsc,0.5,2,1,0",
            "Bob,open,task1,auroc,much,0,1.5,maybe",
            "Ada,open,task2,dsc,1.5,2,1,0",
            "Ada,open,task1,auroc,0.6,3,2,1",
            "Ada,open,task1",
        )
    )
    refused = command("import-results", file, results)
    assert refused.exit_code == 1
    named = [
        " ".join(line.split(":")[0].split())
        for line in refused.output.splitlines()
        if line.startswith("line ")
    ]
    assert named == [
        "line 3, column track",
        "line 4, column task",
        "line 5, column metric",
        *(f"line 6, column {column}" for column in ("value", "task_rank", "placement", "is_baseline")),
        "line 7, column value",
        *(f"line 8, column {column}" for column in ("metric", "task_rank", "placement", "is_baseline")),
        "line 9",
    ]
    with unit_of_work(sessions) as session:
        assert find_challenge(session, file.stem) is None, "nor was the challenge made"


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("", 1, "team"),
        ("team,track,task,metric,value\n", 1, None),
        ("team,track,task,metric,value,colour\nAda,open,task1,auroc,0.5,red\n", 1, "colour"),
        ("team,team,track,task,metric,value\nAda,Ada,open,task1,auroc,0.5\n", 1, "team"),
        ("team;track;task;metric;value\nAda;open;task1;auroc;0.5\n", 1, "team"),
        (csv_with(",open,task1,auroc,0.5,,,"), 2, "team"),
        (csv_with("Ada,open,task1,auroc,0.5,,,", "ada,open,task2,dsc,0.5,,,"), 3, "team"),
        (csv_with("Ada,open,task1,auroc,1e999,,,"), 2, "value"),
        (csv_with('Ada,open,task1,auroc,"0,5",,,'), 2, "value"),
        (csv_with("Ada,open,task1,auroc,n/a,,,"), 2, "value"),
        (csv_with("Base,open,task1,auroc,0.5,1,,1"), 2, "task_rank"),
        (csv_with("Base,open,task1,auroc,0.5,,4,1"), 2, "placement"),
        (csv_with('Ada,open,task1,auroc,0.5,,,"0'), 2, None),
    ],
)
def test_a_file_with_one_mistake_names_it(
    text: str, line: int, column: str | None, fomo25: Challenge
) -> None:
    assert (line, column) in [(where, what) for where, what, _ in mistakes(text, fomo25)]


def test_baselines_are_shown_without_a_rank_and_move_nobody(
    command: Command, nobody: httpx.Client, showcase: Show, tmp_path: Path
) -> None:
    file, results = showcase(), tmp_path / "results.csv"
    rows = [f"{team},open,task1,auroc,{value},,,{mark}" for team, value, mark in ROWS]
    results.write_text(csv_with(*rows))
    assert command("import-results", file, results).exit_code == 0
    board = next(one for one in board_of(nobody, file.stem).tracks if one.track == "open")
    assert [(one.team, one.placement, one.baseline) for one in board.unified] == [
        ("Ada", 1, False),
        ("Bob", 2, False),
        ("Reference", None, True),
    ]


ROWS = [("Ada", 0.7, 0), ("Reference", 0.9, 1), ("Bob", 0.6, 0)]


def test_places_that_rounding_turned_are_told_with_both_numbers(
    command: Command, nobody: httpx.Client, showcase: Show, tmp_path: Path
) -> None:
    file, results = showcase(), tmp_path / "results.csv"
    results.write_text(
        csv_with(
            "Ada,open,task1,auroc,0.7,2,2,", "Bob,open,task1,auroc,0.7,1,1,", "Cyd,open,task1,auroc,0.1,3,3,"
        )
    )
    command("import-results", file, results)
    board = board_of(nobody, file.stem)
    assert board.published is not None
    said = " ".join(board.published.sentences)
    assert "these places were published as others than they are here: Ada 2, here 1." in said
    assert "digits which were not published may have decided" in said
    assert "published 2</small>" in page_of(nobody, file.stem)


@pytest.mark.parametrize(
    ("phase", "says"),
    [
        ({"opens": "2020-01-01T00:00:00Z"}, "is not over"),
        ({"opens": "2020-01-01T00:00:00Z", "closes": "2099-01-01T00:00:00Z"}, "is not over"),
        ({"board": "sealed"}, "is sealed"),
        ({"board": "none"}, "Name a phase"),
    ],
)
def test_only_a_phase_that_is_over_and_open_to_all_shows_them(
    command: Command, sessions: SessionFactory, showcase: Show, phase: dict[str, str], says: str
) -> None:
    file = showcase(phases={"test": {"title": "Test", "opens": None, **phase}})
    refused = command("import-results", file, FOMO25 / "results.csv")
    assert (refused.exit_code, says in words(refused)) == (1, True), refused.output
    with unit_of_work(sessions) as session:
        assert find_challenge(session, file.stem) is None


def test_a_phase_with_evaluations_of_its_own_takes_none(
    command: Command, lab: Lab, team: Entrant, fomo26: Challenge, tmp_path: Path
) -> None:
    scored(lab, team, 0.9)
    closed = fomo26.phases["validation"].model_copy(update={"opens": None, "closes": None})
    spec = fomo26.model_copy(
        update={"challenge": lab.slug, "phases": {**fomo26.phases, "validation": closed}}
    )
    with unit_of_work(lab.sessions) as session:
        apply(session, spec, actor="tests")
    file, results = tmp_path / "challenge.yaml", tmp_path / "results.csv"
    file.write_text(yaml.safe_dump(spec.model_dump(mode="json"), sort_keys=False))
    results.write_text(csv_with("Ada,open,task5,auroc,0.7,,,"))
    refused = command("import-results", file, results, "--phase", "validation")
    assert (refused.exit_code, "evaluations of its own" in words(refused)) == (1, True), refused.output


def test_another_file_of_the_challenge_is_refused(command: Command, finished: str, showcase: Show) -> None:
    other = showcase(challenge=finished, title="Another")
    refused = command("import-results", other, FOMO25 / "results.csv")
    assert (refused.exit_code, "apply this one first" in words(refused)) == (1, True)


def test_a_phase_with_published_results_takes_no_submissions_even_if_it_opens(
    lab: Lab, team: Entrant, fomo26: Challenge, command: Command, tmp_path: Path
) -> None:
    past = fomo26.phases["validation"].model_copy(update={"title": "Past"})
    phases = {**fomo26.phases, "past": past.model_copy(update={"opens": None, "closes": None})}
    spec = fomo26.model_copy(update={"challenge": lab.slug, "phases": phases})
    file, results = tmp_path / "challenge.yaml", tmp_path / "results.csv"
    file.write_text(yaml.safe_dump(spec.model_dump(mode="json"), sort_keys=False))
    results.write_text(csv_with("Ada,open,task5,auroc,0.7,,,"))
    with unit_of_work(lab.sessions) as session:
        apply(session, load_challenge(file), actor="tests")
    done = command("import-results", file, results, "--phase", "past")
    assert done.exit_code == 0, done.output
    opened = {**phases, "past": past}
    with unit_of_work(lab.sessions) as session:
        apply(session, spec.model_copy(update={"phases": opened}), actor="tests")
    answer = team.http.post(
        f"/challenges/{lab.slug}/submissions",
        json={"track": "open", "phase": "past", "images": {"task5": team.image}},
        headers={"Idempotency-Key": uuid4().hex},
    )
    assert (answer.status_code, "published elsewhere" in answer.text) == (409, True), answer.text


def test_over_http_the_problem_lists_the_mistakes(admin: Person, showcase: Show, settings: Settings) -> None:
    file = showcase()
    body = {"file": file.read_text(), "results": csv_with("Ada,open,task1,auroc,2,,,")}
    answer = admin.http.post(f"/admin/challenges/{file.stem}/results", json=body)
    assert answer.status_code == 422, answer.text
    told = answer.json()
    assert told["code"] == "results_file"
    assert [(one["line"], one["column"]) for one in told["problems"]] == [(2, "value")]
    elsewhere = admin.http.post(f"/admin/challenges/{file.stem}x/results", json=body)
    assert elsewhere.json()["code"] == "challenge_file"


def test_there_is_no_bundle_of_what_has_no_cases(admin: Person, finished: str) -> None:
    answer = admin.http.get(f"/organize/{finished}/phases/test/bundle")
    assert (answer.status_code, answer.json()["code"]) == (409, "results_published")


def test_the_participants_command_says_what_there_is_to_know(nobody: httpx.Client, finished: str) -> None:
    console = Console(width=2000, record=True, file=io.StringIO())
    console.print(*leaderboard_tables(board_of(nobody, finished)))
    said = console.export_text()
    assert "nothing was run here" in said
    assert "LatentCampus 2.7, here 2.67" in said
    assert "0 cases" not in said


def test_a_plan_for_a_challenge_with_published_results_can_be_made(
    command: Command, finished: str, showcase: Show, nobody: httpx.Client
) -> None:
    other = showcase(challenge=finished, title="Another title")
    planned = command("apply", other, "--plan")
    assert planned.exit_code == 0, planned.output
    detail = ChallengeDetail.model_validate(nobody.get(f"/challenges/{finished}").json())
    assert detail.title == "FOMO25"
