"""What ends somebody's right to push: wrong log-ins, a token that has run out, a team that is another's by now."""

from datetime import timedelta
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from contract.ids import TeamId
from server.accounts.models import TokenKind
from server.accounts.tokens import issue
from server.app import create_app
from server.database import SessionFactory, unit_of_work
from server.registry.service import Pushed, Repository, note
from server.settings import Settings
from server.teams.models import Team
from server.uploads.service import UNFINISHED_PER_TEAM
from tests.server.conftest import Person, serving
from tests.server.registries import key_in


@pytest.fixture
def own(settings: Settings, tmp_path: Path) -> Settings:
    """A server that has a registry, and bears three wrong log-ins from one source."""
    told = {"registry_url": "https://registry.example", "registry_key": key_in(tmp_path)}
    return settings.model_copy(update=told | {"log_ins_per_source": 3})


def test_wrong_log_ins_are_bounded_and_right_ones_are_not_counted(
    own: Settings, captain: Person, team_id: str, sessions: SessionFactory
) -> None:
    with unit_of_work(sessions) as session:
        good = issue(
            session, TokenKind.API, name="push", user_id=UUID(captain.id), scopes=("read", "submit")
        )[0]
    wire = httpx.HTTPTransport(local_address="127.61.7.9")
    with serving(create_app(own)) as url, httpx.Client(transport=wire) as http:

        def log_in(password: str, *scopes: str) -> int:
            token = f"{url}/api/v1/registry/token"
            return http.get(token, params={"scope": [*scopes]}, auth=("Ada", password)).status_code

        assert [log_in(good) for _ in range(5)] == [200] * 5
        with unit_of_work(sessions) as session:  # as many pushes as may wait
            for number in range(UNFINISHED_PER_TEAM):
                name = Repository(TeamId(UUID(team_id)), "model")
                note(session, Pushed(name, f"v{number}", f"sha256:{number:064x}"))
        assert [log_in(good, f"repository:{team_id}/model:push") for _ in range(5)] == [429] * 5
        assert log_in(good) == 200
        assert [log_in("prc_wrong") for _ in range(4)] == [401, 401, 401, 429]
        assert log_in(good) == 429


def test_a_token_that_has_run_out_pushes_nothing(
    own: Settings, captain: Person, team_id: str, sessions: SessionFactory
) -> None:
    scopes = ("read", "submit")
    with unit_of_work(sessions) as session:
        over, good = (
            issue(session, TokenKind.API, name="push", user_id=UUID(captain.id), scopes=scopes, lasts=lasts)[
                0
            ]  # type: ignore[arg-type]
            for lasts in (timedelta(seconds=-1), timedelta(hours=1))
        )
    wire = httpx.HTTPTransport(local_address="127.62.7.9")
    with serving(create_app(own)) as url, httpx.Client(transport=wire) as http:
        asked = {"scope": f"repository:{team_id}/model:pull,push"}
        told = {
            one: http.get(f"{url}/api/v1/registry/token", params=asked, auth=("Ada", one))
            for one in (over, good)
        }
    assert told[good].status_code == 200
    assert told[over].status_code == 401
    assert told[over].json()["details"] == told[over].json()["detail"], "what docker login shows"


def test_a_team_that_was_merged_into_another_is_pushed_to_no_more(
    stranger: Person, slug: str, team_id: str, sessions: SessionFactory
) -> None:
    other = stranger.http.get(f"/challenges/{slug}/teams/mine").json()["id"]
    pushed = Pushed(Repository(TeamId(UUID(team_id)), "model"), "v1", f"sha256:{'0' * 64}")
    with unit_of_work(sessions) as session:
        session.get_one(Team, UUID(team_id)).merged_into = TeamId(UUID(other))
        session.flush()
        assert note(session, pushed) is None
        assert note(session, pushed, found=True) is None
        session.rollback()
        assert note(session, pushed) is not None
        session.rollback()


TEAM = "01a22b75-6737-7170-9bd6-d3e866d6a78a"


@pytest.mark.parametrize("name", ["model", "a/b", "a.b", "a_b", "a__b", "a--b", "v1/model-2"])
def test_a_name_of_the_registrys_is_a_teams(name: str) -> None:
    found = Repository.of(f"{TEAM}/{name}")
    assert found is not None
    assert found.path == f"{TEAM}/{name}"


@pytest.mark.parametrize("name", ["", "..", "x/../y", "x//y", "x..y", "x/", "/x", "X", "x___y", "a" * 101])
def test_a_name_that_no_registry_has_is_nobodys(name: str) -> None:
    assert Repository.of(f"{TEAM}/{name}") is None
