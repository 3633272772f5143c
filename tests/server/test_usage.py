"""What teams use of their caps, as organizers see it, and a challenge that lets them store less."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

from evaluator.spec import Challenge
from server.challenges.service import apply
from server.database import unit_of_work
from server.images.models import Image
from server.plans.diff import differences
from tests.abuse.failures import fail
from tests.facts import image_facts
from tests.server.conftest import Person, Tus
from tests.server.lab import Entrant, Lab
from tests.server.organizer import Admin, words

MIB = 2**20


def test_organizers_see_what_each_team_stores_and_may_still_have_rejected(
    lab: Lab, entrant: Callable[[str], Entrant], admin: Person, command: Admin, fomo26: Challenge
) -> None:
    ours, theirs = entrant("Ours"), entrant("Theirs")
    with unit_of_work(lab.sessions) as session:
        layer = f"sha256:{1:064x}"
        for number, team in enumerate((ours, ours, theirs)):
            facts = image_facts(f"sha256:{2 + number:064x}", [layer], sizes=7 * MIB)
            session.add(Image(team_id=UUID(team.team), digest=facts.digest, facts=facts, size=7 * MIB))
    Tus(theirs.http).begin(lab.slug, b"", length=MIB)
    ours.submit()
    fail(lab, [("exit_code", None)] * 3)
    ours.submit(track="method")
    where = f"/organize/{lab.slug}/usage"
    first, second = admin.http.get(where).json()
    assert (first["team"], first["images"], first["uploads"]) == ("Ours", 7 * MIB, 0), (
        "a layer counts once a team"
    )
    assert first["images"] == ours.http.get(f"/teams/{ours.team}/storage").json()["used"]
    assert (second["images"], second["uploads"], second["allowed"]) == (
        7 * MIB,
        MIB,
        lab.settings.team_storage,
    )
    (use,) = first["rejected"]
    assert (use["phase"], use["task"]) == ("validation", "task5")
    assert (use["rejected"], use["under_way"], use["most"], use["left"]) == (1, 1, 10, 8)
    assert second["rejected"] == []
    assert admin.http.get(where, params={"after": first["id"], "limit": 1}).json() == [second]
    assert ours.http.get(where).json()["code"] == "organizers_only"

    less = fomo26.model_copy(update={"challenge": lab.slug, "team_storage": 9 * MIB})
    (change,) = differences(fomo26.model_copy(update={"challenge": lab.slug}), less, at=datetime.now(UTC))
    assert (change.field, change.old, change.new) == ("team_storage", None, "9m")
    with unit_of_work(lab.sessions) as session:
        apply(session, less, actor="tests")
    assert {row["allowed"] for row in admin.http.get(where).json()} == {9 * MIB}
    assert ours.http.get(f"/teams/{ours.team}/storage").json()["allowed"] == 9 * MIB
    refused = Tus(ours.http).create(lab.slug, b"", length=3 * MIB)
    assert (refused.status_code, refused.json()["code"]) == (507, "team_storage_full")
    assert "9.0 MiB are allowed" in refused.json()["detail"]
    shown = words(command("usage", lab.slug))
    assert "validation task5: 0 of 10, 2 under way" in shown, "as its team is told, who sees ends late"
    assert "9.0 MiB" in shown
    assert "9.0 MiB" in words(command("storage"))
    more = less.model_copy(update={"team_storage": 2 * lab.settings.team_storage})
    with unit_of_work(lab.sessions) as session:
        apply(session, more, actor="tests")
    assert {row["allowed"] for row in admin.http.get(where).json()} == {lab.settings.team_storage}
