"""`proctor-admin errors` and `retry`, and where else admins meet what the platform failed at."""

import json
from pathlib import Path

import pytest

from server.database import unit_of_work
from server.evaluations.errors import headline
from tests.server.lab import Entrant, FakeWorker, Lab
from tests.server.test_admin_commands import Admin, admin  # noqa: F401 - a fixture
from tests.server.test_retry import end, half  # noqa: F401 - a fixture
from worker.admin.doctor import recorded
from worker.admin.findings import FindingState

Half = tuple[str, FakeWorker]


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")


def test_errors_are_listed_with_their_reason(admin: Admin, lab: Lab, team: Entrant, half: Half) -> None:  # noqa: F811
    said = admin("errors", "--challenge", lab.slug)
    assert said.exit_code == 0
    for part in (half[0], "The Team", "2 of 5", "engine_unavailable", "It hung.", half[1].name):
        assert part in said.output, part
    found = json.loads(admin("errors", "--challenge", lab.slug, "--since", "1d", "--json").output)
    assert [one["id"] for one in found["errored"]] == [half[0]]
    assert found["parked"] == []


def test_what_a_program_wrote_reaches_no_terminal_raw(admin: Admin, lab: Lab, team: Entrant) -> None:  # noqa: F811
    team.submit()
    worker = lab.worker()
    assert worker.release(worker.take(), "gpu_fault", "\x1b[2J[red]\x07gone[/]") == 204
    output = admin("errors", "--challenge", lab.slug).output
    assert "[red]\ufffdgone[/]" in output
    assert "\x1b" not in output
    assert "\x07" not in output


def test_where_nothing_failed_it_says_so(admin: Admin, lab: Lab) -> None:  # noqa: F811
    said = admin("errors", "--challenge", lab.slug)
    assert said.output == "No evaluation ended by the platform's fault, and none waits for a fault to pass.\n"


@pytest.mark.parametrize("since", ["yesterday", "1", "d", "-1d", "1.5h", ""])
def test_a_time_that_is_none_is_refused(admin: Admin, lab: Lab, since: str) -> None:  # noqa: F811
    said = admin("errors", f"--since={since}")
    assert said.exit_code == 1
    assert "30m, 12h, 1d or 2w" in said.output


def test_a_time_longer_than_any_is_all_time(admin: Admin, lab: Lab, half: Half) -> None:  # noqa: F811
    assert half[0] in admin("errors", "--since", "99999w", "--challenge", lab.slug).output


def test_an_errored_evaluation_is_retried_by_the_beginning_of_its_id(
    admin: Admin,  # noqa: F811
    lab: Lab,
    team: Entrant,
    half: Half,  # noqa: F811
) -> None:
    said = admin("retry", half[0][:-2], "--why", "the engine is mended")
    assert (said.exit_code, said.output) == (0, f"{half[0]}: 3 cases run again\n")
    assert team.evaluation(half[0])["status"] == "running"
    again = admin("retry", half[0])
    assert again.exit_code == 1
    assert "running, not errored" in again.output


def test_an_evaluation_is_meant_by_the_beginning_of_its_id(
    admin: Admin,  # noqa: F811
    lab: Lab,
    team: Entrant,
    half: Half,  # noqa: F811
) -> None:
    waiting, errored = team.submit(), half[0]
    for prefix in ("zz", "", "%", "01", waiting):
        refused = admin("retry", prefix)
        assert refused.exit_code == 1, prefix
        assert "proctor-admin errors" in refused.output, prefix
    assert "queued, not errored" in admin("retry", waiting).output
    end(lab, waiting)
    common = next(waiting[:n] for n in range(36, 0, -1) if errored.startswith(waiting[:n]))
    assert "Give more of it" in admin("retry", common).output
    assert team.evaluation(errored)["status"] == "errored"
    assert admin("retry", errored, errored[:-1].upper()).output == f"{errored}: 3 cases run again\n"


def test_all_errored_ones_are_retried_only_with_yes(
    admin: Admin,  # noqa: F811
    lab: Lab,
    team: Entrant,
    half: Half,  # noqa: F811
) -> None:
    other = team.submit()
    end(lab, other)
    refused = admin("retry", "--all-errored", "--challenge", lab.slug)
    assert refused.exit_code == 1
    assert "2 evaluations are run again" in refused.output
    assert team.evaluation(other)["status"] == "errored"
    assert admin("retry", "--all-errored", "--challenge", lab.slug, "--yes").exit_code == 0
    assert {team.evaluation(one)["status"] for one in (other, half[0])} == {"queued", "running"}
    nothing = admin("retry", "--all-errored", "--challenge", lab.slug, "--yes")
    assert nothing.exit_code == 1
    assert "No evaluation that is meant is errored" in nothing.output


@pytest.mark.parametrize("words", [(), ("01a2", "--all-errored"), ("01a2", "--since", "1d")])
def test_a_retry_says_what_it_wants(admin: Admin, lab: Lab, words: tuple[str, ...]) -> None:  # noqa: F811
    said = admin("retry", *words)
    assert said.exit_code == 1
    assert "--all-errored" in said.output


def test_one_that_cannot_be_retried_keeps_all_from_being_retried(
    admin: Admin,  # noqa: F811
    lab: Lab,
    team: Entrant,
    half: Half,  # noqa: F811
) -> None:
    assert admin("retry", half[0], "ffffffff", "--yes").exit_code == 1
    assert team.evaluation(half[0])["status"] == "errored"


def test_queue_forecast_and_doctor_say_what_is_parked_and_errored(
    admin: Admin,  # noqa: F811
    lab: Lab,
    team: Entrant,
    half: Half,  # noqa: F811
    tmp_path: Path,
) -> None:
    team.submit()
    assert half[1].release(half[1].take(), "gpu_fault", "Xid 79") == 204
    with unit_of_work(lab.sessions) as session:
        said = headline(session)
    assert said is not None
    assert "parked: 1 case of 1 evaluation, since " in said
    assert "because of gpu_fault; see 'proctor-admin errors'" in said
    assert "errored in the last day: " in admin("queue").output
    assert "because of gpu_fault" in admin("queue").output
    assert (
        "After a fault of the platform parked: 1 case"
        in json.loads(admin("forecast", "--json").output)["note"]
    )
    finding, *_ = recorded(tmp_path)
    assert (finding.state, finding.found) == (FindingState.WARN, said)


def test_a_doctor_without_an_installation_says_nothing_of_evaluations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    assert list(recorded(tmp_path)) == []
    monkeypatch.setenv("DATABASE_URL", "postgresql+psycopg://nobody@127.0.0.1:1/none")
    assert list(recorded(tmp_path)) == []


def test_what_the_platform_met_is_shown_to_admins_beside_what_the_team_reads(
    admin: Admin,  # noqa: F811
    lab: Lab,
    team: Entrant,
    half: Half,  # noqa: F811
) -> None:
    trouble = json.loads(admin("errors", "--challenge", lab.slug, "--json").output)["errored"][0]["reason"]
    lines = admin("show", half[0]).output.splitlines()
    assert any(line.startswith("for admins") and "It hung." in line for line in lines), lines
    assert any(line.startswith("the team reads") and "It hung." not in line for line in lines), lines
    assert trouble not in team.http.get(f"/evaluations/{half[0]}").text
