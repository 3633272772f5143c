"""Hidden things stay hidden: what a participant can reach names no case, no label, no group and no log."""

import re
from typing import Any

import pytest

from tests.e2e.datasets import CANARY
from tests.e2e.habits import Bench
from tests.e2e.installation import Installation
from tests.e2e.people import Json, Person


@pytest.fixture(scope="session")
def hidden(bench: Bench) -> Json:
    """An evaluation on hidden cases that printed a canary into its log."""
    bench.sent["hidden"] = bench.person.submitted({"task5": bench.honest})
    return bench.ended("hidden")


def addresses(person: Person, ids: dict[str, str]) -> list[str]:
    """Every GET route of the API, with these ids where it takes any."""
    paths: dict[str, Any] = person.get("/openapi.json")["paths"]
    filled = [
        re.sub(r"{(\w+)}", lambda name: ids.get(name[1], "validation"), path)
        for path, methods in paths.items()
        if "get" in methods
    ]
    return [path.removeprefix("/api/v1") for path in filled if path.startswith("/api/v1")]


def test_no_route_shows_a_participant_a_hidden_case(hidden: Json, bench: Bench) -> None:
    person, submission = bench.person, bench.sent["hidden"]
    ids = {
        "slug": "habits",
        "phase": "validation",
        "evaluation_id": hidden["id"],
        "submission_id": submission["id"],
        "team_id": person.team,
        "case_run": hidden["id"],
        "upload_id": hidden["id"],
        "digest": bench.honest,
        "key": "t1w",
    }
    reached = addresses(person, ids)
    assert len(reached) > 15
    shown = 0
    for path in [*reached, f"/evaluations/{hidden['id']}/cases"]:
        answer = person.http.get(path)
        assert answer.status_code < 500, path
        assert CANARY not in answer.text.lower(), path
        shown += answer.status_code == 200
    assert shown > 8


def test_single_cases_of_a_hidden_phase_are_refused(hidden: Json, bench: Bench) -> None:
    answer = bench.person.http.get(f"/evaluations/{hidden['id']}/cases")
    assert (answer.status_code, answer.json()["code"]) == (403, "hidden_cases")
    admin_view = bench.person.http.get(f"/admin/evaluations/{hidden['id']}/cases")
    assert admin_view.status_code == 403


def test_an_admin_reads_the_logs_under_pseudonyms(hidden: Json, admin: Person) -> None:
    cases = admin.get(f"/admin/evaluations/{hidden['id']}/cases")
    assert len(cases) == 4
    for case in cases:
        assert case["case"].startswith("case_")
        assert "canarylog: read --t1" in case["log"]


def test_in_a_public_phase_the_team_sees_cases_and_logs(bench: Bench) -> None:
    bench.sent["public"] = bench.person.submitted({"task5": bench.honest}, phase="sanity")
    ended = bench.ended("public")
    assert ended["status"] == "scored", ended
    cases = bench.person.get(f"/evaluations/{ended['id']}/cases")
    assert [case["case"] for case in cases] == [f"sub-{CANARY}task5n0{number}" for number in order(cases)]
    assert all(case["log"] == "canarylog: read --t1\n" for case in cases)


def order(cases: list[Json]) -> list[int]:
    """The numbers of the cases, each once."""
    numbers = [int(case["case"][-2:]) for case in cases]
    assert sorted(numbers) == [0, 1, 2, 3]
    return numbers


def test_no_process_of_the_platform_logs_a_case_name_or_a_containers_words(
    hidden: Json, running: Installation
) -> None:
    logged = running.logs().lower()
    assert "case_done" in logged
    assert CANARY not in logged


def test_only_the_references_tree_knows_labels_and_groups(hidden: Json, running: Installation) -> None:
    for path in (running.data / "inputs").rglob("*"):
        if path.is_file():
            assert b"canarypatient" not in path.read_bytes()
            assert path.name.endswith(".nii.gz")
            assert path.name != "seg.nii.gz"
    assert list((running.data / "references").rglob("references.csv"))
