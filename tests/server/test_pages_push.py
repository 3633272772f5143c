"""The pages say how to push where the server has a registry, under the names of the reader's own team."""

from collections.abc import Iterator
from uuid import UUID

import pytest

from contract.ids import TeamId
from server.app import create_app
from server.database import SessionFactory, unit_of_work
from server.registry.service import Pushed, Repository, note
from server.settings import Settings
from tests.server.browsing import browsing, require_sound
from tests.server.conftest import Person, serving

HOST = "registry.example:5000"


@pytest.fixture
def address(settings: Settings) -> Iterator[str]:
    """A server that has a registry."""
    with serving(create_app(settings.model_copy(update={"registry_url": f"https://{HOST}"}))) as url:
        yield url


def test_a_member_reads_the_names_of_the_own_team_and_others_where_the_teams_id_goes(
    address: str, captain: Person, team_id: str, slug: str
) -> None:
    page = f"/challenges/{slug}/take-part"
    with browsing(address) as nobody:
        shown = require_sound(nobody.get(page))
        assert f"docker push {HOST}/TEAM/my-image:v1" in shown
        assert team_id not in shown
    with browsing(address, captain.email) as browser:
        shown = require_sound(browser.get(page))
        assert f"docker login {HOST}" in shown
        assert f"docker push {HOST}/{team_id}/my-image:v1" in shown
        assert f"proctor submit {HOST}/{team_id}/my-image:v1 --challenge {slug}" in shown
        assert f"docker push {HOST}/{team_id}/my-image:v1" in require_sound(
            browser.get(f"/challenges/{slug}/submit")
        )
        assert browser.get("/account/tokens").status_code == 200, "where the pages say that a token is made"


def test_a_push_on_its_way_is_fetched_and_nobody_is_asked_for_a_file(
    address: str, captain: Person, team_id: str, slug: str, sessions: SessionFactory
) -> None:
    pushed = Pushed(Repository(TeamId(UUID(team_id)), "model"), "v1", f"sha256:{'0' * 64}")
    with unit_of_work(sessions) as session:
        upload = note(session, pushed)
        assert upload is not None
        action = f"/api/v1/uploads/{upload.id}"
    with browsing(address, captain.email) as browser:
        shown = require_sound(browser.get(f"/challenges/{slug}/submit"))
    assert "model:v1" in shown
    assert "It is fetched from the registry." in shown
    assert "Choose the same file again" not in shown
    assert action not in shown, "there is nothing to end"


def test_without_a_registry_no_page_speaks_of_one(
    served: tuple[str, SessionFactory], captain: Person, team_id: str, slug: str
) -> None:
    with browsing(served[0], captain.email) as browser:
        for page in ("take-part", "submit"):
            shown = require_sound(browser.get(f"/challenges/{slug}/{page}"))
            assert "docker push" not in shown
            assert "registry" not in shown
        assert browser.get(f"/api/v1/challenges/{slug}").json()["registry"] is None
