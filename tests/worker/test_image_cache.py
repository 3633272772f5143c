"""Images on a run host, on the real engine: held to a budget, the one used longest ago goes, one in use never does."""

import io
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from contract.images import ImageFacts
from sandbox.archive import DirectorySink, canonical_name, check_archive
from sandbox.engine import Engine
from tests.sandbox.archives import config, legacy, pack, tar
from worker.run.host import HostFolder
from worker.run.image_cache import ImageCache, used_by
from worker.run.images import ensure_image
from worker.run.wipe import wipe

SIZE = 10 * 1024  # of a tar with one small file


class Worker:
    """What a slot does with images."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine, self.folder = engine, folder
        self.host = HostFolder(folder / "worker")
        self.sink = DirectorySink(folder / "blobs")
        self.loaded: list[str] = []
        self.fetched: list[str] = []

    def cache(self, budget: int | None) -> ImageCache:
        return ImageCache(self.host, budget)

    def made(self, *layers: bytes) -> ImageFacts:
        """A checked image that nobody else has."""
        own = layers or (tar(("a", uuid.uuid4().bytes)),)
        image = config(*own, created="2026-01-01T00:00:00Z", author=uuid.uuid4().hex)
        facts = check_archive(io.BytesIO(pack(legacy(*own, image=image))), limit=2**30, sink=self.sink)
        assert all(size == SIZE for size in facts.layer_sizes)
        return facts

    def fetch(self, digest: str, target: Path) -> None:
        """As from a server."""
        self.fetched.append(digest)
        with self.sink.open(digest) as blob:
            target.write_bytes(blob.read())

    def bring(self, facts: ImageFacts, budget: int | None) -> str:
        """The image, used for an instant by a case and loaded for it where it is missing."""
        self.loaded.append(facts.digest)
        lease: Any = SimpleNamespace(image=facts)
        with self.host.use_image(facts.digest):
            time.sleep(0.01)  # two uses are told apart
            folder = self.folder / uuid.uuid4().hex
            cache = self.cache(budget)
            assert ensure_image(self.engine, self.fetch, lease, folder, cache=cache) == facts.digest
            assert not folder.exists()
        return facts.digest

    def has(self, *digests: str) -> list[bool]:
        return [self.engine.has_image(digest) for digest in digests]


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = Engine.connect()
    yield engine
    engine.close()


@pytest.fixture
def worker(engine: Engine, tmp_path: Path) -> Iterator[Worker]:
    worker = Worker(engine, tmp_path)
    yield worker
    for digest in worker.loaded:
        engine.remove_image(canonical_name(digest))


def test_the_image_used_longest_ago_goes_when_another_comes(worker: Worker) -> None:
    first, second, third = (worker.made() for _ in range(3))
    a, b = worker.bring(first, 2 * SIZE), worker.bring(second, 2 * SIZE)
    worker.host.mark_warm(b)
    worker.bring(first, 2 * SIZE)  # so the second was used longest ago
    c = worker.bring(third, 2 * SIZE)
    assert worker.has(a, b, c) == [True, False, True]
    assert not worker.host.is_warm(b)
    assert worker.bring(second, 2 * SIZE) == b
    assert worker.has(a, b, c) == [False, True, True]
    assert worker.cache(0).digests() == {b, c}


def test_images_go_where_the_engines_disk_has_few_files_left_whatever_they_have_of_bytes(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An image of two million empty files is a gigabyte; a few dozen of them leave no other image room."""
    a = worker.bring(worker.made(), 9 * SIZE)
    b = worker.bring(worker.made(), 9 * SIZE)
    assert worker.has(a, b) == [True, True]
    state = os.statvfs(worker.engine.host["DockerRootDir"])
    names = [one for one in dir(state) if one.startswith("f_")]
    few = SimpleNamespace(
        **{one: getattr(state, one) for one in names} | {"f_files": 10**7, "f_favail": 10**6}
    )
    monkeypatch.setattr(os, "statvfs", lambda _: few)
    c = worker.bring(worker.made(), 9 * SIZE)
    assert worker.has(a, b, c) == [False, False, True]


def test_an_image_in_use_is_not_taken_even_where_the_budget_is_passed(worker: Worker) -> None:
    a = worker.bring(worker.made(), 2 * SIZE)
    with worker.host.use_image(a), worker.host.use_image(a):
        b = worker.bring(worker.made(), 2 * SIZE)
        c = worker.bring(worker.made(), 1)
        assert worker.has(a, b, c) == [True, False, True]
    d = worker.bring(worker.made(), 1)
    assert worker.has(a, c, d) == [False, False, True]


def test_an_image_with_a_container_is_not_taken(worker: Worker) -> None:
    a = worker.bring(worker.made(), 0)
    container = f"proctor-cache-{uuid.uuid4()}"
    worker.engine.raw.look(a, container)
    try:
        b = worker.bring(worker.made(), 0)
        assert worker.has(a, b) == [True, True]
    finally:
        worker.engine.remove_container(container)
    c = worker.bring(worker.made(), 0)
    assert worker.has(a, b, c) == [False, False, True]


def test_a_layer_that_images_share_counts_once(worker: Worker) -> None:
    shared, own = (tar(("s", uuid.uuid4().bytes)) for _ in range(2))
    first, second = worker.made(shared), worker.made(shared, own)
    a, b = worker.bring(first, 2 * SIZE), worker.bring(second, 2 * SIZE)
    assert worker.has(a, b) == [True, True]
    assert (
        used_by([dict(zip(one.layers, one.layer_sizes, strict=True)) for one in (first, second)]) == 2 * SIZE
    )
    c = worker.bring(worker.made(), 2 * SIZE)
    assert worker.has(a, b, c) == [False, False, True]  # without the first alone, nothing is gained


def test_images_that_no_worker_of_this_host_loaded_are_never_touched(
    worker: Worker, engine: Engine, tmp_path: Path
) -> None:
    other = Worker(engine, tmp_path / "other")
    theirs = other.bring(other.made(), None)
    worker.loaded.append(theirs)
    ours = [worker.bring(worker.made(), 0) for _ in range(2)]
    assert worker.has(theirs, *ours) == [True, False, True]
    assert other.cache(None).digests() == {theirs}


def test_room_on_the_disk_is_made_before_an_image_comes(worker: Worker) -> None:
    a, b = (worker.bring(worker.made(), None) for _ in range(2))
    assert worker.has(a, b) == [True, True]
    huge = worker.made().model_copy(update={"size": 2**60})
    worker.cache(2**61).make_room(worker.engine, huge, worker.folder)
    assert worker.has(a, b) == [False, False]


def test_an_image_that_was_not_loaded_is_not_counted(worker: Worker) -> None:
    facts = worker.made()
    (worker.sink.root / facts.layers[0].removeprefix("sha256:")).unlink()
    with pytest.raises(FileNotFoundError):
        worker.bring(facts, None)
    assert worker.cache(None).digests() == set()


def test_an_image_that_somebody_removed_is_forgotten(worker: Worker) -> None:
    a = worker.bring(worker.made(), 2 * SIZE)
    worker.engine.remove_image(a)
    b, c = worker.bring(worker.made(), 2 * SIZE), worker.bring(worker.made(), 2 * SIZE)
    assert worker.has(b, c) == [True, True]
    assert worker.cache(None).digests() == {b, c}


def test_nobody_begins_to_use_an_image_while_it_is_being_removed(worker: Worker) -> None:
    digest = worker.made().digest
    with worker.host.unused_image(digest) as unused:
        assert unused
        with worker.host.unused_image(digest) as again:
            assert not again
    with worker.host.use_image(digest), worker.host.unused_image(digest) as unused:
        assert not unused


def test_a_command_removes_the_images_that_nothing_uses(worker: Worker) -> None:
    a, b = worker.bring(worker.made(), 9 * SIZE), worker.bring(worker.made(), 9 * SIZE)
    with worker.host.use_image(a):
        some = list(wipe(worker.host.root, images=True))
    assert worker.has(a, b) == [True, False]
    assert "Removed 1 images of participants; 1 are in use and stay." in some
    assert "Removed 1 images of participants." in list(wipe(worker.host.root, images=True))
    assert worker.has(a, b) == [False, False]
    assert worker.cache(0).digests() == set()


def _layer() -> bytes:
    return tar((uuid.uuid4().hex[:8], uuid.uuid4().bytes))


def test_layers_that_the_engine_has_of_another_image_are_not_fetched_again(worker: Worker) -> None:
    base, model = _layer(), _layer()
    first, second = worker.made(base, model, _layer()), worker.made(base, model, _layer())
    worker.bring(first, 9 * SIZE)
    worker.fetched.clear()
    digest = worker.bring(second, 9 * SIZE)
    if not worker.engine.knows_layers:
        assert worker.fetched == list(second.blobs)
        return
    assert worker.fetched == [digest, second.layers[2]]
    found = worker.engine.inspect_image(digest)
    assert (found["Id"], tuple(found["RootFS"]["Layers"])) == (digest, second.layers)


def test_a_layer_is_known_by_those_below_it_and_comes_anew_above_others(worker: Worker) -> None:
    base, model = _layer(), _layer()
    worker.bring(worker.made(base, model), 9 * SIZE)
    for own in ((model, base), (_layer(), base, model), (base, _layer(), base)):
        image = worker.made(*own)
        worker.fetched.clear()
        worker.bring(image, 99 * SIZE)
        assert worker.fetched == list(image.blobs)


def test_an_image_in_whose_favour_its_neighbour_goes_comes_whole(worker: Worker) -> None:
    base = _layer()
    first, second = worker.made(base, _layer(), _layer()), worker.made(base, _layer(), _layer())
    worker.bring(first, 3 * SIZE)
    worker.fetched.clear()
    digest = worker.bring(second, 3 * SIZE)
    assert worker.has(first.digest, digest) == [False, True]
    assert worker.fetched == list(second.blobs)


def test_layers_that_go_while_the_others_are_fetched_come_after_all(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not worker.engine.knows_layers:
        pytest.skip("nothing is left out for this engine")
    base = _layer()
    first, second = worker.made(base, _layer()), worker.made(base, _layer())
    worker.bring(first, 9 * SIZE)
    worker.fetched.clear()
    fetch = worker.fetch

    def removing(digest: str, target: Path) -> None:
        fetch(digest, target)
        if digest == second.layers[1]:
            worker.engine.untag(first.digest)

    monkeypatch.setattr(worker, "fetch", removing)
    assert worker.bring(second, 9 * SIZE) == second.digest
    assert worker.fetched == [second.digest, second.layers[1], *second.blobs]
