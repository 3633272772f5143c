"""Whose fault it is that an engine refuses an image: the same whatever engine refuses it, in whatever words."""

import dataclasses
import hashlib
import io
import json
import tarfile
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evaluator.verdicts import Fault, PlatformFault
from sandbox import doctor
from sandbox.archive import canonical_name
from sandbox.engine import Engine
from sandbox.faults import EngineFault, ImageRefused
from sandbox.jobs import CaseJob, Slot
from sandbox.loading import load_image
from sandbox.refusals import is_whole, ran_out
from sandbox.run import run_case
from sandbox.start import sentence
from tests.hostile.tiny import entry, file
from tests.hostile.tiny import layer as layer_of
from tests.sandbox.archives import config, digest, special, tar
from tests.sandbox.engine_answers import CREATES, HOSTS, LOADS
from tests.sandbox.engines import Answer, engine_that, failure, stream

ENGINES = ("docker",)


def archive(*layers: bytes, **changes: Any) -> tuple[bytes, str]:
    """A canonical archive of an image of its own, whatever a check would say of it, and the image's id."""
    image = config(*layers, author=uuid.uuid4().hex, **changes)
    name, names = digest(image), [f"{digest(one)[7:]}.tar" for one in layers]
    manifest = [{"Config": f"{name[7:]}.json", "RepoTags": [canonical_name(name)], "Layers": names}]
    members = dict(zip(names, layers, strict=True)) | {f"{name[7:]}.json": image}
    return tar(("manifest.json", json.dumps(manifest).encode()), *members.items()), name


GOOD = tar(("app/predict.py", b"print(1)\n"))


def pax(key: str, value: str) -> bytes:
    member = tarfile.TarInfo("a")
    member.pax_headers = {key: value}
    return tar(member, format=tarfile.PAX_FORMAT)


def folders(*names: str) -> list[tarfile.TarInfo]:
    return [special(name, tarfile.DIRTYPE) for name in names]


REFUSED: dict[str, tuple[tuple[bytes, ...], dict[str, Any]]] = {
    "a hard link to the root": ((tar(*folders("."), special("/", tarfile.LNKTYPE, ".")),), {}),
    "a hard link to nothing": ((tar(special("app/again", tarfile.LNKTYPE, "app/nothing")),), {}),
    "a file through a link to nothing": (
        (tar(special("x", tarfile.SYMTYPE, "/real"), *folders("x/dir"), ("x/dir/file", b"1")),),
        {},
    ),
    "a creation date in words": ((GOOD,), {"created": "2026-11-28 17:00"}),
    "more history than layers": ((GOOD,), {"history": [{"created_by": "a"}, {"created_by": "b"}]}),
    "a number that Go does not read": ((GOOD,), {"config": {"StopTimeout": float("nan")}}),
    "an attribute that no file system keeps": ((pax("SCHILY.xattr.user.a", "b" * 5000),), {}),
    "an attribute of too long a name": ((pax("SCHILY.xattr.user." + "a" * 300, "b"),), {}),
    "a folder that was a file, twice": ((tar(("a", b"1")), tar(("a/b", b"2"), ("a/b/c", b"3"))), {}),
    "ports that are a number": ((GOOD,), {"config": {"ExposedPorts": 5}}),
}


@pytest.mark.parametrize(("layers", "changes"), REFUSED.values(), ids=REFUSED)
def test_an_image_that_this_engine_cannot_load_is_the_participants(
    layers: tuple[bytes, ...], changes: dict[str, Any], engine: Engine
) -> None:
    data, name = archive(*layers, **changes)
    assert is_whole(io.BytesIO(data), name)
    with pytest.raises(ImageRefused):
        load_image(engine, io.BytesIO(data), name)
    assert not engine.has_image(name)


@pytest.mark.parametrize("said", LOADS.values(), ids=LOADS)
@pytest.mark.parametrize("status", [200, 500])
def test_whatever_an_engine_says_of_one_image_only_is_the_images_fault(said: str, status: int) -> None:
    data, name = archive(GOOD)
    recorded = (status, stream(said) if status == 200 else failure(said))
    with engine_that(loads(recorded, only=name)) as engine, pytest.raises(ImageRefused) as caught:
        load_image(engine, io.BytesIO(data), name)
    assert said in str(caught.value)


@pytest.mark.parametrize("said", LOADS.values(), ids=LOADS)
def test_what_it_says_of_every_image_is_the_platforms(said: str) -> None:
    data, name = archive(GOOD)
    with engine_that(loads((200, stream(said)))) as engine, pytest.raises(EngineFault) as caught:
        load_image(engine, io.BytesIO(data), name)
    assert caught.value.fault is PlatformFault.ENGINE_UNAVAILABLE
    assert "known image" in caught.value.detail


def loads(recorded: Answer, *, only: str = "", times: int = 9) -> Callable[[str, str, bytes], Answer | None]:
    """Answers to loads, of one image or all, so many times."""
    left = [times]

    def answer(method: str, path: str, body: bytes) -> Answer | None:
        if not (path.partition("?")[0].endswith("/images/load") and only[7:].encode() in body and left[0]):
            return None
        left[0] -= 1
        return recorded

    return answer


@pytest.mark.parametrize("said", HOSTS.values(), ids=HOSTS)
def test_what_a_host_has_run_out_of_is_the_platforms_though_other_images_load(
    said: str, engine: Engine
) -> None:
    data, name = archive(GOOD)
    recorded = stream(said.format(store=engine.host["DockerRootDir"]))
    with engine_that(loads((200, recorded), only=name)) as asked, pytest.raises(EngineFault) as caught:
        load_image(asked, io.BytesIO(data), name)
    assert caught.value.fault is PlatformFault.ENGINE_UNAVAILABLE


@pytest.mark.parametrize("status", [401, 403, 409, 502, 503, 504])
def test_a_gateway_that_finds_no_engine_says_nothing_of_an_image(status: int) -> None:
    data, name = archive(GOOD)
    with engine_that(loads((status, failure("gone")), only=name)) as engine, pytest.raises(EngineFault):
        load_image(engine, io.BytesIO(data), name)


def test_an_image_that_is_loaded_at_the_second_try_is_nobodys_fault() -> None:
    """As engines of 19.03 do where two loads meet in one layer."""
    data, name = archive(GOOD)
    said = "rename /tmp/write-set-1 /tmp/sha256/0a: file exists"
    with engine_that(loads((200, stream(said)), only=name, times=1)) as engine:
        try:
            load_image(engine, io.BytesIO(data), name)
            assert engine.has_image(name)
        finally:
            engine.remove_image(name)


def other_ids(method: str, path: str, body: bytes) -> Answer | None:
    """As an engine answers that keeps images in containerd's store: an image has the id of its manifest."""
    found = "/images/proctor/" in path and path.endswith("/json")
    return (200, json.dumps({"Id": digest(path.encode())}).encode()) if found else None


def test_an_engine_that_gives_other_ids_is_told_to_the_organizers(engine: Engine) -> None:
    data, name = archive(GOOD)
    with (
        engine_that(other_ids) as elsewhere,
        pytest.raises(EngineFault, match="containerd-snapshotter") as caught,
    ):
        load_image(elsewhere, io.BytesIO(data), name)
    assert caught.value.fault is PlatformFault.ENGINE_UNAVAILABLE
    assert not engine.has_image(name)


@pytest.mark.parametrize(("kind", "level"), [("io.containerd.snapshotter.v1", "problem"), ("overlay2", "ok")])
def test_the_doctor_looks_where_an_engine_keeps_images(kind: str, level: str, engine: Engine) -> None:
    info = json.dumps(engine.info() | {"DriverStatus": [["driver-type", kind]]}).encode()
    with engine_that(lambda _, path, __: (200, info) if path.endswith("/info") else None) as elsewhere:
        found = {one.name: one.level for one in doctor.report(elsewhere)}
    assert found["images"] == level


def test_a_full_disk_is_told_from_an_attribute_that_is_too_long(engine: Engine, tmp_path: Path) -> None:
    said = "failed to register layer: write /x: no space left on device"
    assert not ran_out(engine, said, 1000)
    assert ran_out(engine, said, 2**60)
    with engine_that(lambda *_: None) as elsewhere:
        elsewhere.host = engine.host | {"DockerRootDir": str(tmp_path / "on another host")}
        assert ran_out(elsewhere, said, 1000)
        named = 'link "a: no space left on device" b: file exists'
        assert not ran_out(elsewhere, named, 1000), "names that an image chose do not clear it"


def test_an_archive_that_was_damaged_on_this_host_is_the_platforms(engine: Engine) -> None:
    mark = uuid.uuid4().bytes
    data, name = archive(tar(("a", mark)), tar(("b", b"2")))
    broken = data.replace(mark, mark[::-1])
    for given, wanted in ((broken, name), (data[:3000], name), (b"", name), (data, "sha256:" + "0" * 64)):
        with pytest.raises(EngineFault) as caught:
            load_image(engine, io.BytesIO(given), wanted)
        assert caught.value.fault is PlatformFault.IMAGE_MISSING
    engine.remove_image(name)


def asks(
    what: str, recorded: Answer, image: str, *, times: int = 9
) -> Callable[[str, str, bytes], Answer | None]:
    """An answer to `create` or `start` of containers of this image alone ("" for any)."""
    ours: set[str] = set()
    left = [times]

    def answer(method: str, path: str, body: bytes) -> Answer | None:
        route, _, query = path.partition("?")
        if route.endswith("/containers/create") and image.encode() in body:
            ours.add(query.rpartition("name=")[2])
            return spent() if what == "create" else None
        if route.endswith("/start") and what == "start" and (image == "" or wanted(route)):
            return spent()
        return None

    def wanted(route: str) -> bool:
        with_engine = Engine.connect()
        found = with_engine.raw.state(route.split("/")[-2]).name
        with_engine.close()
        return found in ours

    def spent() -> Answer | None:
        left[0] -= 1
        return recorded if left[0] >= 0 else None

    return answer


@pytest.mark.parametrize(("what", "who", "status", "said"), CREATES)
def test_a_container_that_is_refused_of_one_image_only_is_no_start(
    what: str,
    who: str,
    status: int,
    said: str,
    make_job: Callable[..., CaseJob],
    image: str,
    engine: Engine,
) -> None:
    store = engine.host["DockerRootDir"]
    said = said.format(store=store)
    with engine_that(asks(what, (status, failure(said)), image)) as elsewhere:
        outcome = run_case(elsewhere, make_job())
    assert outcome.verdict.fault is Fault.NO_START
    assert said not in outcome.verdict.message == sentence(said)
    assert outcome.log[:20] == said[:20], "who may read the log learns what the engine said"
    assert store not in outcome.log


@pytest.mark.parametrize("what", ["create", "start"])
def test_a_container_that_is_refused_of_every_image_is_the_platforms(
    what: str, make_job: Callable[..., CaseJob]
) -> None:
    said = "OCI runtime create failed: exec format error"
    recorded = asks(what, (500, failure(said)), "")
    with engine_that(recorded) as engine, pytest.raises(EngineFault) as caught:
        run_case(engine, make_job())
    assert caught.value.fault is PlatformFault.ENGINE_UNAVAILABLE


@pytest.mark.parametrize("what", ["create", "start"])
def test_a_container_that_is_refused_once_runs(
    what: str, make_job: Callable[..., CaseJob], image: str
) -> None:
    recorded = asks(what, (500, failure("try later")), image, times=1)
    with engine_that(recorded) as engine:
        outcome = run_case(engine, make_job())
    assert outcome.verdict.valid


@pytest.mark.parametrize(
    "said", ["fork/exec /usr/bin/runc: cannot allocate memory", "context deadline exceeded"]
)
def test_a_host_without_memory_or_time_is_the_platforms(
    said: str, make_job: Callable[..., CaseJob], image: str
) -> None:
    recorded = asks("start", (500, failure(said)), image)
    with engine_that(recorded) as engine, pytest.raises(EngineFault):
        run_case(engine, make_job())


def test_a_gpu_that_no_image_gets_is_a_gpu_fault(make_job: Callable[..., CaseJob], engine: Engine) -> None:
    """This engine knows no driver for it, which is what a host whose driver went away looks like."""
    with pytest.raises(EngineFault) as caught:
        run_case(engine, make_job(slot=Slot(gpu_uuid="GPU-1")))
    assert caught.value.fault is PlatformFault.GPU_FAULT


def test_an_image_that_went_away_is_missing_and_not_to_blame(
    make_job: Callable[..., CaseJob], image: str
) -> None:
    job = dataclasses.replace(make_job(), image="sha256:" + hashlib.sha256(b"x").hexdigest())
    with engine_that(lambda *_: None) as engine, pytest.raises(EngineFault) as caught:
        run_case(engine, job)
    assert caught.value.fault is PlatformFault.IMAGE_MISSING


def test_the_image_is_refused_not_the_disk_that_its_files_fill(
    engine: Engine, make_job: Callable[..., CaseJob], load: Callable[[Path], str], tmp_path: Path
) -> None:
    path = tmp_path / "image.tar"
    large = layer_of(file("tmp/large", bytes(50 << 20)), entry("tmp", tarfile.DIRTYPE))
    data, name = archive(large, config={"Entrypoint": ["/x"]})
    path.write_bytes(data)
    load_image(engine, io.BytesIO(data), name)
    try:
        outcome = run_case(engine, make_job(image=name))
    finally:
        engine.remove_image(name)
    assert outcome.verdict.fault is Fault.NO_START
    assert "too large" in outcome.verdict.message


@pytest.mark.parametrize(
    "name", ["connection refused", "a: cannot allocate memory", "no space left on device"]
)
def test_an_image_that_says_the_words_of_a_broken_host_is_refused_all_the_same(
    engine: Engine, make_job: Callable[..., CaseJob], name: str
) -> None:
    """Its VOLUME is a link in a circle, with whose name the engine ends its sentence."""
    circle = layer_of(entry(name, tarfile.SYMTYPE, f"/{name}"), file("mark", uuid.uuid4().bytes))
    data, image = archive(circle, config={"Entrypoint": ["/x"], "Volumes": {f"/{name}": {}}})
    load_image(engine, io.BytesIO(data), image)
    try:
        outcome = run_case(engine, make_job(image=image))
    finally:
        engine.remove_image(image)
    assert outcome.verdict.fault is Fault.NO_START
    assert outcome.log.startswith("evalSymlinksInScope: too many links")
