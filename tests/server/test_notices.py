"""Who is told what: by the acts of organizers, and by the clock; once, and nothing that they may not know."""

import json
import mailbox
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
from sqlalchemy import delete, func, select, update

from contract.notices import MATRIX, NoticeKind
from contract.statuses import EvaluationStatus
from server.accounts.models import Account
from server.challenges.service import apply, get_challenge
from server.database import unit_of_work
from server.evaluations.models import Evaluation
from server.evaluations.ticks import AT_ONCE
from server.lookout import ends, faults, phases
from server.notices.models import Notice
from server.notices.service import mailed_to
from server.outgoing.dispatch import endpoints_of
from server.submissions.models import Submission
from server.teams.models import Membership, Team
from server.webhooks.models import Endpoint
from tests.server.conftest import PASSWORD, Clients, Person
from tests.server.deciding import Desk
from tests.server.lab import Entrant, Json, Lab
from tests.server.organizer import Admin, words
from tests.server.test_retry import end, put_back
from tests.server.test_scoring_faults import in_scoring

DOCS = Path(__file__).parents[2] / "docs/notices.md"
BEGINS, ENDS = "| kind | it tells that | whom | by mail |\n|---|---|---|---|\n", "\n<!-- end of matrix -->"


def read(http: httpx.Client, **asked: Any) -> list[Json]:
    answer = http.get("/notices", params=asked)
    assert answer.status_code == 200, answer.text
    return list(answer.json())


def kinds(http: httpx.Client) -> list[str]:
    return [notice["kind"] for notice in reversed(read(http))]


def test_the_page_has_every_kind_with_whom_it_is_for() -> None:
    rows = "".join(
        f"| `{kind}` | {row.tells} | {row.whom} | {'yes' if row.mail else 'no'} |\n"
        for kind, row in MATRIX.items()
    )
    assert set(MATRIX) == set(NoticeKind)
    assert DOCS.read_text().partition(BEGINS)[2].partition(ENDS)[0] == rows


def test_what_organizers_do_is_told_to_those_whom_it_concerns_and_to_nobody_else(
    lab: Lab, entrant: Callable[[str], Entrant], person: Callable[..., Person], admin: Person
) -> None:
    ours, theirs, organizer = entrant("Ours"), entrant("Theirs"), person("Organizer")
    role = {"email": organizer.email, "role": "organizer", "yes": True}
    assert admin.http.put(f"/organize/{lab.slug}/organizers", json=role).status_code == 200
    desk, where = Desk(organizer.http, lab.slug), f"/organize/{lab.slug}"

    question = ours.http.post(f"/challenges/{lab.slug}/questions", json={"text": "Is T1 needed?"}).json()[
        "id"
    ]
    assert kinds(organizer.http) == ["question.asked"]
    path = f"{where}/questions/{question}/answer"
    assert desk.http.post(path, json={"answer": "It is."}).status_code == 200
    everybody = {"answer": "It is.", "everybody": True, "question": "T1?", "instead": True}
    assert desk.http.post(path, json=everybody).status_code == 200
    assert desk.http.post(f"{where}/announcements", json={"text": "A talk."}).status_code == 201
    assert desk.decide(ours, "disqualify").status_code == 200
    later = (datetime.now(UTC) + timedelta(days=400)).isoformat()
    grant = {"phase": "validation", "task": "task5", "track": "open", "valid": 2}
    assert desk.post(f"teams/{ours.team}/grants", **grant).status_code == 201
    assert desk.post("phases/validation/dates", closes=later).status_code == 200

    answered = ["question.answered", "question.answered", "announcement", "announcement"]
    assert kinds(ours.http) == [*answered, "team.decided", "team.decided", "phase.moved"]
    assert kinds(theirs.http) == ["announcement", "announcement", "phase.moved"]
    assert kinds(organizer.http) == ["question.asked", "announcement", "announcement", "phase.moved"]
    told = read(ours.http, limit=7)
    assert "Is T1 needed?" in told[-1]["text"]
    assert not any("Is T1 needed?" in notice["text"] for notice in read(theirs.http))
    assert "The labels of last year." in told[2]["text"], "with the reason"
    assert told[1]["about"]["team"] == ours.team
    assert {notice["challenge"] for notice in told} == {lab.slug}
    assert "which had no date" in told[0]["title"]


def test_notices_are_read_page_by_page_and_marked_and_mail_is_a_setting(
    lab: Lab, team: Entrant, admin: Person, clients: Clients, stranger: Person
) -> None:
    for number in range(5):
        body = {"text": f"Number {number}."}
        assert admin.http.post(f"/organize/{lab.slug}/announcements", json=body).status_code == 201
    first = read(team.http, limit=2)
    second = read(team.http, limit=2, before=first[-1]["id"])
    assert [one["text"] for one in first + second] == [f"Number {number}." for number in (4, 3, 2, 1)]
    assert team.http.get("/notices/unread").json() == {"unread": 5}
    assert team.http.post("/notices/read", json={"ids": [first[0]["id"]]}).json() == {"unread": 4}
    assert team.http.post("/notices/read", json={"until": second[0]["id"]}).json() == {"unread": 1}
    assert [one["text"] for one in read(team.http, unread=True)] == ["Number 3."]
    assert team.http.post("/notices/read", json={}).json() == {"unread": 1}, "none is named, none is marked"
    assert stranger.http.get("/notices/unread").json() == {"unread": 5}, "each by themselves"
    settings = team.http.get("/notices/settings").json()
    assert settings["mail_is_set_up"] is False
    assert {row["kind"]: row["mail"] for row in settings["kinds"]} == {
        kind: row.mail for kind, row in MATRIX.items()
    }
    changed = team.http.put("/notices/settings/announcement", json={"mail": False}).json()["kinds"]
    (row,) = (row for row in changed if row["kind"] == "announcement")
    assert (row["mail"], row["usual"]) == (False, False)
    assert team.http.put("/notices/settings/nothing", json={"mail": False}).status_code == 422


def test_a_hidden_end_is_told_when_status_shows_it_and_not_before(lab: Lab, team: Entrant) -> None:
    evaluation = UUID(in_scoring(lab, team))
    with unit_of_work(lab.sessions) as session:
        row = session.get_one(Evaluation, evaluation)
        row.move_to(session, EvaluationStatus.SCORED, actor="tests")
        submission = session.get_one(Submission, row.submission_id)
        submission_id = submission.id

    def told_by_a_platform_that_holds_ends() -> bool:
        with unit_of_work(lab.sessions) as session:
            session.info[AT_ONCE] = False
            try:
                ends.tell_ended(session)
            finally:
                session.info[AT_ONCE] = True
            return session.get_one(Submission, submission_id).told_at is not None

    lab.dataset("task5", phase="sanity")
    in_public = UUID(team.submit(phase="sanity"))
    with unit_of_work(lab.sessions) as session:
        for status in (EvaluationStatus.RUNNING, EvaluationStatus.SCORING, EvaluationStatus.SCORED):
            session.get_one(Evaluation, in_public).move_to(session, status, actor="tests")
    soon = func.clock_timestamp() + timedelta(seconds=30)
    with unit_of_work(lab.sessions) as session:
        # Some moments lie on the grid themselves; one that is to come is certainly not shown.
        session.execute(update(Evaluation).where(Evaluation.id == evaluation).values(finished_at=soon))
    assert not told_by_a_platform_that_holds_ends()
    assert [notice["about"]["phase"] for notice in read(team.http)] == ["sanity"], "of public cases at once"
    earlier = func.clock_timestamp() - timedelta(minutes=10)
    with unit_of_work(lab.sessions) as session:
        times = {"finished_at": earlier, "created_at": earlier - timedelta(minutes=1)}
        session.execute(update(Evaluation).where(Evaluation.id == evaluation).values(times))
    assert told_by_a_platform_that_holds_ends()
    (notice, _) = read(team.http)
    assert notice["about"]["submission"] == str(submission_id)


def test_what_is_retried_is_told_again_and_what_is_cancelled_is_known(
    lab: Lab, team: Entrant, admin: Person
) -> None:
    def look() -> None:
        for look in (ends.tell_ended, faults.tell_errored):
            with unit_of_work(lab.sessions) as session:
                look(session)

    evaluation = in_scoring(lab, team)
    end(lab, evaluation)
    look()
    look()
    (first,) = read(team.http)
    assert "a fault of the platform, which costs no attempt" in first["text"]
    assert "It hung." not in first["text"]
    assert (first["title"], "`" in first["text"]) == (
        "Your submission to Validation, open track, has ended",
        False,
    )
    of_admins = [notice for notice in read(admin.http) if notice["challenge"] == lab.slug]
    assert [notice["kind"] for notice in of_admins] == ["evaluation.errored"]
    assert put_back(admin, evaluation) == 204
    look()
    assert len(read(team.http)) == 1, "it goes on"
    with unit_of_work(lab.sessions) as session:
        session.get_one(Evaluation, UUID(evaluation)).move_to(session, EvaluationStatus.SCORED, actor="tests")
    look()
    assert "Polymicrogyria classification: scored" in read(team.http, limit=1)[0]["text"]
    assert team.http.post(f"/evaluations/{team.submit()}/cancel").status_code == 200
    look()
    assert len(read(team.http)) == 2


def test_a_phase_opens_and_closes_once_however_many_clocks_look(lab: Lab, team: Entrant) -> None:
    with unit_of_work(lab.sessions) as session:
        spec = get_challenge(session, lab.slug).spec
        at = datetime.now(UTC).replace(microsecond=0)
        dates = {
            "validation": {"opens": at - timedelta(hours=2), "closes": at - timedelta(hours=1)},
            "test": {"opens": at - timedelta(days=3), "closes": at + timedelta(days=3)},
        }
        changed = {name: spec.phases[name].model_copy(update=dates[name]) for name in dates}
        apply(session, spec.model_copy(update={"phases": {**spec.phases, **changed}}), actor="tests")

    def look(_: int) -> None:
        with unit_of_work(lab.sessions) as session:
            phases.tell_phases(session)

    with ThreadPoolExecutor(4) as clocks:
        list(clocks.map(look, range(8)))
    told = [(notice["kind"], notice["about"]["phase"]) for notice in reversed(read(team.http))]
    assert told == [("phase.opened", "validation"), ("phase.closed", "validation")]


def test_admins_and_organizers_are_told_what_they_have_to_mend(
    lab: Lab, team: Entrant, admin: Person
) -> None:
    worker = lab.worker("slot")
    for unfit in ("loop devices are gone", "loop devices are gone", None, "again"):
        answer = worker.http.put(f"/worker/slots/{worker.name}", json={"unfit": unfit})
        assert answer.status_code == 204, answer.text
    of_slot = [notice for notice in read(admin.http) if notice["about"].get("slot") == worker.name]
    assert [notice["text"] for notice in of_slot] == ["It found itself unfit: loop devices are gone"], (
        "once an hour"
    )

    with unit_of_work(lab.sessions) as session:
        session.get_one(Team, UUID(team.team)).waits = True
    full = lab.settings.model_copy(update={"disk_reserve": 2**62})
    for _ in range(2):
        with unit_of_work(lab.sessions) as session:
            faults.tell_waiting(session)
            faults.tell_disk(session, full)
    told = read(admin.http)
    assert [notice["about"] for notice in told if notice["kind"] == "team.waits"][:1] == [{"team": team.team}]
    assert [notice["kind"] for notice in told].count("disk.low") == 1


def test_teams_that_merge_have_one_history_and_the_webhooks_of_one_captain(
    lab: Lab, entrant: Callable[[str], Entrant], admin: Person
) -> None:
    ours, theirs = entrant("Ours"), entrant("Theirs")
    made = {
        team.team: team.http.post(
            f"/teams/{team.team}/webhooks", json={"url": f"https://{uuid4().hex}.example"}
        )
        for team in (ours, theirs)
    }
    assert {answer.status_code for answer in made.values()} == {201}
    desk = Desk(admin.http, lab.slug)
    grant = {"phase": "validation", "task": "task5", "track": "open", "valid": 1}
    assert desk.post(f"teams/{ours.team}/grants", **grant).status_code == 201
    assert desk.decide(ours, "merge", into=theirs.team).status_code == 200
    with unit_of_work(lab.sessions) as session:
        left = session.scalars(select(Endpoint.id).where(Endpoint.team_id.is_not(None))).all()
        assert UUID(made[ours.team].json()["id"]) not in left
        assert UUID(made[theirs.team].json()["id"]) in left
        assert session.scalars(select(Notice.id).where(Notice.team_id == UUID(ours.team))).all() == []
    assert kinds(ours.http) == ["team.decided", "team.decided"]
    assert kinds(theirs.http) == ["team.decided"]


def test_organizers_and_admins_have_webhooks_by_command_and_addresses_for_a_mail_program_of_their_own(
    lab: Lab, team: Entrant, command: Admin, tmp_path: Path
) -> None:
    url, where = f"https://{uuid4().hex}.example/", ("--challenge", lab.slug)
    made = command("webhooks", "add", url, "--kind", "question.asked", *where, "--json")
    assert "whsec_" in made.stderr
    (row,) = json.loads(made.stdout)
    assert (row["url"], row["kinds"]) == (url, ["question.asked"])
    tried = words(command("webhooks", "test", row["id"], *where))
    assert "queued" in tried
    assert url not in words(command("webhooks")), "of the admins"
    assert "There is no webhook" in words(command("webhooks", "remove", row["id"], *where))

    address = team.http.get("/me").json()["email"]
    assert command("mailing", lab.slug).output.split() == [address]
    text, box = tmp_path / "mail.txt", tmp_path / "out.mbox"
    text.write_text("A talk\n\nTomorrow.\nFrom noon on.\n")
    assert "for each of 1" in command("mailing", lab.slug, "--text", text, "--mbox", box).output
    with closing(mailbox.mbox(box)) as opened:
        (mail,) = opened
        assert (mail["To"], mail["Subject"]) == (address, "A talk")
        assert "From noon on." in str(mail.get_payload())


def test_whoever_has_gone_is_told_nothing_any_more_and_neither_is_what_they_registered(
    lab: Lab, team: Entrant, person: Callable[..., Person], admin: Person
) -> None:
    left, closed = person("Left"), person("Closed")
    for somebody in (left, closed):
        code = team.http.post(f"/teams/{team.team}/invitations").json()["code"]
        assert somebody.http.post(f"/invitations/{code}/accept").status_code == 200
    with unit_of_work(lab.sessions) as session:  # mail goes to verified addresses only
        session.execute(update(Account).where(Account.verified_at.is_(None)).values(verified_at=func.now()))
    url = f"https://{uuid4().hex}.example/"
    assert team.http.post(f"/teams/{team.team}/webhooks", json={"url": url}).status_code == 201
    desk, announcement = Desk(admin.http, lab.slug), {"text": "All."}

    def announced_to() -> tuple[list[str], list[str]]:
        assert desk.http.post(f"/organize/{lab.slug}/announcements", json=announcement).status_code == 201
        with unit_of_work(lab.sessions) as session:
            notice = session.scalars(select(Notice).order_by(Notice.id.desc()).limit(1)).one()
            mailed = [address for _, address in mailed_to(session, notice)]
            return mailed, [endpoint.url for endpoint in endpoints_of(session, notice)]

    captain = team.http.get("/me").json()["email"]
    mailed, hooked = announced_to()
    assert {captain, left.email, closed.email} <= set(mailed)
    assert hooked == [url]
    assert team.http.put("/notices/settings/announcement", json={"mail": False}).status_code == 200
    assert left.http.delete(f"/teams/{team.team}/members/me").status_code == 204
    assert closed.http.post("/me/close", json={"password": PASSWORD}).status_code == 204
    mailed, hooked = announced_to()
    assert not {captain, left.email, closed.email} & set(mailed)
    assert hooked == [url]
    with unit_of_work(lab.sessions) as session:
        session.execute(delete(Membership).where(Membership.team_id == UUID(team.team)))
    assert announced_to()[1] == [], "whoever registered it is not of the team any more"
