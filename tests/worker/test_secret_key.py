"""The secret key that names cases and signs receipts is the one an installation was made with, or nothing starts."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from uuid import UUID

import pytest
from pydantic import SecretStr
from sqlalchemy import select
from sqlalchemy.orm import Session
from typer.testing import CliRunner

from server.database import unit_of_work
from server.errors import Conflict
from server.evaluations.receipt_keys import key_of, receipt_keys, require_own_key
from server.evaluations.receipts import public_key, sign
from server.evaluations.result_models import Receipt
from server.events import Event
from server.settings import Settings
from server.tables import open_database
from worker.admin.adopt_key import app as adopting
from worker.admin.platform import Platform
from worker.admin.secret_key import check_secret_key
from worker.embedded.account import SetupError
from worker.embedded.data import prepare, store_secret


@pytest.fixture
def platform(fresh_postgres_url: str, tmp_path: Path) -> Platform:
    """What the check needs of a platform: its directory, and a database that has its tables."""
    postgres = SimpleNamespace(url=lambda: fresh_postgres_url)
    return cast(Platform, SimpleNamespace(data=prepare(tmp_path / "data"), postgres=postgres))


def settings_of(platform: Platform) -> Settings:
    return Settings.model_validate(
        {"data": platform.data, "secret_key": SecretStr(key_file(platform).read_text().strip())}
        | {"DATABASE_URL": platform.postgres.url()}
    )


def key_file(platform: Platform) -> Path:
    return platform.data / "secrets" / "secret_key"


@contextmanager
def database(platform: Platform) -> Iterator[Session]:
    sessions = open_database(platform.postgres.url(), pool_size=1)
    with unit_of_work(sessions) as session:
        yield session
    sessions.kw["bind"].dispose()


def receipt_of(platform: Platform) -> Receipt:
    statement = {"receipt": 1, "scores": {"task1": {"auroc": 0.75}}}
    return Receipt(
        evaluation_id=UUID(int=1),
        statement=statement,
        signature=sign(statement, settings_of(platform)),
    )


def test_the_first_start_makes_the_key_and_later_ones_keep_it(platform: Platform) -> None:
    check_secret_key(platform)
    first = key_file(platform).read_text()
    check_secret_key(platform)
    assert key_file(platform).read_text() == first
    with database(platform) as session:
        (known,) = receipt_keys(session)
        assert known.public_key == public_key(settings_of(platform))


def test_a_lost_key_is_refused_and_no_other_is_made(platform: Platform) -> None:
    check_secret_key(platform)
    key_file(platform).unlink()
    for _ in range(2):
        with pytest.raises(SetupError, match=r"secrets/secret_key is missing.*backup.*--new-secret-key"):
            check_secret_key(platform)
        assert not key_file(platform).exists()


def test_another_key_is_refused_and_left_as_it_is(platform: Platform) -> None:
    check_secret_key(platform)
    store_secret(platform.data, "secret_key", "another key of more than 32 characters")
    with pytest.raises(SetupError, match="is not the key"):
        check_secret_key(platform)
    assert key_file(platform).read_text() == "another key of more than 32 characters\n"
    with database(platform) as session, pytest.raises(Conflict, match="secret key"):
        require_own_key(session, settings_of(platform))


@pytest.mark.parametrize("lost", [True, False])
def test_a_new_key_is_asked_for_and_old_receipts_still_verify(platform: Platform, lost: bool) -> None:
    check_secret_key(platform)
    before, old = receipt_of(platform), public_key(settings_of(platform))
    if lost:
        key_file(platform).unlink()
    else:
        store_secret(platform.data, "secret_key", "another key of more than 32 characters")
    check_secret_key(platform, replace=True)
    check_secret_key(platform)
    after, new = receipt_of(platform), public_key(settings_of(platform))
    assert new != old
    with database(platform) as session:
        assert [one.public_key for one in receipt_keys(session)] == [new, old]
        assert key_of(session, before) == old
        assert key_of(session, after) == new
        changed = Receipt(statement={**before.statement, "receipt": 2}, signature=before.signature)
        assert key_of(session, changed) is None
        (event,) = session.scalars(select(Event).where(Event.subject == "receipt_key"))
        assert (event.what, event.actor) == ("secret key replaced", "proctor-admin")


def test_the_old_key_may_come_back(platform: Platform) -> None:
    check_secret_key(platform)
    first = key_file(platform).read_text()
    key_file(platform).unlink()
    check_secret_key(platform, replace=True)
    key_file(platform).write_text(first)
    with pytest.raises(SetupError):
        check_secret_key(platform)
    check_secret_key(platform, replace=True)
    with database(platform) as session:
        assert receipt_keys(session)[0].public_key == public_key(settings_of(platform))
        assert len(receipt_keys(session)) == 2


def test_asking_for_a_new_key_with_the_present_one_changes_nothing(platform: Platform) -> None:
    check_secret_key(platform)
    check_secret_key(platform, replace=True)
    with database(platform) as session:
        assert len(receipt_keys(session)) == 1
        assert session.scalars(select(Event)).all() == []


def test_an_installation_of_ones_own_goes_on_with_the_key_that_it_is_given(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_secret_key(platform)
    before = receipt_of(platform)
    monkeypatch.setenv("DATABASE_URL", platform.postgres.url())
    monkeypatch.setenv("PROCTOR_DATA", str(platform.data))
    monkeypatch.setenv("PROCTOR_SECRET_KEY", "another key of more than 32 characters")
    run = CliRunner().invoke
    refused = run(adopting, [])
    assert refused.exit_code == 1, "nobody was there to ask"
    said = [run(adopting, ["--yes"]).stdout for _ in range(2)]
    assert said == ["The installation goes on with this key.\n", "This is the key it has.\n"]
    store_secret(platform.data, "secret_key", "another key of more than 32 characters")
    with database(platform) as session:
        require_own_key(session, settings_of(platform))
        assert key_of(session, before) is not None
        (event,) = session.scalars(select(Event).where(Event.subject == "receipt_key"))
        assert event.what == "secret key replaced"
