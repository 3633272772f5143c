"""The canonical archive is one that a real engine loads, under our name, with the digest as its image id."""

import gzip
import io
import json
import os
import subprocess
import tarfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contract.images import ImageFacts
from sandbox.archive import (
    ArchiveCode,
    ArchiveInvalid,
    Bounds,
    DirectorySink,
    canonical_name,
    check_archive,
    write_canonical,
)
from sandbox.engine import Engine
from sandbox.faults import EngineFault, ImageRefused
from sandbox.loading import load_image
from sandbox.programs import require_machine
from tests.sandbox.archives import LAYER, config, digest, legacy, pack, special, tar
from tests.sandbox.test_archive_programs import AMD, ARM_AT_THE_END, FINE, PYTHON, layer

ENGINES = ("docker",)


def docker(*arguments: str, data: bytes | None = None) -> bytes:
    environment = os.environ | {"DOCKER_BUILDKIT": "0"}
    return subprocess.run(
        ["docker", *arguments], input=data, capture_output=True, check=True, env=environment
    ).stdout


@pytest.fixture
def saved(tmp_path: Path) -> Iterator[tuple[str, bytes]]:
    """The id of an image with three layers, two of them alike, and what `docker save` writes of it."""
    name = f"proctor-archive-test:{uuid.uuid4().hex}"
    (tmp_path / "context").mkdir()
    (tmp_path / "context" / "a").write_text(uuid.uuid4().hex)
    (tmp_path / "context" / "Dockerfile").write_text(
        "FROM scratch\nCOPY a /a\nCOPY a /b\nENV K=V\nUSER 7\nCOPY a /a\n"
    )
    docker("build", "--quiet", "--tag", name, str(tmp_path / "context"))
    image = json.loads(docker("image", "inspect", name))[0]["Id"]
    yield image, docker("save", name)
    docker("rmi", "--force", image)


def canonical(facts: ImageFacts, sink: DirectorySink) -> bytes:
    out = io.BytesIO()
    write_canonical(facts, sink.open, out)
    return out.getvalue()


@pytest.mark.parametrize("packed", [False, True])
def test_the_engine_loads_the_canonical_archive_under_our_name_only(
    saved: tuple[str, bytes], packed: bool, tmp_path: Path
) -> None:
    image, data = saved
    sink = DirectorySink(tmp_path / "blobs")
    source = tmp_path / "upload"
    source.write_bytes(gzip.compress(data) if packed else data)
    facts = check_archive(source, limit=2**20, sink=sink)
    assert (facts.digest, facts.user, len(facts.layers)) == (image, "7", 3)

    archive = canonical(facts, sink)
    assert archive == canonical(facts, sink)
    with sink.open(facts.digest) as config:
        config_size = len(config.read())
    with tarfile.open(fileobj=io.BytesIO(archive)) as members:
        sizes = [member.size for member in members]
    assert sizes[1:] == [config_size, *dict(zip(facts.layers, facts.layer_sizes, strict=True)).values()]
    assert len(archive) == sum(512 + size + -size % 512 for size in sizes) + 1024
    docker("rmi", "--force", image)
    docker("load", data=archive)
    loaded = json.loads(docker("image", "inspect", image))[0]
    assert loaded["Id"] == facts.digest
    assert loaded["RepoTags"] == [canonical_name(facts.digest)]
    assert tuple(loaded["RootFS"]["Layers"]) == facts.layers


def test_the_canonical_archive_passes_the_check_itself(saved: tuple[str, bytes], tmp_path: Path) -> None:
    sink = DirectorySink(tmp_path / "blobs")
    facts = check_archive(io.BytesIO(saved[1]), limit=2**20, sink=sink)
    again = DirectorySink(tmp_path / "again")
    assert check_archive(io.BytesIO(canonical(facts, sink)), limit=2**20, sink=again) == facts


def test_a_blob_of_another_size_is_noticed(saved: tuple[str, bytes], tmp_path: Path) -> None:
    sink = DirectorySink(tmp_path / "blobs")
    facts = check_archive(io.BytesIO(saved[1]), limit=2**20, sink=sink)
    (sink.root / facts.layers[0].removeprefix("sha256:")).write_bytes(b"short")
    with pytest.raises(ValueError, match="has 5 bytes instead of"):
        canonical(facts, sink)


def _with_header(key: str, value: str) -> bytes:
    member = tarfile.TarInfo("a")
    member.pax_headers = {key: value}
    return tar(member, format=tarfile.PAX_FORMAT)


UNLOADABLE: dict[str, tuple[bytes, dict[str, Any]]] = {
    "a date that is a number": (LAYER, {"created": 5}),
    "ports that are a number": (LAYER, {"config": {"ExposedPorts": 5}}),
    "a link to nothing": (tar(special("app/x", tarfile.LNKTYPE, "app/nothing")), {}),
    "a file below a file": (tar(("a", b"1"), ("a/b", b"2")), {}),
    "an attribute of too long a name": (_with_header("SCHILY.xattr.user." + "a" * 300, "b"), {}),
    "an attribute without a name": (_with_header("SCHILY.xattr.", "b"), {}),
    "capabilities that are none": (_with_header("SCHILY.xattr.security.capability", "zz"), {}),
    "capabilities of a version of another length": (
        _with_header("SCHILY.xattr.security.capability", "\1\0\0\3" + "\0" * 16),
        {},
    ),
    "an access list that is none": (_with_header("SCHILY.xattr.system.posix_acl_access", "zz"), {}),
    "a path for which the engine's folder leaves no room": (tar(("/".join(["y" * 99] * 41)[:-8], b"1")), {}),
    "a name with a NUL in it": (_with_header("path", "a\0b"), {}),
}


@pytest.mark.parametrize(("layer", "changes"), UNLOADABLE.values(), ids=UNLOADABLE)
def test_an_image_that_no_engine_loads_is_refused_by_the_check_and_by_the_engine(
    layer: bytes, changes: dict[str, Any], tmp_path: Path, engine: Engine
) -> None:
    """Where it gets to an engine all the same, it is not the platform's fault."""
    image = config(layer, **changes)
    data = pack(legacy(layer, image=image, RepoTags=[canonical_name(digest(image))]))
    with pytest.raises(ArchiveInvalid, match=r"docker build|damaged|build the image again"):
        check_archive(io.BytesIO(data), limit=2**20, sink=DirectorySink(tmp_path / "blobs"))
    with pytest.raises(ImageRefused):
        load_image(engine, io.BytesIO(data), digest(image))


OTHER = "sha256:" + "1" * 64
TYPES: dict[str, Any] = {
    "ports that are a list": {"config": {"ExposedPorts": ["80/tcp"]}},
    "volumes that are texts": {"config": {"Volumes": {"/data": "x"}}},
    "labels that are numbers": {"config": {"Labels": {"a": 1}}},
    "a variable that is a number": {"config": {"Env": [1]}},
    "a user that is a number": {"config": {"User": 1000}},
    "a command that is an object": {"config": {"Cmd": {}}},
    "a check that is a text": {"config": {"Healthcheck": "CMD x"}},
    "an interval that is a text": {"config": {"Healthcheck": {"Interval": "5s"}}},
    "a time-out that is no whole number": {"config": {"StopTimeout": 1.5}},
    "a config that is a list": {"config": []},
    "a step that is a text": {"history": ["x"]},
    "a step with a date that is none": {"history": [{"created": "yesterday"}]},
    "a step too many": {"history": [{}, {}]},
    "a step too many, by a letter that Go takes for an s": {"hi\N{LATIN SMALL LETTER LONG S}tory": [{}, {}]},
    "layers by a letter that Go takes for an s": {
        "rootf\N{LATIN SMALL LETTER LONG S}": {"diff_ids": [OTHER]}
    },
    "a date without a time": {"created": "2026-11-28"},
    "a date without a zone": {"created": "2026-11-28T17:00:00"},
    "a date that is none": {"created": "2026-02-30T17:00:00Z"},
    "an author who is a list": {"author": ["me"]},
    "a size that is a text": {"Size": "1"},
    "a number that is none": {"Size": float("nan")},
    "a number without end": {"unknown": float("inf")},
}
TAKEN: dict[str, Any] = {
    "a command that is a text": {"config": {"Entrypoint": "/app/predict.sh", "Cmd": "x y"}},
    "nothing where something may stand": {
        "config": {"Env": None, "Labels": None, "Cmd": None},
        "history": None,
    },
    "a step that is nothing": {"history": [None]},
    "empty steps beyond the layers": {"history": [{"empty_layer": True}] * 9},
    "dates in other zones": {"created": "2026-11-28T17:00:00.123456789+14:00"},
    "fields that nobody knows": {"unknown": {"a": [1]}, "config": {"x": 1}},
    "an empty operating system": {"os": ""},
}


@pytest.mark.parametrize("changes", [*TYPES.values(), *TAKEN.values()], ids=[*TYPES, *TAKEN])
def test_check_and_engine_agree_on_configs(changes: dict[str, Any], tmp_path: Path, engine: Engine) -> None:
    image = config(LAYER, **({"author": uuid.uuid4().hex} | changes))
    data = pack(legacy(LAYER, image=image, RepoTags=[canonical_name(digest(image))]))
    said: list[str | None] = [None, None]
    try:
        check_archive(io.BytesIO(data), limit=2**20, sink=DirectorySink(tmp_path / "blobs"))
    except ArchiveInvalid as error:
        said[0] = error.code
    try:
        load_image(engine, io.BytesIO(data), digest(image))
    except (ImageRefused, EngineFault) as error:
        said[1] = str(error)
    engine.remove_image(digest(image))
    assert (said[0] is None) == (said[1] is None) == (changes in TAKEN.values()), said
    assert said[0] in (None, ArchiveCode.CONFIG_INVALID)


def test_an_image_that_names_no_operating_system_is_one_for_linux(tmp_path: Path, engine: Engine) -> None:
    content = json.loads(config(LAYER, author=uuid.uuid4().hex))
    del content["os"]
    sink = DirectorySink(tmp_path / "blobs")
    data = pack(legacy(LAYER, image=json.dumps(content).encode()))
    facts = check_archive(io.BytesIO(data), limit=2**20, sink=sink)
    load_image(engine, io.BytesIO(canonical(facts, sink)), facts.digest)
    assert engine.inspect_image(facts.digest)["Os"] in ("linux", "")
    engine.remove_image(facts.digest)


KEPT: dict[str, bytes] = {
    "capabilities of version 2": _with_header("SCHILY.xattr.security.capability", "\1\0\0\2" + "\0" * 16),
    "capabilities of version 3": _with_header("SCHILY.xattr.security.capability", "\1\0\0\3" + "\0" * 20),
    "an attribute of the user": _with_header("SCHILY.xattr.user.a", "b"),
    "a path of 3,800 bytes": tar(("/".join(["y" * 99] * 38), b"1")),
}


@pytest.mark.parametrize("layer", KEPT.values(), ids=KEPT)
def test_what_the_check_lets_pass_of_names_and_attributes_the_engine_loads(
    layer: bytes, tmp_path: Path, engine: Engine
) -> None:
    sink = DirectorySink(tmp_path / "blobs")
    image = config(layer, author=uuid.uuid4().hex)
    facts = check_archive(io.BytesIO(pack(legacy(layer, image=image))), limit=2**20, sink=sink)
    load_image(engine, io.BytesIO(canonical(facts, sink)), facts.digest)
    engine.remove_image(facts.digest)


@pytest.mark.long
def test_as_many_layers_as_the_check_lets_pass_can_be_loaded_and_run(tmp_path: Path, engine: Engine) -> None:
    sink = DirectorySink(tmp_path / "blobs")
    layers = [tar((f"f{number}", uuid.uuid4().bytes)) for number in range(Bounds().layers)]
    facts = check_archive(io.BytesIO(pack(legacy(*layers))), limit=2**30, sink=sink)
    load_image(engine, io.BytesIO(canonical(facts, sink)), facts.digest)
    try:
        name = f"proctor-layers-{uuid.uuid4()}"
        engine.raw.look(facts.digest, name)
        engine.remove_container(name)
    finally:
        engine.remove_image(facts.digest)


def test_a_load_that_fails_otherwise_is_the_platforms_fault(tmp_path: Path, engine: Engine) -> None:
    sink = DirectorySink(tmp_path / "blobs")
    facts = check_archive(io.BytesIO(pack(legacy(layer(("bin/x", AMD))))), limit=2**20, sink=sink)
    archive, other = canonical(facts, sink), "sha256:" + "0" * 64
    for data, wanted in ((archive[:3000], facts.digest), (b"", facts.digest), (archive, other)):
        with pytest.raises(EngineFault) as caught:
            load_image(engine, io.BytesIO(data), wanted)
        assert caught.value.fault in ("image_missing", "engine_unavailable")
    engine.remove_image(canonical_name(facts.digest))


JUDGED = ("by a link of folders", "by an absolute link", "because the folder before it is emptied")


@pytest.mark.parametrize("layers", [ARM_AT_THE_END[name] for name in JUDGED], ids=JUDGED)
def test_an_image_on_the_engine_is_judged_as_its_archive_is(
    layers: list[bytes], tmp_path: Path, engine: Engine
) -> None:
    found = [said(engine, one, tmp_path / name) for name, one in (("bad", layers), ("good", FINE["amd64"]))]
    assert found[0] is not None
    assert "linux/arm64" in found[0]
    assert found[1] is None


def said(engine: Engine, layers: list[bytes], folder: Path) -> str | None:
    """What is said of an image of these layers on the engine, after the check said the same of its archive."""
    sink = DirectorySink(folder)
    image = config(
        *layers, config={"Env": ["PATH=/opt/bin:/usr/bin:/bin"]}, author=uuid.uuid4().hex, created=None
    )
    data = io.BytesIO(pack(legacy(*layers, image=image)))
    facts = check_archive(data, limit=2**20, sink=sink, calls=())
    load_image(engine, io.BytesIO(canonical(facts, sink)), facts.digest)
    try:
        require_machine(engine, facts.digest, [PYTHON, None])
    except ArchiveInvalid as error:
        with pytest.raises(ArchiveInvalid, match="is built for") as caught:
            check_archive(data, limit=2**20, sink=sink, calls=(PYTHON,))
        return error.message if caught.value.message == error.message else "another sentence"
    finally:
        engine.remove_image(facts.digest)
    return None
