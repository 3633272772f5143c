"""Whoever looks at a hidden case or log is in the event log, and so is who acts at the machine itself."""

from collections.abc import Callable
from uuid import UUID

from sqlalchemy import select, text

from contract.events import VIEWED
from contract.ids import UserId
from contract.organizers import Role
from server.accounts.principals import OPERATOR
from server.accounts.service import set_admin
from server.audit.looks import Look
from server.clock import now
from server.database import SessionFactory, unit_of_work
from server.datasets.models import Dataset
from server.evaluations.result_models import Receipt
from server.events import Event
from tests.server.browsing import browsing, require_sound
from tests.server.conftest import Person
from tests.server.lab import Entrant, Lab
from tests.server.organizer import Admin
from tests.server.test_leaderboard import scored
from tests.server.test_roles import give

People = Callable[..., Person]


def looks(sessions: SessionFactory, subject: object) -> list[tuple[str, str | None]]:
    """Who looked at what of a thing, in order."""
    with unit_of_work(sessions) as session:
        found = session.scalars(
            select(Event)
            .where(Event.subject_id == UUID(str(subject)), Event.what == VIEWED)
            .order_by(Event.created_at)
        )
        return [(event.actor, event.code) for event in found]


def test_every_look_at_hidden_cases_and_logs_is_recorded_once_an_hour_and_else_nothing_is_seen(
    lab: Lab, team: Entrant, person: People, admin: Person, command: Admin
) -> None:
    evaluation = scored(lab, team, 0.9)
    with unit_of_work(lab.sessions) as session:
        session.add(Receipt(evaluation_id=UUID(evaluation), statement={}, signature=""))
    watcher = person("Watcher")
    give(lab.sessions, lab.slug, watcher, Role.OBSERVER)
    who, case = f"user:{watcher.id}", lab.runs(evaluation)[0].id
    own = f"/admin/evaluations/{evaluation}"
    expected = {
        own: (who, Look.CASES),
        f"{own}/cases/{case}": (who, Look.LOG),
        f"{own}/receipt": (who, Look.RECEIPT),
    }
    for path in (*expected, f"{own}/summary", f"{own}/cases", *expected):
        assert watcher.http.get(path).status_code == 200, path
    assert looks(lab.sessions, evaluation) == list(expected.values())
    assert admin.http.get(f"{own}/cases").status_code == 200
    assert command("show", evaluation).exit_code == 0
    command("show", evaluation, "--log", lab.runs(evaluation)[0].pseudonym)
    since = looks(lab.sessions, evaluation)[len(expected) :]
    assert since[0] == (f"user:{admin.id}", "cases")
    assert {("proctor-admin", "names"), ("proctor-admin", "log")} <= set(since[1:])
    before = len(looks(lab.sessions, evaluation))
    assert team.http.get(f"/evaluations/{evaluation}").status_code == 200
    assert len(looks(lab.sessions, evaluation)) == before, "a team sees nothing hidden"
    shown = command("events", evaluation, "--what", "viewed", "--csv")
    assert shown.stdout.splitlines()[0].startswith("id,created_at,subject,subject_id,")
    assert len(shown.stdout.splitlines()) == before + 1

    with unit_of_work(lab.sessions) as session:
        dataset = session.scalars(select(Dataset.id).where(Dataset.folder.startswith(f"{lab.slug}/"))).one()
        challenge = session.get_one(Dataset, dataset).challenge_id
    watcher.http.get(f"/admin/datasets/{dataset}/effect")
    watcher.http.get(f"/organize/{lab.slug}/check", params={"labels": False})
    assert looks(lab.sessions, dataset) == [(who, "names")]
    assert looks(lab.sessions, challenge) == [(who, "labels")]

    with_full_disk = person("Late")
    give(lab.sessions, lab.slug, with_full_disk, Role.OBSERVER)
    with unit_of_work(lab.sessions) as session:
        refuse = f"CHECK (actor <> 'user:{with_full_disk.id}') NOT VALID"
        session.execute(text(f"ALTER TABLE events ADD CONSTRAINT no_room {refuse}"))
    answer = with_full_disk.http.get(f"{own}/cases/{case}")
    with unit_of_work(lab.sessions) as session:
        session.execute(text("ALTER TABLE events DROP CONSTRAINT no_room"))
    assert (answer.status_code, "log" in answer.json()) == (500, False), "what cannot be recorded is not seen"


def test_what_is_done_at_the_machine_is_in_the_log_under_its_operator(
    lab: Lab, team: Entrant, person: People, command: Admin
) -> None:
    ada, name = person("Ada"), f"host-{lab.slug}"
    evaluation = team.submit()
    with unit_of_work(lab.sessions) as session:
        began = now(session)
    for words, what in (
        (("worker-token", name), "token issued"),
        (("revoke-worker", name, "--yes"), "revoked"),
        (("reset-password", ada.email, "--yes"), "password reset begun"),
        (("close-account", ada.email, "--yes"), "account closed"),
        (("reopen-account", ada.email), "account opened again"),
        (("create-admin", ada.email, "--yes"), "made admin"),
        (("priority", "3", evaluation, "--yes"), "priority 0 → 3"),
    ):
        done = command(*words)
        assert done.exit_code == 0, done.output
        with unit_of_work(lab.sessions) as session:
            written = session.scalars(
                select(Event.what).where(Event.created_at > began, Event.actor == OPERATOR)
            )
            assert what in written.all(), words
    with unit_of_work(lab.sessions) as session:
        set_admin(session, UserId(UUID(ada.id)), is_admin=False, actor="tests")


def test_a_link_of_another_site_shows_nothing_hidden_and_writes_no_look(
    lab: Lab, team: Entrant, person: People
) -> None:
    evaluation = scored(lab, team, 0.9)
    run = lab.runs(evaluation)[0]
    watcher = person("Watcher")
    give(lab.sessions, lab.slug, watcher, Role.OBSERVER)
    page = f"/organize/{lab.slug}/submissions/{evaluation}"
    api = f"/api/v1/admin/evaluations/{evaluation}"
    address = str(watcher.http.base_url).removesuffix("/").removesuffix("/api/v1")
    with browsing(address, watcher.email) as browser:
        for site in ("cross-site", "same-site"):
            asked = browser.get(f"{page}?a=1", headers={"Sec-Fetch-Site": site})
            shown = require_sound(asked, status=403)
            assert f'href="{page}?a=1"' in shown
            assert "written into the log" in shown
            assert run.pseudonym not in shown
            refused = browser.get(api, headers={"Sec-Fetch-Site": site})
            assert (refused.status_code, refused.json()["code"]) == (403, "link_from_elsewhere")
        bundle = f"/api/v1/organize/{lab.slug}/phases/validation/bundle"
        assert browser.get(bundle, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
        assert looks(lab.sessions, evaluation) == []
        assert browser.get(f"/organize/{lab.slug}", headers={"Sec-Fetch-Site": "cross-site"}).is_success
        for headers in ({"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {}):
            assert run.pseudonym in require_sound(browser.get(page, headers=headers))
    assert looks(lab.sessions, evaluation) == [(f"user:{watcher.id}", Look.CASES)]
