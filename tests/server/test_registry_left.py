"""What is not needed in the registry any more leaves it: what ran out, and the names of people who were erased."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from contract.ids import TeamId, UserId
from server.accounts.models import TokenKind
from server.accounts.tokens import issue
from server.app import create_app
from server.database import SessionFactory, unit_of_work
from server.registry.left import is_left
from server.registry.remote import Remote
from server.registry.service import Pushed, Repository, note
from server.settings import Settings
from server.uploads.models import Upload
from server.uploads.service import expire_uploads
from tests.sandbox.archives import LAYER, legacy, pack, tar
from tests.server.conftest import Person, serving
from tests.server.organizer import Admin, words
from tests.server.proxied import free_ports
from tests.server.registries import SECRET, Hub, empty_queue, hub, key_in, of_docs, registry
from worker.admin.findings import FindingState
from worker.admin.registry_findings import push_registry
from worker.score.pushes import find_pushed

DIGEST = f"sha256:{'ab' * 32}"


@pytest.fixture(autouse=True)
def _an_empty_queue(sessions: SessionFactory) -> None:
    empty_queue(sessions)


@pytest.fixture
def silent(settings: Settings, tmp_path: Path) -> Iterator[Hub]:
    """A registry that tells of no push."""
    with hub(settings, tmp_path, tells=False) as served:
        yield served


@pytest.fixture
def push(
    silent: Hub, tmp_path: Path, sessions: SessionFactory, captain: Person, team_id: str
) -> Callable[[str], None]:
    with unit_of_work(sessions) as session:
        scopes = ("read", "submit")
        shown = issue(session, TokenKind.API, name="push", user_id=UUID(captain.id), scopes=scopes)[0]  # type: ignore[arg-type]

    def push(name: str) -> None:
        """An image of its own."""
        path = tmp_path / f"{name}.tar"
        path.write_bytes(pack(legacy(LAYER, tar(("app/which", name.encode())))))
        pushed = silent.skopeo(path, f"{team_id}/{name}", shown)
        assert pushed.returncode == 0, pushed.stderr

    return push


@pytest.fixture
def told(command: Admin, silent: Hub, monkeypatch: pytest.MonkeyPatch) -> Admin:
    """The commands of an installation with this registry."""
    monkeypatch.setenv("REGISTRY_URL", f"http://{silent.host}")
    monkeypatch.setenv("PROCTOR_REGISTRY_KEY", str(silent.settings.registry_key))
    monkeypatch.setenv("PROCTOR_REGISTRY_SECRET", SECRET)
    return command


def run_out(sessions: SessionFactory, settings: Settings, *names: str) -> None:
    """Pushes of these names could not be fetched for a day."""
    with unit_of_work(sessions) as session:
        of = update(Upload).where(Upload.filename.in_([f"{name}:latest" for name in names]))
        session.execute(of.values(expires_at=func.now() - timedelta(seconds=1)))
        expire_uploads(session, uploads=settings.uploads)


def there(hub: Hub, team_id: str) -> set[str]:
    """The names that have a tag in the registry."""
    with Remote(hub.settings) as remote:
        tagged = [(path, digest) for path, _, digest in remote.tagged(most=100) if path.startswith(team_id)]
    return {path.rpartition("/")[2] for path, digest in tagged if digest}


def test_what_ran_out_is_taken_out_and_what_waits_stays(
    silent: Hub, push: Callable[[str], None], told: Admin, sessions: SessionFactory, team_id: str
) -> None:
    for name in ("kept", "over", "late"):
        push(name)
    assert find_pushed(sessions, silent.settings) == 3
    assert "3 waiting, 0 not needed any more" in words(told("registry", "--sweep"))
    run_out(sessions, silent.settings, "over")
    shown = words(told("registry"))
    assert "2 waiting, 1 not needed any more --sweep takes these out." in shown
    assert there(silent, team_id) == {"kept", "over", "late"}
    swept = words(told("registry", "--sweep"))
    assert "1 manifest was taken out." in swept
    assert "until its garbage-collect has run" in swept
    assert there(silent, team_id) == {"kept", "late"}

    run_out(sessions, silent.settings, "late")
    assert find_pushed(sessions, silent.settings) == 0
    assert there(silent, team_id) == {"kept"}, "a score worker does the same once an hour"


def test_one_manifest_stays_as_long_as_one_of_its_tags_is_waited_for(
    sessions: SessionFactory, settings: Settings, team_id: str
) -> None:
    first, second = (Pushed(Repository(TeamId(UUID(team_id)), "model"), tag, DIGEST) for tag in ("v1", "v2"))

    def left() -> bool:
        with unit_of_work(sessions) as session:
            return is_left(session, first)

    assert not left(), "nobody was told of it yet"
    with unit_of_work(sessions) as session:
        assert note(session, first) is not None
    assert not left()
    with unit_of_work(sessions) as session:
        mine = update(Upload).where(Upload.team_id == UUID(team_id))
        session.execute(mine.values(expires_at=func.now() - timedelta(seconds=1)))
        expire_uploads(session, uploads=settings.uploads)
    assert left()
    with unit_of_work(sessions) as session:
        assert note(session, second) is not None
    assert not left()


def test_a_push_that_runs_out_when_whoever_pushed_it_is_erased_keeps_no_name(
    sessions: SessionFactory, settings: Settings, captain: Person, team_id: str, admin: Person
) -> None:
    pushed = Pushed(Repository(TeamId(UUID(team_id)), "ada-byron"), "v1", DIGEST, UserId(UUID(captain.id)))
    with unit_of_work(sessions) as session:
        assert note(session, pushed) is not None
    body = {"email": captain.email, "team_names": "pseudonym", "why": "They asked for it"}
    assert admin.http.post(f"/admin/users/{captain.id}/erasure", json=body).status_code == 200
    mine = Upload.team_id == UUID(team_id)
    with unit_of_work(sessions) as session:
        session.execute(update(Upload).where(mine).values(expires_at=func.now() - timedelta(seconds=1)))
        expire_uploads(session, uploads=settings.uploads)
    with unit_of_work(sessions) as session:
        upload = session.scalars(select(Upload).where(mine)).one()
        assert (upload.status, upload.filename, upload.pushed) == ("rejected", None, f"@{DIGEST}")
        assert note(session, pushed, found=True) is None, "a look into the registry gives no name back"
        assert is_left(session, pushed)
        session.execute(update(Upload).where(mine).values(code="too_many_uploads"))
        assert note(session, pushed, found=True) is None


def test_the_doctor_says_where_the_registry_deletes_nothing(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (port,) = free_ports(1)
    key = key_in(tmp_path)
    monkeypatch.setenv("REGISTRY_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("PROCTOR_REGISTRY_KEY", str(key))
    monkeypatch.setenv("PROCTOR_REGISTRY_SECRET", SECRET)
    with serving(create_app(settings)) as url:
        config = of_docs(tmp_path, port, url)
        for enabled in (True, False):
            config["storage"]["delete"]["enabled"] = enabled
            with registry(tmp_path, port, url, config=config):
                found = list(push_registry())
            assert [one.state for one in found] == [FindingState.OK] + [FindingState.FAIL] * (not enabled)
    assert "does not let manifests be deleted" in found[-1].found
