"""Accounts of different teams that may be one person's are shown to organizers with what says so, and how much."""

import json
import time
from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from server.accounts.models import Account, ApiToken, Identity
from server.database import SessionFactory, unit_of_work
from server.images.models import Image
from server.same_person.service import mailbox
from tests.server.conftest import Person
from tests.server.lab import Entrant
from tests.server.organizer import Admin


@pytest.mark.parametrize(
    ("email", "same"),
    [
        ("Ada+fomo@Example.org", "ada@example.org"),
        ("a.d.a+1@googlemail.com", "ada@gmail.com"),
        ("a.da@example.org", "a.da@example.org"),
        ("+x@example.org", "+x@example.org"),
    ],
)
def test_a_mailbox_is_the_address_without_what_mail_servers_ignore(email: str, same: str) -> None:
    assert mailbox(email) == same


def test_organizers_see_what_accounts_of_different_teams_have_in_common(
    person: Callable[..., Person],
    entrant: Callable[[str], Entrant],
    sessions: SessionFactory,
    slug: str,
    admin: Person,
    command: Admin,
) -> None:
    people = [person(f"Person {number}") for number in range(5)]
    for number, somebody in enumerate(people):
        team = {"name": f"Team {number}"}
        assert somebody.http.post(f"/challenges/{slug}/teams", json=team).status_code == 201
    ids = [UUID(somebody.id) for somebody in people]
    one, two, three, four, _ = ids
    unwritten = select(func.count()).where(ApiToken.user_id.in_(ids), ApiToken.network.is_(None))
    ends = time.monotonic() + 20
    with sessions() as session:
        while session.scalars(unwritten).one() and time.monotonic() < ends:
            session.rollback()
    with unit_of_work(sessions) as session:
        for id_, email in ((one, f"{slug}@example.org"), (two, f"{slug}+again@example.org")):
            session.execute(
                update(Account).where(Account.id == id_).values(email=email, verified_at=func.now())
            )
        session.add(Identity(user_id=three, provider="orcid", subject=slug, email=people[3].email))
        session.execute(update(ApiToken).where(ApiToken.user_id.in_(ids)).values(network=None))
        session.execute(
            update(ApiToken).where(ApiToken.user_id.in_((one, four))).values(network="192.0.2.0/24")
        )
    first, second = entrant("Twin"), entrant("Other twin")
    with unit_of_work(sessions) as session:
        shared = session.scalars(select(Image.digest).where(Image.team_id == UUID(first.team))).one()
        theirs = update(Image).where(Image.team_id == UUID(second.team))
        session.execute(theirs.values(digest=shared))
    answer = admin.http.get(f"/organize/{slug}/accounts")
    # All of these tests come from one network.
    groups = [group for group in answer.json() if "127.0.0.0/24" not in group["says"]]
    found = {(group["reason"], group["weight"]): group for group in groups}
    assert [group["weight"] for group in groups] == ["strong", "strong", "moderate", "weak"]
    teams = {key: {account["team"] for account in group["accounts"]} for key, group in found.items()}
    assert teams == {
        ("mailbox", "strong"): {"Team 0", "Team 1"},
        ("identity", "strong"): {"Team 2", "Team 3"},
        ("image", "moderate"): {"Twin", "Other twin"},
        ("network", "weak"): {"Team 0", "Team 3"},
    }
    assert "colleagues" in found["network", "weak"]["says"]
    with unit_of_work(sessions) as session:
        session.execute(update(Account).where(Account.id == two).values(verified_at=None))
    shown = json.loads(command("same-person", slug, "--json").stdout)
    (doubtful,) = [group for group in shown if group["reason"] == "mailbox"]
    assert (doubtful["weight"], "anybody may have typed" in doubtful["says"]) == ("moderate", True)
    listed = command("same-person", slug)
    assert (listed.exit_code, f"{slug}+again@example.org" in listed.stdout) == (0, True), listed.output
    refused = people[0].http.get(f"/organize/{slug}/accounts")
    assert (refused.status_code, refused.json()["code"]) == (403, "organizers_only")
