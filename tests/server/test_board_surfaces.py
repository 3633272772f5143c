"""What qualifies a value reaches every surface: JSON, CSV, page and command say how sure it is and who may win."""

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console
from sqlalchemy import update

from client.boards import leaderboard_tables
from client.show import scores_table
from contract.leaderboard import LeaderboardOut, UnifiedOut
from contract.submissions import SubmissionOut
from evaluator.comparison import Entrant as Compared
from evaluator.comparison import certain_places
from evaluator.ranking import Standing, rank, read_rows
from evaluator.scoring import MetricReport
from evaluator.spec import Bootstrap, Challenge, Ranking
from server.database import unit_of_work
from server.evaluations.models import Evaluation
from server.evaluations.result_models import Score
from server.leaderboard.certainty import Known
from server.leaderboard.service import Attempt, Found, Who
from server.leaderboard.spreadsheet import as_csv
from server.leaderboard.views import tracks_out
from server.teams.models import Team
from tests.evaluator import reports as made
from tests.server.conftest import Person
from tests.server.lab import Entrant, Lab
from tests.server.organizer import Admin
from tests.server.seeded import play, report, settle
from tests.server.test_leaderboard import board_page, change, page

MakeEntrant = Callable[[str], Entrant]
AT = datetime(2026, 11, 28, tzinfo=UTC)
SENTENCE = "the 90 % interval from 200 resamples of the test cases, by case within site."


def redrawn(lab: Lab, spec: Challenge, **bootstrap: object) -> None:
    """Gives the board of task1 other intervals."""
    drawn = Bootstrap.model_validate(bootstrap)
    boards = dict(spec.boards) | {"task1": spec.boards["task1"].model_copy(update={"bootstrap": drawn})}
    change(lab, spec, boards=boards)


def says_what_is_sure(board: dict[str, Any]) -> dict[str, Any]:
    """Holds the JSON of a season to what it says of places that cannot be excluded; these by team."""
    track = next(one for one in board["tracks"] if one["track"] == "open")
    places = {one["team"]: one["places"] for one in track["unified"]}
    assert places["Ada"] == places["Bob"] != places["Late"]
    assert all((places[name] is None) == (name in ("Zero", "Cheats")) for name in places)
    for one in track["unified"]:
        assert one["places"] is None or one["places"]["low"] <= one["placement"] <= one["places"]["high"]
    assert track["certainty"]["winners"][:2] == ["Ada", "Bob"]
    assert track["certainty"]["decision"]["candidates"] == track["certainty"]["winners"]
    assert "Cyd wins 200 USD: place" in " ".join(track["certainty"]["decision"]["sentences"])
    assert track["certainty"]["weight_space"]["Ada"] > 0.9
    assert next(one for one in track["boards"][0]["entries"] if one["team"] == "Ada")["places"]["low"] == 1
    empty = next(one for one in board["tracks"] if one["track"] == "method")
    assert empty["certainty"] is None
    return places


def says_who_they_are(rows: dict[tuple[str, str], dict[str, str]], places: dict[str, Any]) -> None:
    """Holds the CSV of a season to what it says of teams, their places and their intervals."""
    ada, cyd, host = rows["Ada", "auroc"], rows["Cyd", "auroc"], rows["Institute", "auroc"]
    assert (ada["level"], ada["resamples"], ada["cases"]) == ("0.9", "200", "3")
    assert rows["Ada", "dsc"]["level"] == "0.95"
    assert (ada["placement"], ada["prize"]) == ("1", "500 USD + 300 USD, shared by 2 teams")
    assert (cyd["placement"], cyd["eligible_placement"], cyd["prize"]) == ("4", "3", "200 USD")
    assert (host["placement"], host["eligible_placement"], host["prize"], host["eligible"]) == (
        "3",
        "",
        "",
        "0",
    )
    assert host["disclaimer"] == "Members of an organizing institute"
    assert rows["Cheats", "auroc"]["unranked"] == "disqualified"
    assert rows["Late", "auroc"]["reason"] == "Every output is the same."
    assert (ada["placement_low"], ada["placement_high"]) == ("1", str(places["Ada"]["high"]))


def test_every_surface_says_how_the_intervals_of_that_board_were_made(
    lab: Lab, entrant: MakeEntrant, admin: Person, nobody: httpx.Client, fomo26: Challenge
) -> None:
    redrawn(lab, fomo26, level=0.9, resamples=200, unit="case", strata=["site"])
    season = play(lab, entrant, admin)
    address = f"/challenges/{lab.slug}/leaderboards/validation"
    board = nobody.get(address).json()
    first, second = next(one for one in board["tracks"] if one["track"] == "open")["boards"][:2]
    drawn = {"level": 0.9, "resamples": 200, "unit": "case", "strata": ["site"], "sources": "test_cases"}
    assert first["bootstrap"] == drawn
    assert (second["bootstrap"]["level"], second["bootstrap"]["resamples"]) == (0.95, 1000)

    rows = {
        (row["team"], row["metric"]): row
        for row in csv.DictReader(io.StringIO(nobody.get(f"{address}.csv").text))
    }
    places = says_what_is_sure(board)
    says_who_they_are(rows, places)

    shown = page(nobody, lab).text
    assert "Ada and Bob are not told apart" in shown
    assert "Cyd wins 200 USD: place" in shown
    assert f"Under each value: {SENTENCE}" in board_page(nobody, lab, "task1")
    assert "95 % interval from 1,000 resamples" in board_page(nobody, lab, "task2"), "of the other board"
    printed = io.StringIO()
    Console(file=printed, width=200).print(*leaderboard_tables(LeaderboardOut.model_validate(board)))
    told = printed.getvalue()
    assert f"In parentheses: {SENTENCE}" in told
    for words in (
        "500 USD + 300 USD, shared by 2 teams",
        "Institute (no prize)",
        "Zero (baseline)",
        f"1 (1–{places['Ada']['high']})",
        "Cannot be excluded as first: Ada, Bob",
    ):
        assert words in told
    assert "Institute: Members of an organizing institute" in told

    redrawn(lab, fomo26, level=0.8, resamples=300)
    again = {"task1": made.season()["team0"]["task1"]}
    settle(lab, season.teams["Ada"], again, task="task1")
    lab.work_out()
    first = next(one for one in nobody.get(address).json()["tracks"] if one["track"] == "open")["boards"][0]
    assert [one["team"] for one in first["entries"]] == ["Ada"]
    assert (first["entries"][0]["places"]["low"], first["entries"][0]["places"]["high"]) == (1, 1), (
        "made anew"
    )
    assert first["bootstrap"]["level"] == 0.8
    assert {one["team"]: one["bootstrap"] for one in first["otherwise"]}["Bob"] == drawn
    rows_now = [*csv.DictReader(io.StringIO(nobody.get(f"{address}.csv").text))]
    levels = {row["team"]: row["level"] for row in rows_now if row["task"] == "task1"}
    assert (levels["Ada"], levels["Bob"]) == ("0.8", "0.9")


def test_entries_scored_by_an_earlier_version_stay_ranked_and_their_resamples_are_left_aside(
    lab: Lab, entrant: MakeEntrant, admin: Person, nobody: httpx.Client
) -> None:
    season = play(lab, entrant, admin)
    address = f"/challenges/{lab.slug}/leaderboards/validation"

    def opened() -> dict[str, Any]:
        return next(track for track in nobody.get(address).json()["tracks"] if track["track"] == "open")

    before = opened()
    assert not any("earlier version" in note for note in before["certainty"]["notes"])
    with unit_of_work(lab.sessions) as session:
        row = session.get_one(Evaluation, UUID(season.evaluations["Bob", "task1"]))
        base = {key: value for key, value in row.scored_with["task1"].items() if key != "draws"}
        row.scored_with = {"task1": base}
        session.execute(update(Score).where(Score.evaluation_id == row.id).values(replicates=bytes(24)))
    lab.work_out()
    after = opened()
    (note,) = (note for note in after["certainty"]["notes"] if "earlier version" in note)
    assert "Acute infarct classification (1)" in note
    assert after["unified"] == before["unified"], "sets of places come from influence values, which all have"
    assert [entry["rank"] for entry in after["boards"][0]["entries"]] == [
        entry["rank"] for entry in before["boards"][0]["entries"]
    ]
    assert note in page(nobody, lab).text


def test_a_team_and_an_admin_read_of_which_level_the_intervals_of_a_score_are(
    lab: Lab, team: Entrant, command: Admin, fomo26: Challenge
) -> None:
    redrawn(lab, fomo26, level=0.9, resamples=200, unit="case", strata=["site"])
    lab.dataset("task1", cases=3)
    said = "The value lies outside its interval."
    told = {"interval_method": "logit", "interval_note": said, "lacks": "It was scored before."}
    auroc = MetricReport.model_validate({"value": 0.9, "low": 0.5, "high": 0.8, **told})
    evaluation = settle(lab, team, {"task1": report("task1", auroc=auroc)}, task="task1")
    (submission,) = team.http.get(f"/challenges/{lab.slug}/submissions").json()
    assert submission["evaluations"][0]["bootstraps"]["task1"]["level"] == 0.9
    printed = io.StringIO()
    shown = scores_table(SubmissionOut.model_validate(submission))
    assert shown is not None
    Console(file=printed, width=200).print(shown)
    for words in (f"interval of task1: {SENTENCE}", said, "0.5 – 0.8, logit t", "AUROC"):
        assert words in printed.getvalue()
    assert "auroc" not in printed.getvalue(), "a metric goes by the name that the board shows"
    listed = command("show", evaluation).output
    for words in ("0.5 to 0.8", "logit t", "90 %", "200", said, "It was scored before."):
        assert words in listed
    assert "95 %" not in printed.getvalue() + listed


def test_what_an_older_server_says_of_prizes_is_read_as_it_was_meant() -> None:
    marks = {"team": "Ada", "baseline": False, "eligible": True, "disclaimer": None}
    row = {"placement": 1, "overall": 1.0, "board_ranks": {}, **marks}
    old = UnifiedOut.model_validate({**row, "prize": 1, "wins": "500 USD"})
    new = UnifiedOut.model_validate({**row, "prize": "500 USD", "eligible_placement": 1})
    assert (old.prize, old.eligible_placement) == ("500 USD", 1)
    assert (new.prize, new.eligible_placement) == ("500 USD", 1)
    assert UnifiedOut.model_validate({**row, "prize": 2, "wins": None}).prize is None
    first = UnifiedOut.model_validate({**row, "prize": 2})
    assert (first.prize, first.eligible_placement) == (None, 2)


def test_prizes_that_the_winner_set_shares_are_those_of_the_teams_that_cannot_be_excluded(
    fomo26: Challenge,
) -> None:
    prizes = {"places": ["gold", "silver", "bronze"], "share_within": "winner_set"}
    ranking = Ranking.model_validate({**fomo26.ranking.model_dump(), "prizes": prizes})
    spec = fomo26.model_copy(update={"ranking": ranking})
    found = attempts([("usual", (value, value, value, None)) for value in (0.9, 0.8, 0.7)])
    teams = {attempt.team.name: str(attempt.team.id) for attempt in found}

    def shown(**more: object) -> dict[str, str | None]:
        tracks = tracks_out(spec, Found(found, []), decimals=3, cases={}, **more)  # type: ignore[arg-type]
        return {row.team: row.prize for track in tracks for row in track.unified}

    assert shown() == {"a": None, "b": None, "c": None}, "nothing says who cannot be excluded"
    reports = {
        name: {
            "task2": made.segmentation(
                "task2", np.linspace(low, high, made.CASES), np.linspace(low, high, made.CASES)
            )
        }
        for name, low, high in (("a", 0.5, 0.9), ("b", 0.9, 0.49), ("c", 0.1, 0.2))
    }
    sure = certain_places(ranking, spec.boards, [Compared(teams[name], own) for name, own in reports.items()])
    shared = "gold + silver, shared by 2 teams"
    assert shown(sure=Known({"open": sure})) == {"a": shared, "b": shared, "c": "bronze"}


METRICS = (("task1", "auroc"), ("task2", "dsc"), ("task2", "nsd"), ("task3", "mae"))
FIGURES = st.one_of(st.none(), st.integers(0, 8).map(lambda eighths: eighths / 8))
TEAMS = st.lists(
    st.tuples(
        st.sampled_from(["usual", "usual", "baseline", "ineligible", "disqualified"]),
        st.tuples(*[st.one_of(st.just("no board"), FIGURES) for _ in METRICS]),
    ),
    min_size=1,
    max_size=6,
)
RULES = st.fixed_dictionaries(
    {
        "ties": st.sampled_from(["min", "average", "dense"]),
        "rerank_boards": st.booleans(),
        "missing_board": st.sampled_from(["worst", "excluded"]),
    }
)


def attempts(teams: list[tuple[str, tuple[float | str | None, ...]]]) -> list[Attempt]:
    """What teams called a, b, … have on the open track, as the database would say it."""
    found = []
    for name, (kind, values) in zip("abcdef", teams, strict=False):
        team = Team(id=uuid4(), name=name, is_baseline=kind == "baseline", eligible=kind != "ineligible")
        team.disqualified = "It cheated." if kind == "disqualified" else None
        boards: dict[str, dict[str, Score]] = {}
        for (board, metric), value in zip(METRICS, values, strict=True):
            if not isinstance(value, str):
                boards.setdefault(board, {})[metric] = Score(value=value, low=None, high=None)
        for board, scores in boards.items():
            found.append(Attempt(Who(team), "open", board, AT, AT, scores))
    return found


def told_of(standing: Standing) -> dict[str, object]:
    """What a standing says, of the boards that have a rank."""
    return {
        "overall": (standing.placement, standing.eligible_placement, standing.prize, standing.overall),
        "first": (standing.first, set(standing.first_on)),
        "boards": {board: place for board, place in standing.task_ranks.items() if place is not None},
    }


@given(teams=TEAMS, changes=RULES)
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[*HealthCheck])
def test_the_platform_ranks_as_the_command_does_whatever_the_teams_have(
    fomo26: Challenge,
    tmp_path: Path,
    teams: list[tuple[str, tuple[float | str | None, ...]]],
    changes: dict[str, object],
) -> None:
    spec = fomo26.model_copy(update={"ranking": fomo26.ranking.model_copy(update=changes)})
    online = tracks_out(spec, Found(attempts(teams), []), decimals=3, cases={})
    file = tmp_path / "scores.csv"
    file.write_text(as_csv(LeaderboardOut.model_construct(tracks=online)), encoding="utf-8")
    scores = read_rows(file, spec.tracks, spec.boards)
    offline = rank(spec.ranking, spec.boards, scores).tracks.get("open", ())
    track = next(one for one in online if one.track == "open")
    kinds = dict(zip("abcdef", (kind for kind, _ in teams), strict=False))
    ranked = [row.team for row in track.unified if kinds[row.team] in ("usual", "ineligible")]
    assert ranked == [standing.team for standing in offline if not standing.baseline]
    rows = {row.team: row for row in track.unified}
    for standing in offline:
        row = rows[standing.team]
        entries = {
            board.board: entry for board in track.boards for entry in board.entries if entry.team == row.team
        }
        assert told_of(standing) == {
            "overall": (row.placement, row.eligible_placement, row.prize, row.overall),
            "first": (row.first, {board for board, entry in entries.items() if entry.first}),
            "boards": {board: place for board, place in row.board_ranks.items() if place is not None},
        }
        for board, entry in entries.items():
            assert {metric: value.rank for metric, value in entry.metrics.items()} == standing.metric_ranks[
                board
            ]
    for name, row in rows.items():
        if kinds[name] in ("baseline", "disqualified"):
            assert (row.placement, row.eligible_placement, row.prize, row.first) == (None, None, None, False)
