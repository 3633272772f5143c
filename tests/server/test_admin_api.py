"""`worker.admin.api`: a command asks the installation here and a server elsewhere in the same way."""

from uuid import uuid4

import pytest
import typer

from contract.organizers import Role
from server.accounts.principals import OPERATOR, Organizer
from server.accounts.service import authenticate_user
from server.challenges.service import get_challenge
from server.database import SessionFactory, unit_of_work
from server.errors import Forbidden
from server.organizers.access import observer_of, organizer_of
from server.organizers.models import ChallengeRole
from server.settings import Settings
from tests.server.conftest import Person
from tests.server.lab import Entrant
from worker.admin.api import Refused, api


@pytest.fixture
def installation(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", settings.database_url)
    monkeypatch.setenv("PROCTOR_DATA", str(settings.data))
    monkeypatch.setenv("PROCTOR_SECRET_KEY", settings.secret_key.get_secret_value())


def test_here_and_elsewhere_answer_the_same(
    served: tuple[str, SessionFactory], installation: None, admin: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROCTOR_TOKEN", admin.token)
    with api(server=None, data=None) as here, api(server=served[0], data=None) as there:
        assert here.get("/admin/teams", limit=3) == there.get("/admin/teams", limit=3)
        for asked in (here, there):
            with pytest.raises(Refused) as refused:
                asked.get(f"/admin/evaluations/{uuid4()}")
            assert refused.value.code == "unknown_evaluation"


def test_a_command_here_acts_as_the_operator_and_what_is_refused_ends_it_with_its_sentence(
    installation: None, team: Entrant, capsys: pytest.CaptureFixture[str]
) -> None:
    with api(server=None, data=None) as here:
        here.patch(f"/admin/teams/{team.team}", {"eligible": False})
        (event,) = here.get("/admin/events", subject="team", id=team.team, limit=1)["items"]
    assert event["actor"] == OPERATOR
    with pytest.raises(typer.Exit), api(server=None, data=None) as here:
        here.get(f"/admin/evaluations/{uuid4()}")
    assert "There is no such evaluation." in capsys.readouterr().err


def test_roles_are_of_one_challenge_and_observers_decide_nothing(
    served: tuple[str, SessionFactory], team: Entrant, admin: Person
) -> None:
    with unit_of_work(served[1]) as session:
        challenge = get_challenge(session, team.slug)
        person = authenticate_user(session, team.http.headers["Authorization"].removeprefix("Bearer "))
        for may in (organizer_of, observer_of):
            with pytest.raises(Forbidden):
                may(session, person, challenge)
        role = ChallengeRole(
            challenge_id=challenge.id, user_id=person.id, role=Role.OBSERVER, named_by="a test"
        )
        session.add(role)
        session.flush()
        assert observer_of(session, person, challenge).actor == person.actor
        with pytest.raises(Forbidden):
            organizer_of(session, person, challenge)
        role.role = Role.ORGANIZER
        session.flush()
        assert isinstance(organizer_of(session, person, challenge), Organizer)
        assert isinstance(
            organizer_of(session, authenticate_user(session, admin.token), challenge), Organizer
        )
