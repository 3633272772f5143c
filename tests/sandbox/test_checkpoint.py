"""The checkpoint that an image declares is looked for in its layers as a container would find it, and hashed there."""

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from contract.images import CheckpointState, DeclaredCheckpoint, ImageFacts
from sandbox.archive import (
    ArchiveCode,
    ArchiveInvalid,
    Bounds,
    HashOnly,
    check_archive,
    declared_by,
    declared_in,
)
from sandbox.archive._checkpoint import found_in
from sandbox.archive._entries import PLAIN, Folder
from sandbox.archive._unpacked import Allowance
from tests.sandbox import sifs
from tests.sandbox.archives import config, legacy, pack, special, tar

WEIGHTS, OTHER = b"weights" * 100_000, b"others" * 1000
PATH, SHA256 = "proctor.checkpoint.path", "proctor.checkpoint.sha256"
LINK, HARD, FOLDER = tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE
VERIFIED, MISSING = CheckpointState.VERIFIED, CheckpointState.MISSING
ANOTHER, UNCLEAR = CheckpointState.ANOTHER_FILE, CheckpointState.UNCLEAR


class Nowhere:
    """A sink that keeps nothing."""

    def has(self, digest: str) -> bool:
        return False

    def writer(self) -> HashOnly:
        return HashOnly()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def declared(path: str = "/app/model.pt", content: bytes = WEIGHTS) -> dict[str, Any]:
    return {PATH: path, SHA256: sha256(content)}


def facts_of(data: bytes, bounds: Bounds | None = None) -> ImageFacts:
    return check_archive(io.BytesIO(data), limit=2**30, sink=Nowhere(), bounds=bounds)


def found(labels: dict[str, Any], *layers: bytes, bounds: Bounds | None = None) -> DeclaredCheckpoint:
    """What the check finds of an image with these labels and layers, from the bottom up."""
    image = config(*layers, config={"Labels": labels})
    checkpoint = facts_of(pack(legacy(*layers, image=image)), bounds).checkpoint
    assert checkpoint is not None
    assert (checkpoint.why is None) is checkpoint.verified or checkpoint.state == "not_declared"
    return checkpoint


def executable(name: str, content: bytes) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), 0o755
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


MODEL = tar(("app/model.pt", WEIGHTS))


def test_an_image_without_labels_declares_nothing() -> None:
    assert found({"maintainer": "a team"}, MODEL) == DeclaredCheckpoint(state=CheckpointState.NOT_DECLARED)


@pytest.mark.parametrize("digest", [sha256(WEIGHTS), "sha256:" + sha256(WEIGHTS), sha256(WEIGHTS).upper()])
def test_a_declared_file_with_the_declared_digest_is_verified(digest: str) -> None:
    assert found({PATH: "/app/model.pt", SHA256: digest}, MODEL) == DeclaredCheckpoint(
        state=VERIFIED, path="/app/model.pt", sha256="sha256:" + sha256(WEIGHTS)
    )


def test_an_oci_order_of_layers_does_not_matter() -> None:
    layers = tar(("app/model.pt", OTHER)), MODEL
    members = legacy(*layers, image=config(*layers, config={"Labels": declared()}))
    backwards = dict(reversed(members.items()))
    assert facts_of(pack(backwards)).checkpoint == facts_of(pack(members)).checkpoint
    assert (checkpoint := facts_of(pack(backwards)).checkpoint) is not None
    assert checkpoint.verified


STACKS: dict[str, tuple[CheckpointState, list[bytes]]] = {
    "a later layer replaces it": (ANOTHER, [MODEL, tar(("app/model.pt", OTHER))]),
    "a later layer brings it": (VERIFIED, [tar(("app/model.pt", OTHER)), MODEL]),
    "a whiteout removes it": (MISSING, [MODEL, tar(("app/.wh.model.pt", b""))]),
    "a whiteout of its folder": (MISSING, [MODEL, tar((".wh.app", b""))]),
    "an opaque folder": (MISSING, [MODEL, tar(("app/.wh..wh..opq", b""))]),
    "removed and brought again": (VERIFIED, [MODEL, tar(("app/.wh.model.pt", b"")), MODEL]),
    "a file in place of its folder": (MISSING, [MODEL, tar(("app", b"file"))]),
    "a link to the file": (
        VERIFIED,
        [tar(("opt/w.pt", WEIGHTS), special("app/model.pt", LINK, "../opt/w.pt"))],
    ),
    "an absolute link in another layer": (
        VERIFIED,
        [tar(("opt/w.pt", WEIGHTS)), tar(special("app/model.pt", LINK, "/opt/w.pt"))],
    ),
    "a link of its folder": (VERIFIED, [tar(("opt/model.pt", WEIGHTS), special("app", LINK, "opt"))]),
    "a link that climbs ends at the image's root": (
        VERIFIED,
        [tar(("opt/w.pt", WEIGHTS), special("app/model.pt", LINK, "../../../../../opt/w.pt"))],
    ),
    "a link to a file of the host": (MISSING, [tar(special("app/model.pt", LINK, "/etc/hostname"))]),
    "a link that leads to itself": (MISSING, [tar(special("app/model.pt", LINK, "model.pt"))]),
    "a hard link": (VERIFIED, [tar(("opt/w.pt", WEIGHTS), special("app/model.pt", HARD, "opt/w.pt"))]),
    "a file that can be executed": (VERIFIED, [executable("app/model.pt", WEIGHTS)]),
    "a script": (ANOTHER, [executable("app/model.pt", b"#!/bin/sh\n")]),
    "a directory": (UNCLEAR, [tar(special("app/model.pt", FOLDER))]),
    "a pipe": (UNCLEAR, [tar(special("app/model.pt", tarfile.FIFOTYPE))]),
    "nothing there": (MISSING, [tar(("app/other.pt", WEIGHTS))]),
    "a link to an input": (
        UNCLEAR,
        [tar(("input/w.pt", WEIGHTS), special("app/model.pt", LINK, "/input/w.pt"))],
    ),
}


@pytest.mark.parametrize(("state", "layers"), STACKS.values(), ids=STACKS)
def test_the_file_is_what_a_container_would_find(state: CheckpointState, layers: list[bytes]) -> None:
    assert found(declared(), *layers).state is state


SENTENCES: dict[str, tuple[dict[str, Any], str]] = {
    "no digest": ({PATH: "/app/model.pt"}, f"The label {SHA256} is missing"),
    "no path": ({SHA256: sha256(WEIGHTS)}, f"The label {PATH} is missing"),
    "an empty path": (declared(" "), f"The label {PATH} is empty"),
    "null": (declared() | {SHA256: None}, f"The label {SHA256} is empty"),
    "no digest at all": (declared() | {SHA256: "latest"}, "64 hexadecimal digits"),
    "a relative path": (declared("app/model.pt"), "begins with a slash"),
    "a path out of the image": (declared("/app/../../model.pt"), "leads out of the image"),
    "a path with NUL": (declared("/app/model.pt\0"), "is no text"),
    "half of a surrogate pair": (declared("/app/\ud800.pt"), "is no text"),
    "a byte that is no UTF-8": (declared("/app/\udc80.pt"), "is no text"),
    "a path that turns what follows round": (declared("/app/\u202etp.ledom"), "that nobody sees"),
    "a path of two lines": (declared("/app/model.pt\n/x"), "that nobody sees"),
    "a path that is too long": (declared("/" + "a" * 5000), "longer than any path"),
    "a second checkpoint": (declared() | {f"{PATH}.2": "/app/b.pt"}, "one checkpoint"),
    "the same label in capitals": (declared() | {PATH.upper(): "/app/b.pt"}, "one checkpoint"),
    "a folder of the platform": (declared("/tmp/model.pt"), "another folder"),
    "a folder": (declared("/app"), "declare one file"),
    "the root": (declared("/"), "declare one file"),
    "a file that every container has": (declared("/etc/hosts"), "another file"),
    "an empty file": (declared("/app/empty", b""), "is empty"),
}


@pytest.mark.parametrize(("labels", "said"), SENTENCES.values(), ids=SENTENCES)
def test_what_names_no_file_is_said_in_a_sentence(labels: dict[str, Any], said: str) -> None:
    layer = tar(
        ("app/model.pt", WEIGHTS), ("app/empty", b""), ("tmp/model.pt", WEIGHTS), ("etc/hosts", WEIGHTS)
    )
    checkpoint = found(labels, layer)
    assert checkpoint.state is UNCLEAR
    assert checkpoint.why is not None
    assert said in checkpoint.why


@pytest.mark.parametrize("behind", ["/", "/.", "/..", "/../model.pt", "/x"])
def test_a_path_that_goes_on_behind_a_file_leads_to_nothing(behind: str) -> None:
    assert found(declared(f"/app/model.pt{behind}"), MODEL).state is MISSING
    assert found(declared("/w"), MODEL, tar(special("w", LINK, f"app/model.pt{behind}"))).state is MISSING


def test_of_a_way_too_long_to_be_followed_nothing_is_claimed() -> None:
    room = Allowance(steps=1)
    labels = declared_in(declared())
    checkpoint = found_in(lambda name: Folder() if name == "app" else PLAIN, labels, room)
    assert checkpoint.state is UNCLEAR
    assert "was not found" in str(checkpoint.why)


def test_another_file_is_told_with_its_own_digest() -> None:
    checkpoint = found(declared(content=OTHER), MODEL)
    assert checkpoint.state is ANOTHER
    assert checkpoint.why is not None
    assert sha256(WEIGHTS) in checkpoint.why


def test_of_an_image_with_more_names_than_are_kept_nothing_is_claimed() -> None:
    layers = tar(*((f"app/{number}", b"") for number in range(50))), MODEL
    checkpoint = found(declared(), *layers, bounds=Bounds(names=20))
    assert checkpoint.state is UNCLEAR
    assert "more files" in str(checkpoint.why)


METADATA = 0x4006


def labelled_sif(inside: object = None, beside: object = None, model: bytes = WEIGHTS) -> ImageFacts:
    """The facts of a SIF file whose image and whose metadata have these labels."""
    return facts_of(sif_file(inside, beside, model))


def sif_file(inside: object = None, beside: object = None, model: bytes = WEIGHTS) -> bytes:
    files: dict[str, bytes | str] = {"app/model.pt": model, "bin/python": b"#!/bin/sh\n"}
    if inside is not None:
        text = inside if isinstance(inside, bytes) else json.dumps(inside).encode()
        files[".singularity.d/labels.json"] = text
    objects = [sifs.partition(sifs.squashfs(files))]
    if beside is not None:
        attributes = {"data": {"attributes": {"labels": beside}}, "type": "container"}
        objects.append((METADATA, json.dumps(attributes).encode(), b""))
    return sifs.sif(*objects)


@pytest.mark.parametrize("places", [(True, False), (False, True), (True, True)])
def test_a_sif_file_declares_it_in_either_place_of_its_labels(places: tuple[bool, bool]) -> None:
    inside, beside = (declared() if place else None for place in places)
    checkpoint = labelled_sif(inside, beside).checkpoint
    assert checkpoint is not None
    assert checkpoint.verified
    assert checkpoint.sha256 == "sha256:" + sha256(WEIGHTS)


def test_a_sif_file_whose_labels_disagree_declares_two() -> None:
    checkpoint = labelled_sif(declared(), declared("/app/other.pt")).checkpoint
    assert checkpoint is not None
    assert checkpoint.state is UNCLEAR
    assert "two checkpoints" in str(checkpoint.why)


def test_a_sif_file_is_another_image_where_it_declares_another_checkpoint() -> None:
    plain, beside = labelled_sif({}), labelled_sif({}, declared())
    assert plain.layers == beside.layers
    assert plain.digest != beside.digest
    assert plain.checkpoint == DeclaredCheckpoint(state=CheckpointState.NOT_DECLARED)


def test_a_sif_file_with_more_documents_than_anybody_writes_is_refused() -> None:
    """Each may be a megabyte, and all of them the same one."""
    objects = [sifs.partition(sifs.squashfs({"app/model.pt": WEIGHTS})), *[(METADATA, b"{}", b"")] * 33]
    with pytest.raises(ArchiveInvalid, match="more than 32 JSON documents") as caught:
        facts_of(sifs.sif(*objects))
    assert caught.value.code is ArchiveCode.TOO_MANY_MEMBERS


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b"\xff\xfe", b'"a"'])
def test_labels_of_a_sif_file_that_are_no_object_declare_nothing(text: bytes) -> None:
    checkpoint = labelled_sif(text).checkpoint
    assert checkpoint is not None
    assert checkpoint.state is CheckpointState.NOT_DECLARED


def test_labels_are_read_before_any_layer_is(tmp_path: Path) -> None:
    """Of an archive whose one layer is damaged, and of a SIF file; what declares nothing is None."""
    path = tmp_path / "image"
    image = config(MODEL, config={"Labels": declared()})
    path.write_bytes(pack(legacy(b"damaged", image=image)))
    labels = declared_by(path)
    assert labels is not None
    assert labels.sha256 == "sha256:" + sha256(WEIGHTS)
    path.write_bytes(sif_file(declared(content=OTHER)))
    labels = declared_by(path)
    assert labels is not None
    assert labels.sha256 == "sha256:" + sha256(OTHER)
    path.write_bytes(sif_file())
    assert declared_by(path) is None


def test_a_sif_file_with_another_file_is_told(tmp_path: Path) -> None:
    checkpoint = labelled_sif(declared(), model=OTHER).checkpoint
    assert checkpoint is not None
    assert checkpoint.state is ANOTHER
