"""The score worker's check: what becomes of uploaded files, archives and SIF files alike."""

import tarfile
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from contract.images import ImageFacts
from contract.statuses import UploadStatus
from sandbox.archive import ArchiveInvalid
from server.blobs import FileStore
from server.database import SessionFactory, unit_of_work
from server.errors import Conflict
from server.settings import Settings
from server.uploads.models import Upload
from tests.sandbox.archives import LAYER, legacy, pack, tar
from tests.sandbox.sifs import ARM64, partition, sif, squashfs
from tests.sandbox.test_archive_programs import AMD, ARM, layer
from tests.server.conftest import Tus
from worker.score.check import CheckEnded, CheckLost, allowance, check
from worker.score.images import check_waiting
from worker.score.leases import kept


@pytest.fixture(autouse=True)
def _an_empty_queue(sessions: SessionFactory) -> None:
    """Nothing that another test left waits for a check."""
    with unit_of_work(sessions) as session:
        session.execute(
            update(Upload).where(Upload.status == UploadStatus.CHECKING).values(status=UploadStatus.REJECTED)
        )


@pytest.fixture
def checked(tus: Tus, slug: str, sessions: SessionFactory, settings: Settings) -> Any:
    """Uploads these bytes and has them checked; what the upload shows then."""

    def checked(data: bytes) -> dict[str, Any]:
        upload = tus.upload(slug, data)
        assert check_waiting(sessions, settings) == 1
        shown: dict[str, Any] = tus.http.get(f"/uploads/{upload['id']}").json()
        return shown

    return checked


def test_a_sif_file_becomes_an_image_whose_blobs_run_workers_fetch(
    checked: Any, tus: Tus, team_id: str, settings: Settings
) -> None:
    shown = checked(sif(partition(squashfs({"bin/sh": AMD}))))
    assert (shown["status"], shown["code"]) == ("ready", None), shown
    image = next(
        one for one in tus.http.get(f"/teams/{team_id}/images").json() if one["digest"] == shown["image"]
    )
    facts = ImageFacts.model_validate(image["facts"])
    assert [settings.blobs.size(one) for one in facts.layers] == [*facts.layer_sizes]
    assert settings.blobs.has(facts.digest)
    assert checked(sif(partition(squashfs({"bin/sh": AMD}))))["image"] == shown["image"]


def test_programs_for_another_machine_are_refused_before_anything_runs(checked: Any) -> None:
    wrong = [pack(legacy(layer(("bin/python", ARM)))), sif(partition(squashfs({"bin/sh": ARM})))]
    for data in (*wrong, sif(partition(squashfs({}), machine=ARM64))):
        shown = checked(data)
        assert (shown["status"], shown["code"]) == ("rejected", "wrong_architecture"), shown
        assert "linux/arm64" in shown["message"]


def test_a_server_without_squashfs_tools_says_that_it_is_not_the_image(
    checked: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    shown = checked(sif())
    assert (shown["status"], shown["code"]) == ("rejected", "no_image")
    monkeypatch.undo()
    data = sif(partition(squashfs({"bin/sh": AMD})))
    monkeypatch.setenv("PATH", str(tmp_path))
    shown = checked(data)
    assert (shown["status"], shown["code"]) == ("rejected", "sif_not_supported")
    assert "not your image's fault" in shown["message"]


def test_a_check_that_takes_too_long_is_ended_and_leaves_nothing(tmp_path: Path) -> None:
    """A gigabyte of zeros, which is a hole on the disk, and a second to read it in."""
    path, blobs = tmp_path / "image.tar", FileStore(tmp_path / "blobs")
    small = [
        (name, data) for name, data in legacy(LAYER, Layers=["zeros.tar"]).items() if "layer" not in name
    ]
    header = tarfile.TarInfo("zeros.tar")
    header.size = 2**30
    with path.open("wb") as file:
        file.write(tar(*small)[: sum(1024 for _ in small)] + header.tobuf())
        file.truncate(file.tell() + header.size + 1024)
    with pytest.raises(CheckEnded, match="after 1 s"):
        check(path, limit=2**31, blobs=blobs, calls=(), seconds=1)
    assert [one for one in blobs.root.rglob("*") if one.is_file()] == []
    with pytest.raises(ArchiveInvalid, match="should have the digest"):
        check(path, limit=2**31, blobs=blobs, calls=())


def test_a_check_whose_process_fails_is_no_verdict(tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    path.write_bytes(pack(legacy(LAYER)))
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(CheckLost, match="Not a directory"):
        check(path, limit=2**20, blobs=FileStore(tmp_path / "file"), calls=())


def test_the_time_for_a_check_grows_with_what_it_may_have_to_read() -> None:
    assert allowance(80 * 2**10, 40 * 2**30) < 140
    assert allowance(20 * 2**30, 40 * 2**30) > 6000


def test_a_check_that_another_took_over_meanwhile_settles_nothing_and_the_next_upload_is_checked(
    tus: Tus, slug: str, sessions: SessionFactory, settings: Settings
) -> None:
    """The first upload's row is taken on by a second checker as soon as a lease is given on it."""
    first, second = (
        tus.upload(slug, pack(legacy(layer(("bin/sh", AMD)))) + bytes(n))["id"] for n in (0, 10240)
    )
    with unit_of_work(sessions) as session:
        session.execute(
            text(
                f"CREATE FUNCTION taken() RETURNS trigger LANGUAGE plpgsql AS "
                f"$$ BEGIN IF NEW.id = '{first}' AND NEW.check_claim_no = 1 THEN "
                "NEW.check_claim_no := 2; NEW.check_lease_until := now() + interval '1 hour'; END IF; "
                "RETURN NEW; END $$"
            )
        )
        session.execute(
            text(
                "CREATE TRIGGER taken BEFORE UPDATE ON uploads FOR EACH ROW "
                "WHEN (NEW.check_claim_no > OLD.check_claim_no) EXECUTE FUNCTION taken()"
            )
        )
    try:
        assert check_waiting(sessions, settings.model_copy(update={"checks_at_once": 3})) == 2
    finally:
        with unit_of_work(sessions) as session:
            session.execute(text("DROP TRIGGER taken ON uploads"))
            session.execute(text("DROP FUNCTION taken"))
    shown = [tus.http.get(f"/uploads/{one}").json()["status"] for one in (first, second)]
    assert shown == ["checking", "ready"]


def test_a_lease_is_renewed_again_after_the_database_was_away(sessions: SessionFactory) -> None:
    renewed = threading.Semaphore(0)
    answers = iter([OperationalError("select 1", {}, Exception("restarting")), None, None])

    def renew(session: Session) -> None:
        error = next(answers, Conflict("check_lost", "Another has it."))
        renewed.release()
        if error is not None:
            raise error

    with kept(sessions, renew, every=0.01):
        assert all(renewed.acquire(timeout=60) for _ in range(4))
