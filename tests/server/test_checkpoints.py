"""One pretrained checkpoint per track: refused before an attempt is spent where it is required, else told on rows."""

from collections.abc import Callable
from uuid import UUID

import httpx
import pytest
from sqlalchemy import update

from contract.images import CheckpointState, DeclaredCheckpoint
from evaluator.spec import Challenge
from server.database import unit_of_work
from server.images.models import Image
from tests.facts import image_facts
from tests.server.lab import Entrant, Lab
from tests.server.reevaluating import score_all
from tests.server.test_leaderboard import change

MakeEntrant = Callable[[str], Entrant]
ONE, TWO = "sha256:" + "1" * 64, "sha256:" + "2" * 64
NOT_DECLARED = DeclaredCheckpoint(state=CheckpointState.NOT_DECLARED)
MISSING = DeclaredCheckpoint(
    state=CheckpointState.MISSING, path="/w.pt", sha256=ONE, why="The image holds no file '/w.pt'."
)


def verified(sha256: str) -> DeclaredCheckpoint:
    return DeclaredCheckpoint(state=CheckpointState.VERIFIED, path="/app/w.pt", sha256=sha256)


def declares(lab: Lab, team: Entrant, checkpoint: DeclaredCheckpoint | None) -> None:
    """The check of the team's image found this."""
    with unit_of_work(lab.sessions) as session:
        image = session.query(Image).filter_by(team_id=UUID(team.team), digest=team.image).one()
        facts = image.facts.model_copy(update={"checkpoint": checkpoint})
        session.execute(update(Image).where(Image.id == image.id).values(facts=facts))


def second_image(lab: Lab, team: Entrant, checkpoint: DeclaredCheckpoint) -> str:
    """The digest of another image of the team."""
    layer = lab.settings.blobs.put(b"layer of a second image")
    digest = lab.settings.blobs.put(f"second image of {team.team}".encode())
    facts = image_facts(digest, [layer], checkpoint=checkpoint)
    with unit_of_work(lab.sessions) as session:
        session.add(Image(team_id=UUID(team.team), upload_id=None, digest=digest, facts=facts, size=10))
    return digest


def entry(http: httpx.Client, lab: Lab, team: str = "Ada") -> dict[str, object] | None:
    where = f"/challenges/{lab.slug}/leaderboards/validation/entry"
    answer = http.get(where, params={"track": "open", "team": team})
    assert answer.status_code == 200, answer.text
    found: dict[str, object] | None = answer.json()["checkpoint"]
    return found


@pytest.mark.parametrize(
    ("checkpoint", "said"),
    [(None, "older release"), (NOT_DECLARED, "declares none"), (MISSING, "holds no file '/w.pt'")],
)
def test_an_image_without_its_checkpoint_is_refused_and_spends_nothing(
    lab: Lab, team: Entrant, fomo26: Challenge, checkpoint: DeclaredCheckpoint | None, said: str
) -> None:
    change(lab, fomo26, checkpoint="required")
    lab.dataset()
    declares(lab, team, checkpoint)
    answer = team.post("task5")
    assert (answer.status_code, answer.json()["code"]) == (422, "checkpoint_refused")
    assert said in answer.json()["detail"]
    assert team.quota()["reserved"] == 0


def test_one_verified_checkpoint_for_all_tasks_is_taken(lab: Lab, team: Entrant, fomo26: Challenge) -> None:
    change(lab, fomo26, checkpoint="required")
    lab.dataset("task3")
    lab.dataset("task5")
    declares(lab, team, verified(ONE))
    assert team.post("task3", "task5").status_code == 201


def test_a_submission_with_two_checkpoints_is_refused_where_one_is_required(
    lab: Lab, team: Entrant, fomo26: Challenge
) -> None:
    lab.dataset("task3")
    lab.dataset("task5")
    declares(lab, team, verified(ONE))
    images = {"task3": team.image, "task5": second_image(lab, team, verified(TWO))}
    body = {"track": "open", "phase": "validation", "images": images}
    where = f"/challenges/{lab.slug}/submissions"
    change(lab, fomo26, checkpoint="required")
    refused = team.http.post(where, json=body, headers={"Idempotency-Key": "a"})
    assert (refused.status_code, refused.json()["code"]) == (422, "checkpoint_refused")
    assert "task3" in refused.json()["detail"]
    change(lab, fomo26, checkpoint="shown")
    assert team.http.post(where, json=body, headers={"Idempotency-Key": "b"}).status_code == 201


def test_the_row_tells_it_and_the_digests_only_to_the_team(
    lab: Lab, entrant: MakeEntrant, nobody: httpx.Client, browser: httpx.Client, fomo26: Challenge
) -> None:
    change(lab, fomo26, checkpoint="shown")
    lab.dataset()
    ada = entrant("Ada")
    declares(lab, ada, verified(ONE))
    ada.submit()
    lab.worker().drain()
    score_all(lab, lambda _: 0.8)
    told = {"mark": "one_for_all", "tasks": 1, "declared": 1, "verified": 1, "checkpoints": 1}
    assert entry(nobody, lab) == told | {"of_tasks": None}
    own = entry(ada.http, lab)
    assert own is not None
    assert own["of_tasks"] == {"task5": verified(ONE).model_dump(mode="json")}
    page = browser.get(f"/challenges/{lab.slug}/leaderboards/validation?track=open&open=Ada").text
    assert "checkpoint verified" in page
    assert ONE not in page
    change(lab, fomo26, checkpoint=None)
    assert entry(nobody, lab) is None
