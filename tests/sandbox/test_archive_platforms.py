"""Of the images in an archive the one for linux/amd64 is taken, wherever and however the archive names it."""

import io
import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.archive import ArchiveInvalid, Bounds, DirectorySink, check_archive
from sandbox.archive._index import read_index
from sandbox.archive._select import choose
from tests.sandbox.archives import LAYER, Members, config, digest, legacy, oci, pack, together

INDEX = "application/vnd.oci.image.index.v1+json"
ATTESTATION = {"vnd.docker.reference.type": "attestation-manifest"}
AMD = config(LAYER)
ARM = config(LAYER, architecture="arm64")
ARM7 = config(LAYER, architecture="arm", variant="v7")
V3 = config(LAYER, variant="v3")
V2 = config(LAYER, variant="v2")
PLAIN = digest(AMD)


def index(*images: tuple[Members, dict[str, Any]], nested: int = 0) -> Members:
    """An OCI layout of these images with what their descriptors say besides, `nested` indexes deep."""
    members: Members = {}
    descriptors = []
    for one, said in images:
        members |= one
        descriptors += [manifests(one)[0] | said]
    document = json.dumps({"manifests": descriptors}).encode()
    for _ in range(nested):
        members["blobs/sha256/" + digest(document)[7:]] = document
        document = json.dumps({"manifests": [{"mediaType": INDEX, "digest": digest(document)}]}).encode()
    return members | {"index.json": document}


def manifests(members: Members) -> list[dict[str, Any]]:
    """What the layout's index lists."""
    found: list[dict[str, Any]] = json.loads(members["index.json"])["manifests"]
    return found


def listing(*descriptors: dict[str, Any]) -> Members:
    return {"index.json": json.dumps({"manifests": descriptors}).encode()}


def platform(architecture: str, variant: str | None = None, system: str = "linux") -> dict[str, Any]:
    return {
        "platform": {"os": system, "architecture": architecture} | ({"variant": variant} if variant else {})
    }


def attestation(**said: Any) -> tuple[Members, dict[str, Any]]:
    """What BuildKit says about an image, in the form of an image."""
    statement = b'{"_type":"https://in-toto.io/Statement/v0.1"}'
    unknown = config(statement, architecture="unknown", os="unknown")
    manifest = {
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(unknown)},
        "layers": [{"mediaType": "application/vnd.in-toto+json", "digest": digest(statement)}],
    }
    document = json.dumps(manifest).encode()
    members = {"blobs/sha256/" + digest(blob)[7:]: blob for blob in (statement, unknown, document)}
    return members | {"index.json": json.dumps({"manifests": [{"digest": digest(document)}]}).encode()}, said


def without(members: Members, *blobs: bytes) -> Members:
    gone = {"blobs/sha256/" + digest(blob)[7:] for blob in blobs}
    return {name: data for name, data in members.items() if name not in gone}


def hybrid(*images: bytes) -> Members:
    """Both lists over one set of blobs, as newer engines save."""
    members = together(*(oci(LAYER, image=one) for one in images))
    layer = "blobs/sha256/" + digest(LAYER)[7:]
    entries = [
        {"Config": "blobs/sha256/" + digest(one)[7:], "RepoTags": None, "Layers": [layer]} for one in images
    ]
    return members | {"manifest.json": json.dumps(entries).encode()}


amd, arm, arm7, v2, v3 = (oci(LAYER, image=one) for one in (AMD, ARM, ARM7, V2, V3))
SIGNATURE = b'{"config": {"mediaType": "application/vnd.oci.empty.v1+json"}, "layers": []}'
ABSENT = {"digest": digest(b"not in the archive"), **platform("arm64")}
FOUND: dict[str, Members] = {
    "manifest.json lists two platforms": together(legacy(LAYER, image=ARM), legacy(LAYER)),
    "manifest.json lists two platforms, ours first": together(legacy(LAYER), legacy(LAYER, image=ARM)),
    "manifest.json lists three, one for Windows": together(
        legacy(LAYER, image=ARM), legacy(LAYER, image=config(LAYER, os="windows")), legacy(LAYER)
    ),
    "manifest.json lists one image under two names": together(
        legacy(LAYER, RepoTags=["a:1"]), legacy(LAYER, RepoTags=["b:2"])
    ),
    "manifest.json lists what is said about the image too": together(
        legacy(b'{"_type":"x"}', image=b"{}"), legacy(LAYER)
    ),
    "manifest.json lists an unknown platform": together(
        legacy(b'{"_type":"x"}', image=config(LAYER, os="unknown", architecture="unknown")), legacy(LAYER)
    ),
    "manifest.json lists ARM and the index has ours": index((arm, {}), (amd, {}))
    | {"manifest.json": hybrid(ARM)["manifest.json"]},
    "both lists agree": hybrid(AMD),
    "both lists agree on two platforms": hybrid(ARM, AMD),
    "both lists, and an index that names what is not there": hybrid(AMD)
    | listing({"digest": digest(b"gone")}, *manifests(amd)),
    "both lists, and an index that is no index": hybrid(AMD) | {"index.json": b"[]"},
    "a flat index": index((arm, platform("arm64")), (amd, platform("amd64"))),
    "a flat index without platforms": index((arm, {}), (amd, {})),
    "a nested index": index((arm, platform("arm64")), (amd, platform("amd64")), nested=1),
    "a nested index without platforms": index((arm, {}), (amd, {}), nested=1),
    "an index nested seven deep": index((arm7, {}), (amd, {}), nested=7),
    "an index that names ours by a wrong platform": index((arm, {}), (amd, platform("arm64")), nested=1),
    "a platform whose blobs are absent": amd | listing(ABSENT, *manifests(amd)),
    "a platform whose config is absent": without(index((arm, platform("arm64")), (amd, platform("amd64"))), ARM),
    "a platform whose layers are absent": index((oci(b"gone", image=ARM), {}), (amd, {})) | without(amd, b""),
    "an image of ours whose layers are absent": without(
        index((oci(b"gone", image=config(b"gone")), platform("amd64")), (amd, platform("amd64"))), b"gone"
    ),
    "variants": index((v3, platform("amd64", "v3")), (amd, platform("amd64")), (v2, platform("amd64", "v2")), nested=1),
    "variants, plain called v1": index((v3, platform("amd64", "v3")), (amd, platform("amd64", "v1"))),
    "variants in manifest.json": together(legacy(LAYER, image=V3), legacy(LAYER)),
    "an attestation": index((amd, platform("amd64")), attestation(annotations=ATTESTATION)),
    "an attestation by its platform": index((amd, {}), attestation(**platform("unknown", None, "unknown"))),
    "an attestation by its content": index(attestation(), (amd, {}), nested=1),
    "an attestation that is absent": amd
    | listing({"digest": digest(b"gone"), "annotations": ATTESTATION}, *manifests(amd)),
    "one manifest named twice": index(
        (amd, platform("amd64")), (amd, {"annotations": {"org.opencontainers.image.ref.name": "v1"}})
    ),
    "a signature beside it": amd
    | {"blobs/sha256/" + digest(SIGNATURE)[7:]: SIGNATURE}
    | listing({"digest": digest(SIGNATURE)}, *manifests(amd)),
}  # fmt: skip


def chosen(members: Members, folder: Path) -> str:
    return check_archive(io.BytesIO(pack(members)), limit=2**20, sink=DirectorySink(folder)).digest


@pytest.mark.parametrize("members", FOUND.values(), ids=FOUND)
def test_the_plain_amd64_image_is_found(members: Members, tmp_path: Path) -> None:
    assert chosen(members, tmp_path) == PLAIN


def test_where_every_amd64_image_needs_more_the_one_that_needs_least_is_taken(tmp_path: Path) -> None:
    assert chosen(index((v3, {}), (v2, {}), (arm, {})), tmp_path / "a") == digest(V2)
    assert chosen(index((v3, {}), (arm, {})), tmp_path / "b") == digest(V3)
    same = index(
        (oci(LAYER), platform("amd64", "v4")),
        (oci(LAYER, image=config(LAYER, author="x")), platform("amd64", "v2")),
    )
    assert chosen(same, tmp_path / "c") == digest(config(LAYER, author="x")), "the index tells a variant too"


REFUSED: dict[str, tuple[str, str, Members]] = {
    "no amd64": (
        "wrong_architecture",
        "built for linux/arm/v7, linux/arm64; build it for linux/amd64",
        index((arm, platform("arm64")), (arm7, platform("arm", "v7")), nested=1),
    ),
    "no amd64 in manifest.json": (
        "wrong_architecture",
        "built for linux/arm64, windows/amd64;",
        together(legacy(LAYER, image=ARM), legacy(LAYER, image=config(LAYER, os="windows"))),
    ),
    "amd64 is named and absent": (
        "missing_blob",
        "whole in it is linux/arm64: save the image for linux/amd64 with `docker save --platform linux/amd64",
        without(index((arm, platform("arm64")), (amd, platform("amd64"))), AMD),
    ),
    "everything is absent": ("missing_blob", "is not in the archive", without(amd, LAYER)),
    "two tags of one repository": (
        "several_images",
        "2 images (mymodel:latest, mymodel:v1) for linux/amd64 .* `docker save mymodel:latest -o image.tar`",
        together(
            legacy(LAYER, RepoTags=["mymodel:latest"]),
            legacy(LAYER, image=config(LAYER, author="x"), RepoTags=["mymodel:v1"]),
        ),
    ),
    "two images without names": (
        "several_images",
        "holds 2 images for linux/amd64 .* `docker save REPO:TAG -o image.tar`",
        index((amd, {}), (oci(LAYER, image=config(LAYER, author="x")), {})),
    ),
    "lists that disagree": (
        "several_images",
        "holds 2 images",
        together(legacy(LAYER), oci(LAYER, image=config(LAYER, author="x"))),
    ),
    "only what is said about an image": (
        "no_image",
        "docker save",
        index(attestation(annotations=ATTESTATION)),
    ),
}


@pytest.mark.parametrize(("code", "said", "members"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_says_what_was_found_and_what_to_save(
    code: str, said: str, members: Members, tmp_path: Path
) -> None:
    with pytest.raises(ArchiveInvalid) as caught:
        chosen(members, tmp_path)
    assert caught.value.code == code
    parts = said.split(" .* ")
    places = [caught.value.message.find(part) for part in parts]
    assert -1 not in places, caught.value.message
    assert places == sorted(places)


class Counting(dict[str, Any]):
    """Documents that count how often they are read."""

    def __init__(self, content: dict[str, Any]) -> None:
        super().__init__(content)
        self.reads = 0

    def __getitem__(self, name: str) -> Any:
        self.reads += 1
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.reads += 1
        return super().get(name, default)


@pytest.mark.parametrize("wide", [3, 300])
def test_each_document_is_read_once_however_often_it_is_named(wide: int) -> None:
    members = dict(amd)
    document = members["index.json"]
    for _, architecture in itertools.product(range(5), ("amd64", "arm64")):
        members["blobs/sha256/" + digest(document)[7:]] = document
        inner = {"digest": digest(document)} | platform(architecture)
        document = json.dumps({"manifests": [inner] * wide}).encode()
    members["index.json"] = document
    members["manifest.json"] = json.dumps(
        [{"Config": "blobs/sha256/" + digest(AMD)[7:], "Layers": ["blobs/sha256/" + digest(LAYER)[7:]]}]
        * wide
    ).encode()
    archive = read_index(io.BytesIO(pack(members)), limit=2**20, bounds=Bounds())
    counting = Counting(archive.documents)
    object.__setattr__(archive, "documents", counting)
    assert choose(archive).config.digest == PLAIN
    assert counting.reads <= 2 * len(members)
