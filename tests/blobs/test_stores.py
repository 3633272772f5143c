"""What every store of blobs does, the same for files and for the buckets of two S3 servers."""

import hashlib
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from server.blobs import BlobsAway, BlobStore, FileStore
from server.disk import Room
from server.errors import DataMissing, StorageFull
from tests.blobs.conftest import Stores
from tests.blobs.servers import S3Server

HOUR = 3600.0


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


MISSING = digest_of(b"nobody wrote this")


def _everything(store: BlobStore, *, before: float | None = None) -> dict[str, int]:
    pages = store.stored(before=time.time() + HOUR if before is None else before)
    return {digest: size for page in pages for digest, size in page.items()}


@pytest.mark.parametrize("data", [b"", b"a layer", bytes(range(256)) * 4096], ids=["empty", "small", "large"])
def test_what_was_written_is_read_again(store: BlobStore, tmp_path: Path, data: bytes) -> None:
    digest = store.put(data)
    assert digest == digest_of(data)
    assert store.has(digest)
    assert store.size(digest) == len(data)
    with store.open(digest) as file:
        assert file.read() == data
    assert b"".join(store.read(digest)) == data
    store.bring({tmp_path / "one": digest, tmp_path / "two": digest})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes() == data


def test_a_blob_of_many_pieces_is_whole(store: BlobStore) -> None:
    """More than a part that is sent at once, and more than a piece that is read at once; no power of two."""
    data = hashlib.shake_256(b"seed").digest(20_000_003)
    digest = store.put(data)
    found = hashlib.sha256()
    for piece in store.read(digest):
        found.update(piece)
    assert f"sha256:{found.hexdigest()}" == digest
    assert store.size(digest) == len(data)


def test_what_is_not_stored_is_missing_and_no_error_of_another_kind(store: BlobStore, tmp_path: Path) -> None:
    there = store.put(b"there")
    assert not store.has(MISSING)
    assert store.sizes([there, MISSING]) == {there: 5}
    assert store.sizes([]) == {}
    for ask in (store.size, store.open, lambda digest: list(store.read(digest))):
        with pytest.raises(FileNotFoundError):
            ask(MISSING)
    with pytest.raises(FileNotFoundError):
        store.bring({tmp_path / "out": there, tmp_path / "gone": MISSING})


@pytest.mark.parametrize("name", ["", "sha256:", "sha256:" + "A" * 64, "sha256:../../etc", "md5:" + "0" * 64])
def test_only_a_digest_names_a_blob(store: BlobStore, name: str) -> None:
    for ask in (store.has, store.size, store.open):
        with pytest.raises(ValueError, match="64 hexadecimal"):
            ask(name)


def test_nothing_is_stored_before_it_is_committed_and_nothing_lies_about_afterwards(store: BlobStore) -> None:
    with store.writer() as writer:
        writer.write(b"given up")
        given_up = writer.digest
        assert not store.has(given_up)
    assert not store.has(given_up)
    with pytest.raises(RuntimeError, match="on the way"):
        _fail_on_the_way(store)
    digest = store.put(b"kept")
    assert store.put(b"kept") == digest
    assert _everything(store) == {digest: 4}
    assert [path.name for path in store.incoming.iterdir() if path.name != "lock"] == []


def _fail_on_the_way(store: BlobStore) -> None:
    with store.writer() as writer:
        writer.write(b"failed")
        raise RuntimeError("on the way")


def test_what_is_set_aside_becomes_a_blob_when_it_is_adopted_and_again_is_as_good_as_once(
    store: BlobStore,
) -> None:
    with store.writer() as writer:
        writer.write(b"an output")
        writer.seal()
        writer.seal()
        digest = writer.set_aside("output-1")
    store.adopt("output-1", digest)
    store.adopt("output-1", digest)
    with store.open(digest) as file:
        assert file.read() == b"an output"
    with pytest.raises(DataMissing, match="lost this output"):
        store.adopt("output-2", MISSING)


def test_a_file_is_taken_in(store: BlobStore, tmp_path: Path) -> None:
    path = tmp_path / "layer"
    path.write_bytes(b"from a check")
    digest = store.take_in(path)
    assert digest == digest_of(b"from a check")
    path.write_bytes(b"from a check")
    assert store.take_in(path) == digest
    assert _everything(store) == {digest: 12}


def test_all_blobs_are_listed_and_nothing_else_in_the_place(store: BlobStore) -> None:
    digests = {store.put(f"blob {number}".encode()): len(f"blob {number}") for number in range(12)}
    assert _everything(store) == digests
    assert _everything(store, before=time.time() - HOUR) == {}


def test_what_nobody_relied_on_is_taken_and_what_is_young_stays(store: BlobStore) -> None:
    old, kept = store.put(b"old"), store.put(b"kept")
    assert store.take([old], before=time.time() - HOUR) == []
    assert store.has(old)
    taken = store.take([old, MISSING], before=time.time() + HOUR)
    assert [delete() for delete in taken] == [3]
    assert _everything(store) == {kept: 4}
    assert store.take([old], before=time.time() + HOUR) == []
    assert store.put(b"old") == old
    assert store.has(old)


def test_a_disk_without_room_is_said_before_it_is_full(store: BlobStore) -> None:
    store.room = Room(store.root.parent, 2**62)
    with store.writer() as writer, pytest.raises(StorageFull):
        writer.write(b"one byte too many")


def test_what_killed_processes_left_is_tidied_again_and_again(store: BlobStore) -> None:
    digest = store.put(b"a layer")
    for _ in range(2):
        store.tidy(timedelta(days=1))
    assert _everything(store) == {digest: 7}


def test_a_link_opens_one_blob_for_a_while(server: S3Server, stores: Stores) -> None:
    store = stores(server.bucket())
    digest = store.put(b"a layer")
    link = store.link(digest, 60)
    assert link is not None
    answer = httpx.get(link, trust_env=False)
    assert (answer.status_code, answer.content) == (200, b"a layer")
    assert server.secret_key not in link


def test_a_link_opens_no_other_blob_and_ends(on_swift: S3Server, stores: Stores) -> None:
    store = stores(on_swift.bucket())
    digest, other = store.put(b"a layer"), store.put(b"another")
    link = str(store.link(digest, 60))
    names = [one.removeprefix("sha256:") for one in (digest, other)]
    for own, foreign in zip(names, reversed(names), strict=True):
        moved = link.replace(f"{own[:2]}/{own}", f"{foreign[:2]}/{foreign}")
        assert moved == link or httpx.get(moved, trust_env=False).status_code == 403
    assert httpx.put(link, content=b"worse", trust_env=False).status_code == 403
    short = str(store.link(digest, 1))
    time.sleep(2.1)  # it ends by the clock of the store
    assert httpx.get(short, trust_env=False).status_code == 403


def test_files_have_no_links(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    assert store.link(store.put(b"a layer"), 60) is None


def test_what_somebody_else_put_there_is_no_blob_and_stays(
    server: S3Server, stores: Stores, tmp_path: Path
) -> None:
    place, files = server.bucket(), FileStore(tmp_path / "files")
    for store in (files, stores(place)):
        digest = store.put(b"a layer")
        name = digest.removeprefix("sha256:")
        for other in (f"{name[:2]}/notes.txt", "README", f"00/{name}"):
            server.client.put_object(Bucket=place.bucket, Key=place.key(other), Body=b"not ours")
        (files.path(digest).parent / "notes.txt").write_text("not ours")
        assert _everything(store) == {digest: 7}


def test_installations_share_a_bucket_by_their_prefixes(server: S3Server, stores: Stores) -> None:
    place = server.bucket(prefix="one")
    first, second, whole = (stores(server.place(place.bucket, prefix)) for prefix in ("one", "onetwo", ""))
    digest = first.put(b"a layer")
    assert not second.has(digest)
    assert _everything(second) == _everything(whole) == {}
    other = whole.put(b"another")
    assert _everything(whole) == {other: 7}
    assert _everything(first) == {digest: 7}


def test_parts_of_uploads_that_were_broken_off_are_removed_by_their_age(
    server: S3Server, stores: Stores
) -> None:
    place = server.bucket()
    store, client = stores(place), server.client
    key = place.key("ab/unfinished")
    upload = client.create_multipart_upload(Bucket=place.bucket, Key=key)["UploadId"]
    client.upload_part(Bucket=place.bucket, Key=key, UploadId=upload, PartNumber=1, Body=bytes(5 * 2**20))
    elsewhere = client.create_multipart_upload(Bucket=place.bucket, Key="elsewhere/b")["UploadId"]
    if server.access_key != "a-key":  # moto says of all of them that they began in 2010
        store.tidy(timedelta(hours=1))
        assert _uploads(server, place.bucket) == {upload, elsewhere}
    store.tidy(timedelta(seconds=-60))
    assert _uploads(server, place.bucket) == {elsewhere}


def _uploads(server: S3Server, bucket: str) -> set[str]:
    told = server.client.list_multipart_uploads(Bucket=bucket)
    return {row["UploadId"] for row in told.get("Uploads", ())}


def test_a_store_may_want_the_bucket_in_the_name_of_its_host(
    on_moto: S3Server, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name leads nowhere here, so moto is the proxy too, and takes the bucket from the host that is asked for."""
    path_style = on_moto.bucket()
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, on_moto.endpoint)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")
    store = stores(replace(path_style, endpoint="http://s3.amazonaws.com", path_style=False))
    digest = store.put(b"a layer")
    assert (store.size(digest), store.has(MISSING)) == (7, False)
    assert str(store.link(digest, 60)).startswith(f"http://{path_style.bucket}.s3.amazonaws.com/")
    store.tidy(timedelta(days=1))
    assert stores(path_style).has(digest)


def test_a_bucket_that_does_not_exist_is_away_and_not_empty(server: S3Server, stores: Stores) -> None:
    store = stores(server.place("never-made"))
    for ask in (store.has, store.size, store.open):
        with pytest.raises(BlobsAway, match="no bucket never-made"):
            ask(MISSING)
