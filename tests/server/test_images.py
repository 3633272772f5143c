"""From a complete upload to an image: the leases of checkers, and how they settle."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from contract.images import ImageFacts
from contract.statuses import UploadStatus
from server.database import SessionFactory, unit_of_work
from server.errors import Conflict, NotFound
from server.events import Event
from server.images.models import Image
from server.images.service import get_image
from server.settings import Settings
from server.teams.membership import lock_team
from server.uploads import checks
from server.uploads.files import upload_path
from server.uploads.models import Upload
from server.uploads.stored import Allowed
from tests.facts import image_facts
from tests.server.conftest import Person, Tus

LAYER = "sha256:" + "a" * 64


@pytest.fixture(autouse=True)
def _an_empty_queue(sessions: SessionFactory) -> None:
    """Nothing that another test left waits for a check."""
    with unit_of_work(sessions) as session:
        session.execute(
            update(Upload).where(Upload.status == UploadStatus.CHECKING).values(status=UploadStatus.REJECTED)
        )


@pytest.fixture
def claim(sessions: SessionFactory, settings: Settings) -> Callable[[], Upload | None]:
    """Claims as a checker does: in a unit of work of its own."""

    def take() -> Upload | None:
        with unit_of_work(sessions) as session:
            return checks.claim_upload_to_check(session, uploads=settings.uploads, most_per_team=8)

    return take


Claim = Callable[[], Upload | None]


def _facts() -> ImageFacts:
    return image_facts(layers=[LAYER], sizes=7)


def _expire_leases(sessions: SessionFactory) -> None:
    with unit_of_work(sessions) as session:
        session.execute(update(Upload).values(check_lease_until=func.now() - timedelta(seconds=1)))


def test_an_unfinished_upload_is_not_checked(tus: Tus, slug: str, claim: Claim) -> None:
    assert tus.patch(tus.begin(slug, b"0123456789"), 0, b"01234").status_code == 204
    assert claim() is None


def test_a_valid_archive_becomes_an_image_of_the_team(
    tus: Tus, slug: str, team_id: str, claim: Claim, sessions: SessionFactory, settings: Settings
) -> None:
    told = tus.upload(slug, b"an archive")
    upload, facts = claim(), _facts()
    assert upload is not None
    assert str(upload.id) == told["id"]
    assert checks.has_promised_sha256(upload, uploads=settings.uploads)
    with unit_of_work(sessions) as session:
        checks.settle_valid(session, upload, facts, uploads=settings.uploads, allowed=Allowed(2**40, None))
    told = tus.http.get(f"/uploads/{told['id']}").json()
    assert (told["status"], told["image"], told["code"]) == ("ready", facts.digest, None)
    assert not upload_path(settings.uploads, upload.id).exists()
    (image,) = tus.http.get(f"/teams/{team_id}/images").json()
    assert (image["digest"], image["size"]) == (facts.digest, 7)
    assert image["facts"] == facts.model_dump(mode="json")
    with sessions() as session:
        moves = session.scalars(
            select(Event.new).where(Event.subject_id == upload.id).order_by(Event.id)
        ).all()
    assert moves == ["receiving", "checking", "ready"]
    assert claim() is None


def test_an_image_belongs_to_its_team_alone(
    tus: Tus, slug: str, stranger: Person, claim: Claim, sessions: SessionFactory, settings: Settings
) -> None:
    tus.upload(slug, b"an archive")
    upload, facts = claim(), _facts()
    assert upload is not None
    with unit_of_work(sessions) as session:
        checks.settle_valid(session, upload, facts, uploads=settings.uploads, allowed=Allowed(2**40, None))
        theirs = UUID(stranger.http.get(f"/challenges/{slug}/teams/mine").json()["id"])
        assert get_image(session, upload.team_id, facts.digest).digest == facts.digest
        with pytest.raises(NotFound, match="Upload its archive first"):
            get_image(session, theirs, facts.digest)


def test_the_same_image_twice_is_one_image(
    tus: Tus, slug: str, team_id: str, claim: Claim, sessions: SessionFactory, settings: Settings
) -> None:
    facts = _facts()
    for _ in range(2):
        tus.upload(slug, b"an archive")
        upload = claim()
        assert upload is not None
        with unit_of_work(sessions) as session:
            checks.settle_valid(
                session, upload, facts, uploads=settings.uploads, allowed=Allowed(2**40, None)
            )
    with sessions() as session:
        assert session.scalar(select(func.count()).where(Image.team_id == UUID(team_id))) == 1


def test_a_team_may_submit_an_image_at_the_moment_in_which_it_is_checked_again(
    tus: Tus, slug: str, team_id: str, claim: Claim, sessions: SessionFactory, settings: Settings
) -> None:
    facts, team = _facts(), UUID(team_id)

    def settle(upload: Upload) -> None:
        with unit_of_work(sessions) as session:
            checks.settle_valid(
                session, upload, facts, uploads=settings.uploads, allowed=Allowed(2**40, None)
            )

    tus.upload(slug, b"an archive")
    first = claim()
    assert first is not None
    settle(first)
    tus.upload(slug, b"an archive")
    upload = claim()
    assert upload is not None
    with ThreadPoolExecutor(1) as pool, unit_of_work(sessions) as session:
        lock_team(session, team)  # as a submission does, which then asks for the image
        settling = pool.submit(settle, upload)
        with sessions() as other:
            _until_somebody_waits(other)
        assert get_image(session, team, facts.digest).digest == facts.digest, "neither waits for the other"
        session.commit()
        settling.result(timeout=20)


def _until_somebody_waits(session: Session) -> None:
    deadline = time.monotonic() + 20
    waits = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype <> 'relation'")
    while not session.scalar(waits):
        assert time.monotonic() < deadline, "nobody waits"
        time.sleep(0.02)


def test_an_invalid_archive_says_why_and_leaves_no_bytes(
    tus: Tus, slug: str, claim: Claim, sessions: SessionFactory, settings: Settings
) -> None:
    told = tus.upload(slug, b"not a tar")
    upload = claim()
    assert upload is not None
    with unit_of_work(sessions) as session:
        checks.settle_invalid(
            session, upload, "not_a_tar", "This is no tar archive.", uploads=settings.uploads
        )
    told = tus.http.get(f"/uploads/{told['id']}").json()
    assert (told["status"], told["code"], told["message"]) == (
        "rejected",
        "not_a_tar",
        "This is no tar archive.",
    )
    assert not upload_path(settings.uploads, upload.id).exists()


def test_other_bytes_than_announced_are_noticed(
    tus: Tus, slug: str, claim: Claim, sessions: SessionFactory, settings: Settings
) -> None:
    location = tus.begin(slug, b"0123456789")
    assert tus.patch(location, 0, b"9876543210").status_code == 204
    upload = claim()
    assert upload is not None
    assert not checks.has_promised_sha256(upload, uploads=settings.uploads)
    with unit_of_work(sessions) as session:
        checks.settle_wrong_sha256(session, upload, uploads=settings.uploads)
    told = tus.http.get(location).json()
    assert (told["status"], told["code"]) == ("rejected", "wrong_sha256")


def test_one_checker_at_a_time_and_a_dead_ones_upload_is_taken_again(
    tus: Tus, slug: str, claim: Claim, sessions: SessionFactory, settings: Settings
) -> None:
    tus.upload(slug, b"an archive")
    first = claim()
    assert first is not None
    assert claim() is None
    _expire_leases(sessions)
    second = claim()
    assert second is not None
    assert second.id == first.id
    with unit_of_work(sessions) as session:
        with pytest.raises(Conflict):
            checks.renew_check(session, first)
        with pytest.raises(Conflict):
            checks.settle_invalid(session, first, "late", "Too late.", uploads=settings.uploads)
    with unit_of_work(sessions) as session:
        checks.renew_check(session, second)
        checks.settle_invalid(session, second, "broken", "It is broken.", uploads=settings.uploads)
    assert tus.http.get(f"/uploads/{first.id}").json()["code"] == "broken"


def test_two_checkers_take_two_uploads(tus: Tus, slug: str, claim: Claim) -> None:
    ids = {tus.upload(slug, data)["id"] for data in (b"one", b"two")}
    with ThreadPoolExecutor(2) as pool:
        taken = list(pool.map(lambda _: claim(), range(2)))
    assert {str(upload.id) for upload in taken if upload} == ids


def test_a_check_that_never_ends_is_given_up(
    tus: Tus, slug: str, claim: Claim, sessions: SessionFactory
) -> None:
    told = tus.upload(slug, b"kills its checker")
    while claim() is not None:
        _expire_leases(sessions)
    told = tus.http.get(f"/uploads/{told['id']}").json()
    assert (told["status"], told["code"]) == ("rejected", "check_failed")


def test_nobody_lists_images_without_a_token(nobody: httpx.Client, team_id: str) -> None:
    assert nobody.get(f"/teams/{team_id}/images").status_code == 401
