"""What admins do with blobs in a bucket: moving them there and back, reading them back, and the doctor's probe."""

import hashlib
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from server.blobs import BlobStore, BucketPlace, FileStore
from server.database import unit_of_work
from server.settings import Settings
from server.storage.needed import missing, needed
from tests.blobs.conftest import Stores
from tests.blobs.proxy import Proxy, Weather
from tests.blobs.servers import S3Server, swift
from tests.server.lab import Entrant, Lab
from tests.server.organizer import Admin
from worker.admin.blobs import check, copy
from worker.admin.bucket_findings import blob_store, judged
from worker.admin.bucket_told import note_bucket, untold
from worker.admin.findings import FindingState
from worker.admin.main import collect

Run = Callable[..., Result]


def _told(monkeypatch: pytest.MonkeyPatch, place: BucketPlace, **changes: str) -> str:
    """Says in the environment where the bucket is; what BLOBS_URL would be."""
    url = f"s3://{place.bucket}/{place.prefix}"
    told = {"ENDPOINT": place.endpoint, "ACCESS_KEY": place.access_key, "SECRET_KEY": place.secret_key}
    for name, value in (told | changes).items():
        monkeypatch.setenv(f"PROCTOR_BLOBS_{name}", value)
    return url


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `proctor-admin` on an installation in a directory of this test's own; none of this asks the database."""
    for name, value in {
        "DATABASE_URL": "postgresql+psycopg://nobody@127.0.0.1:9/none",
        "PROCTOR_DATA": str(tmp_path / "data"),
        "PROCTOR_SECRET_KEY": "k" * 40,
        "PROCTOR_DISK_RESERVE": "0",
    }.items():
        monkeypatch.setenv(name, value)
    return lambda *words: CliRunner().invoke(collect(), [*words])


def _files(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "data" / "blobs")


def _everything(store: BlobStore) -> dict[str, int]:
    pages = store.stored(before=time.time() + 3600)
    return {digest: size for page in pages for digest, size in page.items()}


def _said(result: Result) -> str:
    return " ".join(result.output.split())


def test_blobs_move_to_a_bucket_and_back_and_what_is_there_is_not_sent_again(
    run: Run, server: S3Server, stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, files = server.bucket(), _files(tmp_path)
    url, bucket = _told(monkeypatch, place), stores(place)
    digests = {files.put(f"blob {number}".encode() * 1000): number for number in range(9)}
    result = run("blobs", "copy", "--to", url)
    assert result.exit_code == 0, result.output
    assert "copied 9 blobs" in result.output
    assert _everything(bucket) == _everything(files)
    extra = files.put(b"came meanwhile")
    assert "copied 1 blob, 0.0 MiB; 9 were there" in _said(run("blobs", "copy", "--to", url))
    monkeypatch.setenv("BLOBS_URL", url)
    assert "copied 0 blobs" in run("blobs", "copy", "--to", url).output, "from files, where the aim is set"
    for path in files.root.glob("??/*"):
        path.unlink()
    assert "copied 10 blobs" in run("blobs", "copy", "--to", "files").output
    assert _everything(files).keys() == {*digests, extra}
    with files.open(extra) as file:
        assert file.read() == b"came meanwhile"
    assert [path.name for path in files.incoming.iterdir()] == []


def test_a_copy_that_was_broken_off_goes_on_where_it_was(
    proxy: Proxy, on_swift: S3Server, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, files = on_swift.bucket(), _files(tmp_path)
    url = _told(monkeypatch, place, ENDPOINT=proxy.endpoint, PATIENCE="16")
    for number in range(20):
        files.put(f"blob {number}".encode())
    proxy.weather = _closing_after(25)
    result = run("blobs", "copy", "--to", url)
    assert result.exit_code == 1
    assert "goes on from there" in _said(result)
    proxy.weather = Weather()
    result = run("blobs", "copy", "--to", url)
    assert result.exit_code == 0, result.output
    assert _everything(files) == _everything(on_swift_store(on_swift, place, tmp_path))


def _closing_after(answers: int) -> Weather:
    """A network that ends after so many answers."""

    class Ending(Weather):
        left = answers

        @property
        def closed(self) -> bool:  # type: ignore[override]
            self.left -= 1
            return self.left < 0

        @closed.setter
        def closed(self, value: bool) -> None:
            """Nothing sets it."""

    return Ending()


def on_swift_store(server: S3Server, place: BucketPlace, tmp_path: Path) -> BlobStore:
    from server.blobs import store_of

    return store_of(server.place(place.bucket, place.prefix), FileStore(tmp_path / "other"))


def test_what_is_damaged_is_named_and_neither_copied_nor_counted_as_whole(
    run: Run, on_moto: S3Server, stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, files = on_moto.bucket(), _files(tmp_path)
    url, bucket = _told(monkeypatch, place), stores(place)
    whole, damaged = files.put(b"whole"), files.put(b"damaged")
    files.path(damaged).write_bytes(b"changed")
    result = run("blobs", "copy", "--to", url)
    assert result.exit_code == 1
    assert damaged in _said(result).replace(" ", "")
    assert _everything(bucket) == {whole: 5}
    monkeypatch.setenv("BLOBS_URL", url)
    assert f"1 blob in {place}" in _said(run("blobs"))


def test_a_check_names_what_is_damaged_and_what_rows_lack(
    lab: Lab,
    team: Entrant,
    stores: Stores,
    on_moto: S3Server,
    command: Admin,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a bucket that has the team's configuration, another one's blob that is damaged, and not the team's layer."""
    place = on_moto.bucket()
    monkeypatch.setenv("BLOBS_URL", _told(monkeypatch, place))
    bucket = stores(place)
    with lab.settings.blobs.open(team.image) as file:
        assert bucket.put(file.read()) == team.image
    damaged = bucket.put(b"damaged")
    result = command("blobs", "check")
    assert "2 blobs read back and found whole" in result.output
    with unit_of_work(lab.sessions) as session:
        lost = missing(session, bucket)
        assert lost == {one for some in needed(session) for one in some} - {team.image}
    assert f"Missing, though rows name it: {len(lost):,} blob" in _said(result)
    assert result.exit_code == 1
    name = damaged.removeprefix("sha256:")
    on_moto.client.put_object(Bucket=place.bucket, Key=place.key(f"{name[:2]}/{name}"), Body=b"wrong")
    result = command("blobs", "check")
    assert result.exit_code == 1
    assert "1 blob read back and found whole" in result.output
    assert damaged in _said(result).replace(" ", "")


def test_a_check_of_files_reads_them_back(tmp_path: Path) -> None:
    files = _files(tmp_path)
    whole = files.put(b"whole")
    tally = check(files)
    assert (tally.done, tally.bytes, tally.damaged) == (1, 5, [])
    files.path(whole).write_bytes(b"other")
    assert check(files).damaged == [whole]


def test_a_blob_that_goes_while_others_are_copied_is_no_failure(tmp_path: Path) -> None:
    class Vanishing(FileStore):
        def stored(self, *, before: float) -> Any:
            yield {"sha256:" + hashlib.sha256(b"gone").hexdigest(): 4}

    tally = copy(Vanishing(tmp_path / "from"), FileStore(tmp_path / "to"))
    assert (tally.done, tally.gone, tally.damaged) == (0, 1, [])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("copy",), "Say with --to"),
        (("show", "--to", "files"), "Say with --to"),
        (("copy", "--to", "files"), "The blobs are files already"),
        (("copy", "--to", "https://bucket"), "BLOBS_URL has to be s3://BUCKET"),
    ],
)
def test_what_cannot_be_done_is_said(
    run: Run, words: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch, on_moto: S3Server
) -> None:
    _told(monkeypatch, on_moto.place("bucket"))
    result = run("blobs", *words)
    assert result.exit_code == 1
    assert said in _said(result)


def test_the_doctor_says_nothing_where_blobs_are_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BLOBS_URL", raising=False)
    assert [*blob_store(Path())] == []


def test_a_command_that_is_not_told_of_the_bucket_takes_no_files_for_all_blobs(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of an installation that `up` runs here; elsewhere every program is told of its own."""
    data = tmp_path / "data"
    for folder in ("postgres", "secrets"):
        (data / folder).mkdir(parents=True)
    (data / "secrets" / "secret_key").write_text("k" * 40)
    monkeypatch.delenv("DATABASE_URL")
    monkeypatch.setenv("BLOBS_URL", "s3://bucket/proctor")
    note_bucket(data)
    monkeypatch.delenv("BLOBS_URL")
    for words in (("backup", str(tmp_path / "backup")), ("blobs", "check"), ("gc",)):
        result = run(*words)
        assert result.exit_code == 1, words
        assert "are in s3://bucket/proctor, and BLOBS_URL is not set here" in _said(result)
    assert not (tmp_path / "backup").exists()
    (finding,) = blob_store(data)
    assert finding.state is FindingState.FAIL
    note_bucket(data)  # a start without it forgets nothing
    assert untold(data) is not None
    (data / "blobs.url").unlink()  # the blobs were copied back
    assert [*blob_store(data)] == []


def test_the_doctor_tries_the_bucket_and_leaves_nothing_in_it(
    server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = server.bucket()
    monkeypatch.setenv("BLOBS_URL", _told(monkeypatch, place))
    (finding,) = blob_store(Path())
    assert finding.state is FindingState.OK, finding
    assert "written, read, listed and removed" in finding.found
    assert "Contents" not in server.client.list_objects_v2(Bucket=place.bucket)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"SECRET_KEY": "wrong"}, "refuses our keys"),
        ({"ENDPOINT": "http://127.0.0.1:9"}, "does not answer"),
        ({"ENDPOINT": "s3.example"}, "PROCTOR_BLOBS_ENDPOINT has to be"),
        ({"SECRET_KEY": ""}, "needs PROCTOR_BLOBS_ACCESS_KEY"),
    ],
)
def test_the_doctor_says_what_is_wrong_with_the_bucket(
    on_swift: S3Server, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], said: str
) -> None:
    monkeypatch.setenv("BLOBS_URL", _told(monkeypatch, on_swift.bucket(), **changes, PATIENCE="16"))
    (finding,) = blob_store(Path())
    assert finding.state is FindingState.FAIL
    assert said in finding.found
    assert finding.remedy


def test_the_doctor_says_that_a_bucket_is_gone_or_a_clock_is_off(
    on_swift: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BLOBS_URL", _told(monkeypatch, on_swift.place("never-made")))
    assert "no bucket never-made" in next(blob_store(Path())).found
    with swift(tmp_path / "swift", ahead=-7200) as yesterday:
        monkeypatch.setenv("BLOBS_URL", _told(monkeypatch, yesterday.place("bucket")))
        assert "by 2.0 hours" in next(blob_store(Path())).found


def test_the_doctor_warns_of_clocks_before_the_store_refuses_and_of_parts_that_stay() -> None:
    late = judged("s3://b", 0.1, timedelta(minutes=-4), lists_uploads=True)
    assert (late.state, "-240 s off" in late.found) == (FindingState.WARN, True)
    assert judged("s3://b", 0.1, None, lists_uploads=False).state is FindingState.WARN
    assert judged("s3://b", 0.1, timedelta(seconds=3), lists_uploads=True).state is FindingState.OK


def test_settings_of_blobs_are_the_servers_own(
    monkeypatch: pytest.MonkeyPatch, run: Run, on_moto: S3Server
) -> None:
    monkeypatch.setenv("BLOBS_URL", _told(monkeypatch, on_moto.place("bucket")))
    assert Settings().blobs_place is not None  # type: ignore[call-arg]
