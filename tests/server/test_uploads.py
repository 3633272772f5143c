"""Resumable uploads: tus 1.0.0 over HTTP, with connections that break."""

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import func, update
from sqlalchemy.orm import Session

from contract.statuses import UploadStatus
from server.database import SessionFactory, unit_of_work
from server.moves import IllegalMove
from server.settings import Settings
from server.uploads.files import upload_path
from server.uploads.models import UPLOAD_MOVES, Upload
from server.uploads.service import UNFINISHED_PER_TEAM, expire_uploads
from tests.server.conftest import Person, Tus

People = Callable[..., Person]


def _code(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["Tus-Resumable"] == "1.0.0"
    return str(answer.json()["code"])


def _file(settings: Settings, location: str) -> bytes:
    return upload_path(settings.uploads, UUID(location.rsplit("/", 1)[1])).read_bytes()


def _eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline, "it never held"
        time.sleep(0.02)


def test_every_status_has_its_moves(session: Session) -> None:
    assert set(UPLOAD_MOVES) == set(UploadStatus)
    assert all(not UPLOAD_MOVES[end] for end in (UploadStatus.READY, UploadStatus.REJECTED))
    with pytest.raises(IllegalMove, match="ready → checking"):
        Upload(status=UploadStatus.READY).move_to(session, UploadStatus.CHECKING, actor="tests")


def test_options_tells_what_the_server_speaks(tus: Tus, slug: str, settings: Settings) -> None:
    answer = tus.http.options(f"/challenges/{slug}/uploads")
    assert answer.status_code == 204
    assert answer.headers["Tus-Version"] == "1.0.0"
    assert answer.headers["Tus-Extension"] == "creation,termination,expiration"
    assert answer.headers["Tus-Max-Size"] == str(settings.upload_limit)


def test_a_whole_upload_waits_for_its_check(tus: Tus, slug: str, team_id: str, settings: Settings) -> None:
    data = os.urandom(5 * 2**20 + 17)
    location = tus.begin(slug, data, filename="model.tar")
    answer = tus.patch(location, 0, data)
    assert answer.status_code == 204
    assert answer.headers["Upload-Offset"] == str(len(data))
    assert _file(settings, location) == data
    told = tus.http.get(location).json()
    assert (told["status"], told["offset"], told["length"]) == ("checking", len(data), len(data))
    assert (told["filename"], told["team_id"], told["image"], told["code"]) == (
        "model.tar",
        team_id,
        None,
        None,
    )
    assert tus.offset(location) == len(data)
    assert _code(tus.patch(location, len(data), b""), 409) == "upload_complete"


def test_an_upload_may_come_in_pieces(tus: Tus, slug: str, settings: Settings) -> None:
    data = os.urandom(1000)
    location = tus.begin(slug, data)
    for start in range(0, 1000, 300):
        answer = tus.patch(location, start, data[start : start + 300])
        assert answer.headers["Upload-Offset"] == str(min(start + 300, 1000))
        assert ("Upload-Expires" in answer.headers) == (start < 900)
    assert _file(settings, location) == data


def test_bytes_behind_the_offset_are_taken_away_before_a_resume(
    tus: Tus, slug: str, settings: Settings
) -> None:
    data = os.urandom(100)
    location = tus.begin(slug, data)
    assert tus.patch(location, 0, data[:50]).status_code == 204
    path = upload_path(settings.uploads, UUID(location.rsplit("/", 1)[1]))
    path.write_bytes(data[:50] + b"left behind by a server that was killed, and longer than the upload" * 5)
    assert tus.patch(location, 50, data[50:]).status_code == 204
    assert path.read_bytes() == data


def test_a_wrong_offset_is_told_the_right_one(tus: Tus, slug: str) -> None:
    location = tus.begin(slug, b"0123456789")
    assert tus.patch(location, 0, b"01234").status_code == 204
    for wrong in (0, 3, 7):
        answer = tus.patch(location, wrong, b"56789")
        assert _code(answer, 409) == "wrong_offset"
        assert answer.json()["offset"] == 5
    assert tus.offset(location) == 5


def test_a_second_writer_is_refused_while_the_first_writes(tus: Tus, slug: str, settings: Settings) -> None:
    data = os.urandom(4000)
    location = tus.begin(slug, data)
    release = threading.Event()

    def slowly() -> Iterator[bytes]:
        yield data[:1000]
        release.wait(20)
        yield data[1000:]

    first: list[httpx.Response] = []
    thread = threading.Thread(target=lambda: first.append(tus.patch(location, 0, slowly())))
    thread.start()
    path = upload_path(settings.uploads, UUID(location.rsplit("/", 1)[1]))
    try:
        _eventually(path.exists)
        time.sleep(0.1)  # the lock follows the opening at once
        refused = tus.patch(location, 0, b"x" * 4000)
        assert _code(refused, 423) == "upload_locked"
        ended = tus.http.delete(location, headers={"Tus-Resumable": "1.0.0"})
        assert _code(ended, 423) == "upload_locked"
    finally:
        release.set()
        thread.join()
    assert first[0].status_code == 204
    assert _file(settings, location) == data


def test_two_at_once_write_one_copy(tus: Tus, slug: str, settings: Settings) -> None:
    data = os.urandom(2**20)
    location = tus.begin(slug, data)
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda: answers.append(tus.patch(location, 0, data).status_code))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers.count(204) == 1, answers
    assert set(answers) <= {204, 409, 423}
    assert _file(settings, location) == data


def test_more_bytes_than_announced_are_refused(tus: Tus, slug: str, settings: Settings) -> None:
    location = tus.begin(slug, b"0123456789")
    assert _code(tus.patch(location, 0, b"0123456789 and more"), 413) == "too_many_bytes"
    assert len(_file(settings, location)) <= 10


def test_too_large_is_said_before_a_byte_is_sent(tus: Tus, slug: str, settings: Settings) -> None:
    answer = tus.create(slug, b"", length=settings.upload_limit + 1)
    assert _code(answer, 413) == "upload_too_large"
    assert answer.json()["limit"] == settings.upload_limit


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Upload-Length": "10"}, 400, "sha256_missing"),
        ({"Upload-Length": "10", "Upload-Metadata": "sha256 !!!"}, 400, "bad_metadata"),
        ({"Upload-Length": "10", "Upload-Metadata": "sha256 YWJj"}, 400, "sha256_missing"),
        ({"Upload-Length": "10", "Upload-Metadata": "sha256 YWJj,team AA=="}, 400, "bad_metadata"),
        ({"Upload-Length": "-1"}, 400, "bad_header"),
        ({"Upload-Length": "9" * 40}, 400, "bad_header"),
        ({"Upload-Defer-Length": "1"}, 400, "bad_header"),
        ({"Upload-Length": "10", "Tus-Resumable": "0.2.2"}, 412, "tus_version"),
    ],
)
def test_a_bad_creation_says_which_header_is_wrong(
    tus: Tus, slug: str, headers: dict[str, str], status: int, code: str
) -> None:
    answer = tus.http.post(f"/challenges/{slug}/uploads", headers=headers)
    assert _code(answer, status) == code


def test_an_empty_archive_is_refused(tus: Tus, slug: str) -> None:
    assert _code(tus.create(slug, b""), 400) == "empty_upload"


def test_bytes_need_their_content_type(tus: Tus, slug: str) -> None:
    location = tus.begin(slug, b"0123456789")
    answer = tus.http.patch(location, headers={"Upload-Offset": "0"}, content=b"0123456789")
    assert _code(answer, 415) == "content_type"


def test_the_team_is_named_by_id_or_name_and_must_be_ones_own(
    tus: Tus, slug: str, team_id: str, stranger: Person, person: People
) -> None:
    for team in (team_id, "the first"):
        assert tus.create(slug, b"data", team=team).json()["team_id"] == team_id
    for team in (str(uuid4()), "The Others", "nonsense"):
        assert _code(tus.create(slug, b"data", team=team), 404) == "unknown_team"
    assert _code(Tus(person().http).create(slug, b"data"), 404) == "no_team"


def test_anothers_upload_looks_like_none(tus: Tus, slug: str, stranger: Person) -> None:
    location = tus.begin(slug, b"0123456789")
    theirs = Tus(stranger.http)
    nothing = location.rsplit("/", 1)[0] + f"/{uuid4()}"
    others, none = (stranger.http.get(address).json() for address in (location, nothing))
    assert others | {"instance": ""} == none | {"instance": ""}, "but for the id of the request"
    assert stranger.http.head(location).status_code == 404
    assert _code(theirs.patch(location, 0, b"0123456789"), 404) == "unknown_upload"
    assert _code(stranger.http.delete(location), 404) == "unknown_upload"
    assert tus.offset(location) == 0


def test_a_team_mate_resumes_an_upload(tus: Tus, slug: str, team_id: str, person: People) -> None:
    location = tus.begin(slug, b"0123456789")
    assert tus.patch(location, 0, b"01234").status_code == 204
    bob = person("Bob")
    code = tus.http.post(f"/teams/{team_id}/invitations").json()["code"]
    bob.http.post(f"/invitations/{code}/accept")
    assert Tus(bob.http).patch(location, 5, b"56789").status_code == 204


def test_a_token_that_may_only_read_uploads_nothing(
    captain: Person, tus: Tus, slug: str, clients: Callable[[str | None], httpx.Client]
) -> None:
    location = tus.begin(slug, b"0123456789")
    reader = clients(captain.http.post("/tokens", json={"name": "r", "scopes": ["read"]}).json()["token"])
    assert _code(Tus(reader).create(slug, b"data"), 403) == "scope_missing"
    assert _code(Tus(reader).patch(location, 0, b"0123456789"), 403) == "scope_missing"
    assert reader.get(location).status_code == 200


def test_an_ended_upload_is_gone_with_its_bytes(tus: Tus, slug: str, settings: Settings) -> None:
    location = tus.begin(slug, b"0123456789")
    assert tus.patch(location, 0, b"01234").status_code == 204
    assert tus.http.delete(location).status_code == 204
    assert tus.http.get(location).status_code == 404
    assert _code(tus.patch(location, 5, b"56789"), 404) == "unknown_upload"
    assert not upload_path(settings.uploads, UUID(location.rsplit("/", 1)[1])).exists()


def test_unfinished_uploads_are_counted_per_team(tus: Tus, slug: str, stranger: Person) -> None:
    locations = [tus.begin(slug, b"0123456789") for _ in range(UNFINISHED_PER_TEAM)]
    assert _code(tus.create(slug, b"one more"), 409) == "too_many_uploads"
    assert Tus(stranger.http).create(slug, b"one more").status_code == 201
    assert tus.http.delete(locations[0]).status_code == 204
    assert tus.create(slug, b"one more").status_code == 201


def test_an_upload_that_ran_out_is_gone_and_makes_room(
    tus: Tus, slug: str, sessions: SessionFactory, settings: Settings
) -> None:
    location = tus.begin(slug, b"0123456789")
    assert tus.patch(location, 0, b"01234").status_code == 204
    upload_id = UUID(location.rsplit("/", 1)[1])
    with unit_of_work(sessions) as session:
        late = func.now() - timedelta(seconds=1)
        session.execute(update(Upload).where(Upload.id == upload_id).values(expires_at=late))
    assert _code(tus.patch(location, 5, b"56789"), 410) == "upload_expired"
    with unit_of_work(sessions) as session:
        assert expire_uploads(session, uploads=settings.uploads) >= 1
    assert not upload_path(settings.uploads, upload_id).exists()
    told = tus.http.get(location).json()
    assert (told["status"], told["code"]) == ("rejected", "upload_expired")
    assert tus.http.head(location).status_code == 410
    assert _code(tus.patch(location, 5, b"56789"), 410) == "upload_expired"


def test_many_mebibytes_arrive_whole(tus: Tus, slug: str, settings: Settings) -> None:
    block = os.urandom(2**20)
    digest = hashlib.sha256()
    for _ in range(80):
        digest.update(block)
    location = tus.begin(slug, b"", length=80 * 2**20, sha256=digest.hexdigest())
    assert tus.patch(location, 0, (block for _ in range(80))).status_code == 204
    with upload_path(settings.uploads, UUID(location.rsplit("/", 1)[1])).open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == digest.hexdigest()
