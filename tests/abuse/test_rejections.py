"""Images that fail again and again on hidden cases, each time telling something: a week has so many failures."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import func, update

from evaluator.spec import Challenge
from server.challenges.service import apply
from server.database import unit_of_work
from server.evaluations import ticks
from server.evaluations.models import Evaluation
from server.plans.diff import differences
from server.submissions.leakage import channels, moments
from tests.abuse.failures import aged, fail
from tests.server.conftest import FOMO26, Person
from tests.server.lab import Entrant, Lab
from tests.server.organizer import Admin
from worker.admin.leakage import cells


def once_rejected(lab: Lab, team: Entrant, **changes: str) -> str:
    evaluation = team.submit(**changes)
    fail(lab, [("exit_code", None)] * 3)
    return evaluation


def test_a_week_has_so_many_rejections_and_the_refusal_says_when_there_is_another(
    lab: Lab, team: Entrant
) -> None:
    sent = [once_rejected(lab, team, track=track) for track in ["open", "method"] * 5]
    answer = team.post("task5")
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_rejected")
    assert answer.headers["content-type"].startswith("application/problem+json")
    quota = team.quota()
    assert (quota["rejected_per_week"], quota["rejected"], quota["rejected_left"]) == (10, 10, 0)
    first = datetime.fromisoformat(team.evaluation(sent[0])["created_at"])
    assert datetime.fromisoformat(quota["rejected_next_at"]) == first + timedelta(days=7)
    assert (first + timedelta(days=7)).isoformat(timespec="seconds") in answer.json()["detail"]
    lab.dataset(phase="sanity", cases=3)
    assert team.post("task5", phase="sanity").status_code == 201, "public cases tell nothing"
    fail(lab, [("exit_code", None)] * 3)
    aged(lab, sent[0], timedelta(days=7).total_seconds())
    assert team.post("task5").status_code == 201
    assert team.post("task5").json()["code"] == "too_many_rejected", "what is under way may be rejected yet"


def test_many_at_once_on_the_last_rejection_are_one(lab: Lab, team: Entrant) -> None:
    for _ in range(9):
        once_rejected(lab, team)
    with ThreadPoolExecutor(12) as pool:
        codes = sorted(one.status_code for one in pool.map(lambda _: team.post("task5"), range(12)))
    assert codes == [201] + [429] * 11


def test_what_began_and_was_cancelled_counts_and_what_never_began_does_not(lab: Lab, team: Entrant) -> None:
    team.http.post(f"/evaluations/{team.submit()}/cancel")
    assert team.quota()["rejected"] == 0
    evaluation, worker = team.submit(), lab.worker()
    worker.take()
    assert team.quota()["rejected_left"] == 9, "it may be rejected yet"
    team.http.post(f"/evaluations/{evaluation}/cancel")
    assert (team.quota()["rejected"], team.quota()["rejected_left"]) == (1, 9)


def test_a_fault_of_the_platform_and_a_valid_run_do_not_count(lab: Lab, team: Entrant) -> None:
    evaluation = team.submit()
    lab.worker().drain()
    with unit_of_work(lab.sessions) as session:
        session.execute(
            update(Evaluation)
            .where(Evaluation.id == UUID(evaluation))
            .values(status="errored", finished_at=func.now())
        )
    assert (team.quota()["rejected"], team.quota()["rejected_left"]) == (0, 10)


def test_what_ran_on_cases_that_were_replaced_is_forgiven(lab: Lab, team: Entrant) -> None:
    once_rejected(lab, team)
    assert team.quota()["rejected"] == 1
    lab.dataset()
    assert team.quota()["rejected"] == 0


def test_an_admin_excuses_what_was_no_fault_of_the_team(
    lab: Lab, team: Entrant, admin: Person, command: Admin
) -> None:
    rejected, other = once_rejected(lab, team), once_rejected(lab, team)
    address = f"/admin/evaluations/{rejected}/excuse"
    assert team.http.post(address).status_code == 403
    assert admin.http.post(address, json={"why": "a damaged case"}).status_code == 204
    assert team.quota()["rejected"] == 1
    assert command("excuse", other, "--why", "the same").exit_code == 0
    assert team.quota()["rejected"] == 0
    refused = admin.http.post(f"/admin/evaluations/{team.submit()}/excuse")
    assert (refused.status_code, refused.json()["code"]) == (409, "not_failed")


@pytest.mark.parametrize("wanted", [2, None])
def test_the_challenge_file_says_how_many(
    lab: Lab, team: Entrant, fomo26: Challenge, wanted: int | None
) -> None:
    phase = fomo26.phases["validation"]
    attempts = phase.attempts.model_copy(update={"rejected_per_week": wanted})
    phases = fomo26.phases | {"validation": phase.model_copy(update={"attempts": attempts})}
    with unit_of_work(lab.sessions) as session:
        apply(session, fomo26.model_copy(update={"challenge": lab.slug, "phases": phases}), actor="tests")
    for _ in range(3 if wanted is None else wanted):
        once_rejected(lab, team)
    assert team.quota()["rejected_left"] == (None if wanted is None else 0)
    assert team.post("task5").status_code == (201 if wanted is None else 429)


def documented(spec: Challenge) -> str:
    """The table of docs/security.md."""
    lines = ["| evaluation | what tells | bits each | evaluations | bits |", "|---|---|---|---|---|"]
    rows = list(channels(spec, "validation", "task5", weeks=26, cases=100))
    lines += [f"| {' | '.join(cells(one))} |" for one in rows]
    total = sum(one.season or 0 for one in rows)
    return "\n".join([*lines, f"| all | a team on this task | | | {total:,.0f} |"])


def test_the_documentation_reckons_what_a_season_can_tell(fomo26: Challenge) -> None:
    page = (Path(__file__).parents[2] / "docs/security.md").read_text()
    between = page.split("<!-- leakage:")[1].split("-->", 1)[1].split("<!-- end of leakage -->")[0]
    assert between.strip() == documented(fomo26)


def test_the_reckoning_counts_every_moment_of_the_grid() -> None:
    began = datetime(2026, 11, 3, tzinfo=UTC)
    seconds = 7200
    shown = {ticks.shown_at(began, began + timedelta(seconds=one)) for one in range(1, seconds + 1)}
    assert len(shown) == moments(seconds)


def test_the_command_says_what_a_file_allows(command: Admin) -> None:
    done = command("leakage", FOMO26, "--weeks", "4", "--cases", "10")
    assert done.exit_code == 0
    assert "validation, task5, 4 weeks, 10 cases" in done.output
    assert command("leakage", "/no/such/file.yaml").exit_code != 0


def test_public_phases_bound_no_failures_unless_they_say_so(fomo26: Challenge) -> None:
    content = fomo26.model_dump(mode="json")
    for phase in content["phases"].values():
        del phase["attempts"]["rejected_per_week"]  # as versions have it that were stored before
    stored = Challenge.model_validate(content)
    found = {name: phase.attempts.rejected_per_week for name, phase in stored.phases.items()}
    assert found == {"sanity": None, "validation": 10, "test": 10}
    assert Challenge.model_validate(stored.model_dump(mode="json")) == stored
    del content["phases"]["sanity"]["attempts"]
    assert Challenge.model_validate(content).phases["sanity"].attempts.rejected_per_week is None
    content["phases"]["sanity"]["attempts"] = {"rejected_per_week": 5}
    content["phases"]["validation"]["attempts"]["rejected_per_week"] = 3
    changed = Challenge.model_validate(content)
    shown = differences(stored, changed, at=datetime.now(UTC))
    assert {(one.field, one.old, one.new) for one in shown} >= {
        ("phases.validation.attempts.rejected_per_week", "10", "3"),
        ("phases.sanity.attempts.rejected_per_week", None, "5"),
    }
