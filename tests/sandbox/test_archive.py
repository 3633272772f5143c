"""What the archive check accepts and refuses, on archives built byte by byte."""

import contextlib
import gzip
import hashlib
import io
import json
import tarfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.images import ImageFacts
from sandbox.archive import ArchiveCode, ArchiveInvalid, Bounds, DirectorySink, HashOnly, check_archive
from tests.sandbox.archives import LAYER, config, digest, legacy, oci, pack, special, tar, together

LIMIT = 2**30


@pytest.fixture
def sink(tmp_path: Path) -> DirectorySink:
    return DirectorySink(tmp_path / "blobs")


def stored(sink: DirectorySink, blob: bytes) -> bytes:
    with sink.open(digest(blob)) as file:
        return file.read()


def refused(
    data: bytes, sink: DirectorySink, *, limit: int = LIMIT, bounds: Bounds | None = None
) -> ArchiveCode:
    with pytest.raises(ArchiveInvalid) as caught:
        check_archive(io.BytesIO(data), limit=limit, sink=sink, bounds=bounds)
    assert caught.value.message.endswith(".")
    assert not list(sink.root.iterdir()), "a refused archive leaves nothing behind"
    return caught.value.code


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("layout", [legacy, oci])
def test_both_layouts_are_accepted_plain_and_packed(layout: Any, packed: bool, sink: DirectorySink) -> None:
    data = pack(layout(LAYER, tar()))
    facts = check_archive(io.BytesIO(gzip.compress(data) if packed else data), limit=LIMIT, sink=sink)
    assert facts.digest == digest(config(LAYER, tar()))
    assert facts.layers == (digest(LAYER), digest(tar()))
    assert facts.size == len(LAYER) + len(tar())
    assert (facts.user, facts.environment, facts.entrypoint) == ("nobody", ("PATH", "SECRET"), ("/run",))
    assert stored(sink, LAYER) == LAYER
    assert ImageFacts.model_validate_json(facts.model_dump_json()) == facts


def test_layers_may_be_packed_and_are_stored_unpacked(sink: DirectorySink) -> None:
    small = gzip.compress(LAYER)
    facts = check_archive(io.BytesIO(pack(oci(small, image=config(LAYER)))), limit=LIMIT, sink=sink)
    assert facts.layers == (digest(LAYER),)
    assert stored(sink, LAYER) == LAYER


def test_a_stream_of_several_gzip_members_is_one_stream(sink: DirectorySink) -> None:
    data = pack(legacy(LAYER))
    parts = [gzip.compress(data[start : start + 700]) for start in range(0, len(data), 700)]
    assert check_archive(io.BytesIO(b"".join(parts) + bytes(512)), limit=LIMIT, sink=sink)


def test_the_hybrid_archive_of_newer_engines_is_one_image(sink: DirectorySink) -> None:
    members = oci(LAYER)
    blobs = {
        "Config": "blobs/sha256/" + digest(config(LAYER))[7:],
        "Layers": ["blobs/sha256/" + digest(LAYER)[7:]],
    }
    members["manifest.json"] = json.dumps([blobs]).encode()
    assert check_archive(io.BytesIO(pack(members)), limit=LIMIT, sink=sink).layers == (digest(LAYER),)


def test_a_layer_used_twice_may_be_a_link_in_the_archive(sink: DirectorySink) -> None:
    members = legacy(LAYER, image=config(LAYER, LAYER), Layers=["0" * 64 + "/layer.tar", "b/layer.tar"])
    data = tar(*members.items(), special("b/layer.tar", tarfile.SYMTYPE, "../" + "0" * 64 + "/layer.tar"))
    assert check_archive(io.BytesIO(data), limit=LIMIT, sink=sink).layers == (digest(LAYER),) * 2


def test_attestations_are_no_images(sink: DirectorySink) -> None:
    note = {
        "digest": digest(b"elsewhere"),
        "annotations": {"vnd.docker.reference.type": "attestation-manifest"},
        "platform": {"os": "unknown", "architecture": "unknown"},
    }
    assert check_archive(io.BytesIO(pack(oci(LAYER, more=(note,)))), limit=LIMIT, sink=sink)


def test_a_blob_the_sink_has_is_verified_and_not_written_again(sink: DirectorySink) -> None:
    facts = check_archive(io.BytesIO(pack(legacy(LAYER))), limit=LIMIT, sink=sink)
    before = (sink.root / digest(LAYER)[7:]).stat().st_ino
    assert check_archive(io.BytesIO(pack(oci(LAYER))), limit=LIMIT, sink=sink) == facts
    assert (sink.root / digest(LAYER)[7:]).stat().st_ino == before


GOOD = pack(legacy(LAYER))
ARM = config(LAYER, architecture="arm64")
OTHER = config(LAYER, author="another")
OTHER_ARCHITECTURE = pack(oci(LAYER, image=ARM))


def _bad() -> Iterator[tuple[str, bytes]]:
    yield "not_a_tar", b"PK\x03\x04" + bytes(range(256)) * 8
    yield "not_a_tar", b""
    yield "not_a_tar", bytes(10240)
    yield "not_a_tar", gzip.compress(bytes(10240))
    yield "truncated", GOOD[:-11000]
    yield "truncated", gzip.compress(GOOD)[:-9]
    yield "damaged", gzip.compress(GOOD)[:-8] + bytes(8)
    yield "damaged", gzip.compress(GOOD) + b"tail"
    yield "unsupported_compression", b"\x28\xb5\x2f\xfd" + bytes(100)
    yield "expands_too_much", gzip.compress(bytes(100 * 2**20), 9)
    yield "no_image", tar(("app/predict.py", b"print(1)\n"))
    yield "no_image", tar(("manifest.json", b"[]"))
    yield "no_image", tar(("index.json", b'{"manifests": []}'))
    yield "several_images", pack(together(legacy(LAYER), legacy(LAYER, image=OTHER)))
    yield "several_images", pack(together(oci(LAYER), oci(LAYER, image=OTHER)))
    yield "several_images", pack(together(legacy(LAYER), oci(LAYER, image=OTHER)))
    yield "wrong_architecture", pack(legacy(LAYER, image=ARM))
    yield "wrong_architecture", OTHER_ARCHITECTURE
    yield "wrong_architecture", pack(legacy(LAYER, image=config(LAYER, os="windows")))
    yield "wrong_digest", pack(legacy(LAYER, image=config(tar())))
    yield "wrong_digest", pack(oci(LAYER) | {"blobs/sha256/" + digest(LAYER)[7:]: tar()})
    yield "wrong_digest", pack(oci(gzip.compress(LAYER, 1), image=config(tar())))
    yield (
        "wrong_digest",
        pack(legacy(LAYER) | {digest(config(LAYER))[7:] + ".json": config(LAYER, author="me")}),
    )
    yield "missing_blob", pack({name: data for name, data in legacy(LAYER).items() if "layer" not in name})
    yield "missing_blob", pack(legacy(LAYER, Config="0" * 64 + ".json"))
    yield "config_invalid", pack(legacy(LAYER, image=b"[1"))
    yield "config_invalid", pack(legacy(LAYER, image=b"[" * 100_000))
    yield "config_invalid", pack(legacy(LAYER, image=config(LAYER, author="x" * 2**20)))
    yield "config_invalid", pack(legacy(LAYER, image=config(LAYER, Architecture="arm64")))
    yield "config_invalid", pack(legacy(LAYER, image=config(LAYER).replace(b'"os"', b'"os": "x", "os"')))
    yield "config_invalid", pack(legacy(LAYER, image=config(LAYER, LAYER)))
    yield "config_invalid", pack(legacy(LAYER, image=config(LAYER, config={"User": "a\0b"})))
    yield "config_invalid", pack(legacy(LAYER, image=config(LAYER, config={"Env": ["\ud800=x"]})))
    yield "config_invalid", pack(legacy(LAYER, image=config(LAYER, config=["User"])))
    yield "config_invalid", pack(legacy(image=config()))
    yield "config_invalid", tar(("manifest.json", b'{"Config": 1}'))
    yield "too_many_layers", pack(legacy(*[tar()] * 126))
    yield "unsafe_path", tar(*legacy(LAYER).items(), ("../evil", b"x"))
    yield "unsafe_path", tar(*legacy(LAYER).items(), ("/etc/passwd", b"x"))
    yield "unsafe_path", tar(*legacy(LAYER).items(), special("a/b", tarfile.SYMTYPE, "../../etc/passwd"))
    yield "unsafe_path", tar(*legacy(LAYER).items(), special("a/b", tarfile.SYMTYPE, "/etc/passwd"))
    yield "unsafe_path", pack(legacy(LAYER, Config="../" + "0" * 64 + ".json"))
    yield "duplicate_member", tar(*legacy(LAYER).items(), ("./manifest.json", b"[]"))
    yield "unsupported_member", tar(*legacy(LAYER).items(), special("pipe", tarfile.FIFOTYPE))


@pytest.mark.parametrize(
    ("code", "data"), [pytest.param(*row, id=f"{row[0]}-{i}") for i, row in enumerate(_bad())]
)
def test_a_bad_archive_is_refused_with_its_code(code: str, data: bytes, sink: DirectorySink) -> None:
    assert refused(data, sink) == code


BAD_LAYERS = {
    "unsafe_path": [
        tar(("../etc/passwd", b"x")),
        tar(("a/../../b", b"x")),
        tar(special("a", tarfile.LNKTYPE, "../../etc/shadow")),
        tar(("x" * 200 + "/../y", b"x"), format=tarfile.PAX_FORMAT),
        tar(("x" * 200 + "/../y", b"x"), format=tarfile.GNU_FORMAT),
    ],
    "unsupported_member": [
        tar(special("sparse", tarfile.GNUTYPE_SPARSE)),
        tar(special("contiguous", tarfile.CONTTYPE)),
    ],
    "truncated": [tar(("a", bytes(20_000)))[:15_000], gzip.compress(LAYER)[:-4]],
    "not_a_tar": [b"\x7fELF" + bytes(1000)],
    "expands_too_much": [gzip.compress(bytes(100 * 2**20), 9)],
}


@pytest.mark.parametrize(
    ("code", "layer"), [(code, layer) for code, layers in BAD_LAYERS.items() for layer in layers]
)
def test_a_bad_layer_is_refused_with_its_code(code: str, layer: bytes, sink: DirectorySink) -> None:
    assert refused(pack(legacy(tar(), layer)), sink) == code


def test_devices_and_links_that_a_container_keeps_inside_are_ordinary(sink: DirectorySink) -> None:
    layer = tar(
        special("dev/null", tarfile.CHRTYPE),
        special("lib/udev/devices/sda", tarfile.BLKTYPE),
        special("app/old.txt", tarfile.CHRTYPE),
        special("lib/up", tarfile.SYMTYPE, "../../../etc/shadow"),
        special("./dev/loop0", tarfile.BLKTYPE),
        special("bin", tarfile.SYMTYPE, "/usr/bin"),
        special("run/pipe", tarfile.FIFOTYPE),
        ("/etc/hosts", b""),
    )
    assert check_archive(io.BytesIO(pack(legacy(layer))), limit=LIMIT, sink=sink)


def test_every_bound_is_counted(sink: DirectorySink) -> None:
    many = tar(*[(f"f{number}", b"") for number in range(50)])
    assert refused(pack(legacy(many)), sink, limit=20_000) == "too_large"
    assert refused(pack(legacy(gzip.compress(many), image=config(many))), sink, limit=20_000) == "too_large"
    assert refused(pack(legacy(many, tar())), sink, limit=len(many) + 1) == "too_large"
    assert refused(pack(legacy(many)), sink, bounds=Bounds(layer_members=49)) == "too_many_members"
    assert refused(pack(legacy(many)), sink, bounds=Bounds(archive_members=2)) == "too_many_members"
    assert refused(pack(legacy(many)), sink, bounds=Bounds(documents=100)) == "too_many_members"
    parts = gzip.compress(GOOD[:512]) + gzip.compress(GOOD[512:])
    assert refused(parts, sink, bounds=Bounds(gzip_members=1)) == "too_many_members"


def test_the_sentence_names_the_place_and_the_way_out(sink: DirectorySink) -> None:
    with pytest.raises(ArchiveInvalid, match=r"built for linux/arm64; .*--platform linux/amd64"):
        check_archive(io.BytesIO(OTHER_ARCHITECTURE), limit=LIMIT, sink=sink)
    with pytest.raises(ArchiveInvalid, match=r"layer 2 of 2 holds the path '\.\./x'"):
        check_archive(io.BytesIO(pack(legacy(tar(), tar(("../x", b""))))), limit=LIMIT, sink=sink)


def test_one_platform_of_several_is_chosen(sink: DirectorySink) -> None:
    arm, amd = oci(LAYER, image=ARM), oci(LAYER)
    platforms = [
        (arm, {"os": "linux", "architecture": "arm64"}),
        (amd, {"os": "linux", "architecture": "amd64"}),
    ]
    manifests = [
        json.loads(members["index.json"])["manifests"][0] | {"platform": platform}
        for members, platform in platforms
    ]
    inner = json.dumps({"manifests": manifests}).encode()
    members = arm | amd | {"blobs/sha256/" + digest(inner)[7:]: inner}
    members["index.json"] = json.dumps({"manifests": [{"digest": digest(inner)}]}).encode()
    assert check_archive(io.BytesIO(pack(members)), limit=LIMIT, sink=sink).digest == digest(config(LAYER))


def test_memory_does_not_grow_with_the_archive(sink: DirectorySink) -> None:
    layer = tar(
        ("zeros", bytes(48 * 2**20)),
        ("noise", b"".join(hashlib.sha512(bytes([i])).digest() for i in range(99))),
    )
    data = io.BytesIO(pack(legacy(layer)))
    tracemalloc.start()
    check_archive(data, limit=LIMIT, sink=sink)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 2**20


class Nowhere:
    """A sink that keeps nothing."""

    def has(self, digest: str) -> bool:
        return False

    def writer(self) -> HashOnly:
        return HashOnly()


@settings(max_examples=150, deadline=None)
@given(st.data(), st.booleans())
def test_damage_is_answered_by_a_code_and_nothing_else(data: st.DataObject, packed: bool) -> None:
    good = bytearray(gzip.compress(GOOD) if packed else GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(good)))
    source = io.BytesIO(bytes(good[:cut] if data.draw(st.booleans()) else good))
    with contextlib.suppress(ArchiveInvalid):
        check_archive(source, limit=LIMIT, sink=Nowhere())


def test_a_size_of_thousands_of_digits_is_damage(sink: DirectorySink) -> None:
    record = b"size=" + b"9" * 5000 + b"\n"
    content = b"%d " % (len(record) + 5) + record
    header = tarfile.TarInfo("PaxHeaders/x")
    header.type, header.size = tarfile.XHDTYPE, len(content)
    data = header.tobuf() + content + bytes(-len(content) % 512) + tar(("x", b"1"))
    assert refused(data, sink) is ArchiveCode.DAMAGED
