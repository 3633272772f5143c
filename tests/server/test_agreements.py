"""Documents that people accept: published by organizers, needed to found a team, to upload and to submit."""

import csv
import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import delete

from server.accounts.models import Account
from server.agreements.models import Acceptance
from server.database import unit_of_work
from server.teams.models import Membership
from tests.server.conftest import PASSWORD, Person, Tus
from tests.server.lab import Entrant, Lab
from tests.server.organizer import Admin, words

Json = dict[str, Any]
RULES = "# Rules\r\n\r\n<b>Play fair</b>, and keep the data to yourselves: größer als 1 µm.\n"


def _digest(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def publish(lab: Lab, admin: Person) -> Callable[..., Json]:
    """Publishes a version; the answer."""

    def made(text: str, *, status: int = 201, **more: Any) -> Json:
        body = {"title": "Rules", "text": text, "before": "submission", **more}
        planned = admin.http.post(f"/organize/{lab.slug}/agreements/plan", json=body)
        answer = admin.http.post(f"/organize/{lab.slug}/agreements", json=body)
        assert answer.status_code == status, answer.text
        return dict(answer.json()) | {"plan": planned.json()}

    return made


def _accept(http: httpx.Client, slug: str, digest: str) -> httpx.Response:
    return http.post(f"/challenges/{slug}/agreements/{digest}/accept")


def _present(http: httpx.Client, slug: str) -> Json:
    (found,) = http.get(f"/challenges/{slug}/agreements").json()
    return dict(found)


def test_whoever_uploads_or_submits_has_accepted_for_themselves(
    lab: Lab, team: Entrant, person: Callable[..., Person], nobody: httpx.Client, publish: Callable[..., Json]
) -> None:
    """A member who does nothing holds nobody up; one who acts cannot do so on another's signature."""
    member = person("Member")
    code = team.http.post(f"/teams/{team.team}/invitations").json()["code"]
    assert member.http.post(f"/invitations/{code}/accept").status_code == 200
    first = team.submit(key="before")
    made = publish(RULES)
    digest = _digest(RULES)
    assert (made["digest"], made["number"], made["again"]) == (digest, 1, True)
    assert (made["plan"]["lacking"], made["plan"]["teams"]) == (2, 1)
    assert (
        "to be accepted by 2 people in 1 team before they upload or submit again" in made["plan"]["sentence"]
    )

    where = f"/challenges/{lab.slug}/agreements/{digest}"
    for answer in (team.post("task5"), Tus(team.http).create(lab.slug, b"archive")):
        assert (answer.status_code, answer.json()["code"]) == (403, "consent_missing")
        assert answer.json()["agreements"] == [digest]
        assert "“Rules” (version 1 of rules)" in answer.json()["detail"]
        assert where in answer.json()["detail"]
        assert "proctor agree" in answer.json()["detail"]
    assert team.post("task5", key="before").json()["evaluations"][0]["id"] == first, "it was submitted before"

    text = nobody.get(where)
    assert text.content == RULES.encode()
    assert text.headers["content-type"] == "text/plain; charset=utf-8"
    assert _present(nobody, lab.slug)["accepted_at"] is None
    assert nobody.get(f"/challenges/{lab.slug}").json()["agreements"] == [_present(nobody, lab.slug)]

    at = _accept(team.http, lab.slug, digest).json()["accepted_at"]
    assert _accept(team.http, lab.slug, digest).json()["accepted_at"] == at, "a second time changes nothing"
    assert _present(team.http, lab.slug)["accepted_at"] == at
    assert Tus(team.http).create(lab.slug, b"archive").status_code == 201
    assert team.post("task5").status_code == 201
    theirs = Entrant(member.http, lab.slug, team.team, team.image)
    assert theirs.post("task5").json()["code"] == "consent_missing"
    read_only = team.http.post("/tokens", json={"name": "reads", "scopes": ["read"]}).json()["token"]
    assert _accept(lab.clients(read_only), lab.slug, digest).json()["code"] == "scope_missing"
    assert _accept(team.http, lab.slug, _digest("no")).json()["code"] == "unknown_agreement"


def test_a_newer_version_asks_again_only_where_it_says_so(
    lab: Lab, team: Entrant, publish: Callable[..., Json]
) -> None:
    first, second, third = (f"{RULES}\nVersion {number}." for number in (1, 2, 3))
    publish(first)
    _accept(team.http, lab.slug, _digest(first))
    assert (
        "whoever accepted version 1 or a later one is not asked again" in publish(second)["plan"]["sentence"]
    )
    held = _present(team.http, lab.slug)
    assert (held["number"], held["again"], held["accepted_at"] is None) == (2, False, False)
    assert team.post("task5").status_code == 201
    old = _accept(team.http, lab.slug, _digest(first))
    assert (old.status_code, old.json()["code"]) == (409, "agreement_replaced")
    assert _digest(second) in old.json()["detail"]

    assert publish(third, again=True)["plan"]["lacking"] == 1
    assert team.post("task5").json()["code"] == "consent_missing"
    changed = publish(third, status=200)
    assert (changed["again"], changed["plan"]["changes"], changed["plan"]["lacking"]) == (False, True, 0)
    assert team.post("task5").status_code == 201
    assert publish(third, status=200)["plan"]["sentence"] == "Nothing changes."
    assert publish(second, status=409)["code"] == "agreement_published"
    assert publish(third, status=200, before=None)["plan"]["sentence"].endswith(
        "nobody has to accept it. The challenge page shows it as an amendment."
    )
    amended = [row["what"] for row in team.http.get(f"/challenges/{lab.slug}/amendments").json()]
    assert amended[0] == "documents: “Rules” is version 3 of rules from now on, which nobody has to accept"
    assert amended[3].endswith("unless version 1 or a later one was"), amended
    assert len(amended) == 5, "what changes nothing is none"
    assert publish(RULES, document="data-use", before="team")["number"] == 1
    assert team.post("task5").json()["agreements"] == [_digest(RULES)], (
        "what a team needs, a submission needs"
    )


def test_a_team_is_neither_founded_nor_joined_without_what_it_needs(
    lab: Lab, team: Entrant, person: Callable[..., Person], publish: Callable[..., Json]
) -> None:
    code = team.http.post(f"/teams/{team.team}/invitations").json()["code"]
    publish(RULES, before="team", document="data-use")
    publish(RULES + "These too.", before="submission")
    newcomer = person("Newcomer")
    for path, body in (
        (f"/challenges/{lab.slug}/teams", {"name": "New"}),
        (f"/invitations/{code}/accept", None),
    ):
        answer = newcomer.http.post(path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (403, "consent_missing")
        assert answer.json()["agreements"] == [_digest(RULES)]
    assert _accept(newcomer.http, lab.slug, _digest(RULES)).status_code == 200
    assert newcomer.http.post(f"/invitations/{code}/accept").status_code == 200


def test_organizers_see_who_accepted_which_version_and_an_account_s_end_takes_no_evidence_away(
    lab: Lab,
    entrant: Callable[[str], Entrant],
    person: Callable[..., Person],
    admin: Person,
    publish: Callable[..., Json],
    command: Admin,
) -> None:
    one, two, three = lab.entrant(person("=Ada()").http, "One"), entrant("Two"), entrant("Three")
    publish("First.")
    for team in (one, two):
        _accept(team.http, lab.slug, _digest("First."))
    publish("Second.")
    _accept(three.http, lab.slug, _digest("Second."))
    where = f"/organize/{lab.slug}/agreements"
    second, first = admin.http.get(where).json()
    assert (first["accepted"], first["present"], second["accepted"], second["lacking"]) == (2, False, 1, 0)
    page = admin.http.get(f"{where}/{first['digest']}/acceptances", params={"limit": 1}).json()
    rest = admin.http.get(f"{where}/{first['digest']}/acceptances", params={"after": page[0]["id"]}).json()
    assert [(row["team"], row["name"]) for row in (*page, *rest)] == [("One", "=Ada()"), ("Two", "Two")]

    assert two.http.post("/me/close", json={"password": PASSWORD}).status_code == 204
    sheet = admin.http.get(f"{where}/{first['digest']}/acceptances.csv")
    rows = list(csv.DictReader(io.StringIO(sheet.text)))
    assert [(row["name"], row["email"] != "", row["digest"], row["number"]) for row in rows] == [
        ("'=Ada()", True, _digest("First."), "1"),
        ("", False, _digest("First."), "1"),
    ], "an account that is closed stays as its id, and a spreadsheet computes nothing"
    assert rows[1]["user"] == rest[0]["user"]
    assert rows[1]["accepted_at"][:19] == rest[0]["accepted_at"][:19]
    with unit_of_work(lab.sessions) as session:
        removed = UUID(rows[1]["user"])
        session.execute(delete(Membership).where(Membership.user_id == removed))
        session.execute(delete(Account).where(Account.id == removed))
        assert session.get_one(Acceptance, UUID(rest[0]["id"])).user_id is None
    told = command("agreements", lab.slug, "--of", _digest("First.")[7:15], "--csv").stdout
    assert told == sheet.text.replace(f"{rows[1]['user']},,,Two", ",,,"), (
        "what was accepted outlives an account"
    )


def test_publishing_says_whom_it_asks_and_asks_first(
    lab: Lab, team: Entrant, entrant: Callable[[str], Entrant], command: Admin, tmp_path: Path
) -> None:
    entrant("Others")
    text = tmp_path / "rules.md"
    text.write_bytes(RULES.encode())
    publish = ("publish-agreement", lab.slug, text, "--title", "Rules", "--before", "submission", "--again")
    said = command(*publish)
    assert said.exit_code == 1
    assert "to be accepted by 2 people in 2 teams" in words(said)
    assert "--yes" in words(said)
    assert command("agreements", lab.slug).stdout == f"{lab.slug} has no documents.\n", "nothing was changed"
    assert f"version 1 of rules, {_digest(RULES)}" in words(command(*publish, "--yes"))
    assert words(command(*publish)) == "Nothing changes."
    _accept(team.http, lab.slug, _digest(RULES))
    listed = json.loads(command("agreements", lab.slug, "--json").stdout)
    assert [(row["number"], row["accepted"], row["lacking"]) for row in listed] == [(1, 1, 1)]
    lacking = words(command("agreements", lab.slug, "--of", _digest(RULES)[:12], "--lacking"))
    assert "Others" in lacking
    assert "The Team" not in lacking
    assert "The Team" in words(command("agreements", lab.slug, "--of", _digest(RULES)))
    assert command("agreements", lab.slug, "--of", "").exit_code == 1
    text.write_bytes(b"\xff")
    assert "is no text in UTF-8" in words(command(*publish))


def test_documents_are_bounded_and_shown_as_they_are_written(
    lab: Lab, nobody: httpx.Client, admin: Person, publish: Callable[..., Json]
) -> None:
    site = str(nobody.base_url).removesuffix("/api/v1/")
    large = "é\u00a0<script>alert(1)</script>" + "ü" * 199_000
    publish(large, before="team")
    page = nobody.get(f"{site}/challenges/{lab.slug}/agreements/{_digest(large)}")
    assert "<script>" not in page.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
    assert _digest(large) in page.text
    challenge = nobody.get(f"{site}/challenges/{lab.slug}").text
    assert f'href="/challenges/{lab.slug}/agreements/{_digest(large)}"' in challenge
    assert "to be accepted before one founds or joins a team" in challenge
    assert "proctor agree" in challenge
    gone = nobody.get(f"{site}/challenges/{lab.slug}/agreements/no", headers={"Accept": "text/html"})
    assert gone.status_code == 404
    where = f"/organize/{lab.slug}/agreements"
    for bad in (
        {"text": "x" * 200_001},
        {"text": ""},
        {"text": "a\x1b[2Jb"},
        {"text": "x", "document": "Data use"},
        {"text": "x", "before": "never"},
        {"text": "x", "title": " "},
    ):
        assert admin.http.post(where, json={"title": "Rules", **bad}).status_code == 422, bad
    for number in range(9):
        publish(f"Text {number}.", document=f"document-{number}")
    refused = publish("One more.", document="document-9", status=409)
    assert (refused["code"], refused["plan"]["code"]) == ("too_many_agreements", "too_many_agreements")
