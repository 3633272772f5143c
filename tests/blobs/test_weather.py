"""A store that is cut off, slow, lying, closed to us or gone: a sentence for the admin, and never wrong bytes."""

import hashlib
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from server.blobs import BlobDamaged, BlobsAway, BlobStore, BucketPlace
from tests.blobs.conftest import Stores
from tests.blobs.proxy import Proxy, Weather
from tests.blobs.servers import S3Server, swift

MIB = 2**20
LARGE = hashlib.shake_256(b"large").digest(17 * MIB)


@pytest.fixture
def far(on_swift: S3Server, proxy: Proxy, stores: Stores) -> BlobStore:
    """A store behind the proxy, asked by somebody who waits two seconds for an answer to a question."""
    place = on_swift.bucket()
    return stores(replace(place, endpoint=proxy.endpoint, patience=16.0))


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _read(store: BlobStore, digest: str) -> bytes:
    return b"".join(store.read(digest))


def test_connections_that_are_cut_while_a_blob_is_read_are_taken_up_again(
    far: BlobStore, proxy: Proxy
) -> None:
    digest = far.put(LARGE)
    proxy.weather = Weather(least=MIB, cut=MIB // 2, times=3)
    assert _read(far, digest) == LARGE
    assert proxy.weather.times == 0


def test_a_blob_that_never_comes_whole_is_never_given_whole(far: BlobStore, proxy: Proxy) -> None:
    digest = far.put(LARGE)
    proxy.weather = Weather(least=MIB, cut=MIB // 2)
    given: list[bytes] = []
    with pytest.raises(BlobsAway, match="does not answer"):
        given.extend(far.read(digest))
    assert sum(map(len, given)) < len(LARGE)


def test_a_bit_that_was_flipped_once_is_asked_for_again(far: BlobStore, proxy: Proxy, tmp_path: Path) -> None:
    digest = far.put(LARGE)
    proxy.weather = Weather(least=MIB, flip=12345, times=1)
    far.bring({tmp_path / "layer": digest})
    assert (tmp_path / "layer").read_bytes() == LARGE
    assert proxy.weather.times == 0


def test_a_store_that_lies_is_told_by_the_digest_and_gives_nothing_away(
    far: BlobStore, proxy: Proxy, tmp_path: Path
) -> None:
    digest = far.put(LARGE)
    proxy.weather = Weather(least=MIB, flip=12345)
    for ask in (far.open, lambda one: far.bring({tmp_path / "layer": one}), lambda one: [*far.read(one)]):
        with pytest.raises(BlobDamaged, match=digest):
            ask(digest)


def test_the_last_piece_waits_for_the_digest_of_all_of_them(far: BlobStore, proxy: Proxy) -> None:
    """So whoever is sent the pieces never has as many bytes as were announced."""
    for data in (LARGE, b"one small piece"):
        digest = far.put(data)
        proxy.weather = Weather(least=len(data) % (8 * MIB), flip=3)
        given: list[bytes] = []
        with pytest.raises(BlobDamaged):
            given.extend(far.read(digest))
        assert sum(map(len, given)) < len(data)


def test_an_object_that_was_replaced_in_the_bucket_is_damaged(server: S3Server, stores: Stores) -> None:
    place = server.bucket()
    store = stores(place)
    digest = store.put(b"what a team sent")
    name = digest.removeprefix("sha256:")
    for other in (b"what somebody put", b"shorter", b""):
        server.client.put_object(Bucket=place.bucket, Key=place.key(f"{name[:2]}/{name}"), Body=other)
        with pytest.raises(BlobDamaged, match=digest):
            store.open(digest)


def test_a_slow_store_is_waited_for_and_a_silent_one_is_not(far: BlobStore, proxy: Proxy) -> None:
    digest = far.put(b"a layer")
    proxy.weather = Weather(wait=0.2)
    assert _read(far, digest) == b"a layer"
    proxy.weather = Weather(silent=True)
    began = time.monotonic()
    for ask in (far.has, far.size, far.open):
        with pytest.raises(BlobsAway, match="does not answer") as caught:
            ask(digest)
        assert proxy.endpoint in caught.value.why
        assert proxy.endpoint not in caught.value.detail, "whoever asked the server is not told where it is"
    assert time.monotonic() - began < 60


def test_a_cut_upload_stores_nothing_under_the_digest_and_works_the_next_time(
    far: BlobStore, proxy: Proxy
) -> None:
    proxy.weather = Weather(closed=True)
    with pytest.raises(BlobsAway):
        far.put(LARGE)
    proxy.weather = Weather()
    assert not far.has(_digest(LARGE))
    assert not [path for path in far.incoming.iterdir() if path.name != "lock"]
    assert _read(far, far.put(LARGE)) == LARGE


def test_nobody_listens_at_the_endpoint(stores: Stores, on_swift: S3Server) -> None:
    store = stores(replace(on_swift.place("bucket"), endpoint="http://127.0.0.1:9", patience=4.0))
    for ask in (store.has, store.size, store.open, lambda one: store.put(b"a layer")):
        with pytest.raises(BlobsAway, match="does not answer"):
            ask(_digest(b"a layer"))
    with pytest.raises(BlobsAway):
        next(store.stored(before=0))
    with pytest.raises(BlobsAway):
        store.tidy(timedelta(days=1))


@pytest.mark.parametrize(
    "wrong", [{"secret_key": "wrong"}, {"access_key": "nobody:here"}], ids=["secret", "who"]
)
def test_keys_that_are_refused_are_said_without_saying_them(
    on_swift: S3Server, stores: Stores, wrong: dict[str, str]
) -> None:
    place = on_swift.bucket()
    digest = stores(place).put(b"a layer")
    store = stores(replace(place, **wrong))
    for ask in (store.has, store.size, store.open, lambda one: store.put(b"a layer")):
        with pytest.raises(BlobsAway, match="refuses our keys") as caught:
            ask(digest)
        assert "PROCTOR_BLOBS_SECRET_KEY" in caught.value.why
        assert not {"testing", "wrong"} & {*caught.value.why.split()}
    with pytest.raises(BlobsAway, match="refuses our keys"):
        next(store.stored(before=0))


def test_a_bucket_that_vanishes_has_not_lost_its_blobs_but_is_away(server: S3Server, stores: Stores) -> None:
    place = server.bucket()
    store = stores(place)
    digest = store.put(b"a layer")
    assert store.has(digest)
    server.empty(place)
    _wait_until_asked_again(store)
    asks = (
        store.has,
        store.size,
        store.open,
        lambda one: store.put(b"a layer"),
        lambda one: store.sizes([one]),
        lambda one: store.take([one], before=time.time()),
        lambda one: store.adopt("output-1", one),
    )
    for ask in asks:
        with pytest.raises(BlobsAway, match=f"no bucket {place.bucket}"):
            ask(digest)
    server.client.create_bucket(Bucket=place.bucket)
    assert not store.has(digest)
    assert store.put(b"a layer") == digest


def _wait_until_asked_again(store: BlobStore) -> None:
    """A bucket that was seen a moment ago is not looked for each time that a blob is missing."""
    store.bucket._seen = float("-inf")  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def tomorrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A store whose clock is three hours ahead."""
    with swift(tmp_path_factory.mktemp("s3") / "tomorrow", ahead=3 * 3600) as server:
        yield server


def test_clocks_that_differ_by_hours_are_said_with_the_hours(tomorrow: S3Server, stores: Stores) -> None:
    store = stores(tomorrow.place("any-bucket"))
    for ask in (store.has, store.size, store.open, lambda one: store.put(b"a layer")):
        with pytest.raises(BlobsAway, match="clocks of this machine and of the blob store") as caught:
            ask(_digest(b"a layer"))
        assert "by 3.0 hours" in caught.value.why
        assert "NTP" in caught.value.why


def test_a_place_says_where_it_is_and_never_the_secret() -> None:
    place = BucketPlace.at("s3://scores/a/b", None, "eu-north-1", "key", "hush", path_style=False)
    assert str(place) == "s3://scores/a/b at https://s3.eu-north-1.amazonaws.com"
    assert place.origin == "https://scores.s3.eu-north-1.amazonaws.com"
    assert "hush" not in repr(place)


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("http://bucket", None),
        ("s3://", None),
        ("s3://Bucket", None),
        ("s3://bucket/a/../b", None),
        ("s3://bucket/a b", None),
        ("s3://bucket?x=1", None),
        ("s3://user@bucket", None),
        ("s3://bucket", "s3.example"),
        ("s3://bucket", "https://user:pw@s3.example"),
        ("s3://bucket", "https://s3.example/path"),
    ],
)
def test_what_is_no_place_is_refused_before_anything_starts(url: str, endpoint: str | None) -> None:
    with pytest.raises(ValueError, match="has to be"):
        BucketPlace.at(url, endpoint, "us-east-1", "key", "secret", path_style=True)
