"""One tree as a Docker archive and as a SIF file is one tree in a container, to the last owner, bit and time."""

import hashlib
import io
import subprocess
import tarfile
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.archive import ArchiveInvalid, DirectorySink, check_archive, write_canonical
from sandbox.engine import Engine
from sandbox.loading import load_image
from tests.hostile.tiny import Entry, entry, file, layer, program
from tests.sandbox.archives import config, legacy, pack
from tests.sandbox.engines import client
from tests.sandbox.sifs import partition, sif, squashfs

ENGINES = ("docker",)

LINK, HARD, FOLDER, PIPE = tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE
MADE_BY_THE_ENGINE = {".dockerenv", "etc/hosts", "etc/hostname", "etc/resolv.conf", "etc/mtab"}
OURS = ".proctor"
THEN = 1_234_567_890
Tree = dict[str, tuple[Any, ...]]


def tree(token: bytes) -> list[Entry]:
    """What images hold: names of one file, as busybox, perl and conda have them, odd owners, modes, times, links."""
    busybox = {"uid": 3, "gid": 4, "mtime": THEN}
    return [
        entry("bin", FOLDER, mode=0o755, mtime=THEN),
        file("bin/busybox", program(), 0o755, **busybox),
        *(entry(f"bin/{name}", HARD, "bin/busybox", **busybox) for name in ("ls", "sh", "vi", "a name")),
        file("bin/python3.11", b"#!/bin/sh\n" + token, 0o711, mtime=THEN + 1),
        entry("bin/python3", HARD, "bin/python3.11", mode=0o711, mtime=THEN + 1),
        file("bin/su", token, 0o4755, uid=0, gid=42, mtime=THEN + 2),
        entry("bin/su-too", HARD, "bin/su", mode=0o4755, uid=0, gid=42, mtime=THEN + 2),
        entry("lib", LINK, "usr/lib", mtime=THEN + 3),
        entry("lib64", HARD, "lib", mtime=THEN + 3),
        entry("usr", FOLDER, mode=0o755, mtime=THEN),
        entry("usr/lib", FOLDER, mode=0o2775, gid=50, mtime=THEN + 4),
        file("usr/lib/zürich o'clock", "ü".encode(), 0o640, uid=1000, gid=100, mtime=THEN + 5),
        file('usr/lib/back\\slash "x"', b"", 0o000, mtime=THEN + 6),
        entry("usr/lib/absolute", LINK, "/usr/lib/old"),
        entry("usr/lib/nowhere", LINK, "no such file"),
        file("usr/lib/old", token, 0o600, mtime=0),
        entry("pipe", PIPE, mode=0o620, uid=5, gid=6, mtime=THEN + 7),
        entry("pipe-too", HARD, "pipe", mode=0o620, uid=5, gid=6, mtime=THEN + 7),
        entry("tmp", FOLDER, mode=0o1777, mtime=THEN + 8),
        entry("closed", FOLDER, mode=0o700, uid=12345, gid=23456, mtime=THEN + 9),
    ]


@pytest.fixture
def exported(engine: Engine, tmp_path: Path) -> Iterator[Callable[[bytes], Tree]]:
    """What a container of an upload holds."""
    loaded: list[str] = []

    def exported(upload: bytes) -> Tree:
        folder = tmp_path / uuid.uuid4().hex
        sink = DirectorySink(folder / "blobs")
        (folder / "upload").write_bytes(upload)
        facts = check_archive(folder / "upload", limit=2**30, sink=sink, calls=())
        canonical = io.BytesIO()
        write_canonical(facts, sink.open, canonical)
        canonical.seek(0)
        load_image(engine, canonical, facts.digest)
        loaded.append(facts.digest)
        name = f"proctor-tree-{uuid.uuid4()}"
        engine.raw.look(facts.digest, name)
        try:
            with tempfile.TemporaryFile() as out, client() as api:
                out.writelines(api.export(name))
                out.seek(0)
                return listed(tarfile.open(fileobj=out))
        finally:
            engine.remove_container(name)

    yield exported
    for digest in loaded:
        engine.remove_image(digest)


def listed(archive: tarfile.TarFile) -> Tree:
    """Path → type, permissions, owner, time, link, content, and the other names of the same file."""
    found: dict[str, tarfile.TarInfo] = {}
    names: dict[str, set[str]] = {}
    contents: dict[str, str] = {}
    for one in archive:
        if one.name in MADE_BY_THE_ENGINE or one.name.split("/")[0] in (OURS, "dev", "proc", "sys", "etc"):
            continue
        found[one.name] = one
        names.setdefault(one.linkname if one.islnk() else one.name, set()).add(one.name)
        if one.isreg() and (content := archive.extractfile(one)):
            contents[one.name] = hashlib.sha256(content.read()).hexdigest()
    tree: Tree = {}
    for first, group in names.items():
        whole = found[first]
        for name in group:
            one = found[name]
            link = whole.linkname if whole.issym() else ""
            same = (one.mode & 0o7777, one.uid, one.gid, one.mtime)
            tree[name] = (whole.type, *same, link, contents.get(first), frozenset(group))
    return tree


def squashed(system: bytes) -> bytes:
    """The squashfs that squashfs-tools make of a tar."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "made"
        command = ["sqfstar", "-no-progress", "-quiet", str(target)]
        subprocess.run(command, input=system, check=True, capture_output=True)
        return target.read_bytes()


def test_a_tree_is_the_same_from_a_docker_archive_and_from_a_sif_file(
    exported: Callable[[bytes], Tree],
) -> None:
    system = layer(*tree(uuid.uuid4().hex.encode()))
    docker = exported(pack(legacy(system, image=config(system))))
    apptainer = exported(sif(partition(squashed(system))))
    assert docker["bin/ls"][1:4] == (0o755, 3, 4)
    assert docker["bin/su-too"][1] == 0o4755
    assert len(docker["bin/sh"][-1]) == 5
    assert len(docker) >= len(tree(b""))
    assert {
        name: (docker.get(name), apptainer.get(name))
        for name in docker.keys() | apptainer.keys()
        if docker.get(name) != apptainer.get(name)
    } == {}


@pytest.mark.parametrize("files", [{"a\nb": b"1"}, {"a": "b\nc"}], ids=["a name", "a link"])
def test_a_line_break_in_a_name_is_said_to_be_what_cannot_be_read(
    files: dict[str, bytes | str], tmp_path: Path
) -> None:
    data = io.BytesIO(sif(partition(squashfs(files))))
    with pytest.raises(ArchiveInvalid, match="a name or link in it holds a line break"):
        check_archive(data, limit=2**20, sink=DirectorySink(tmp_path), calls=())
