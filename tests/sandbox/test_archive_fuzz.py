"""Changed archives, from seeds: each is accepted, or refused with a code and a sentence that says what to do."""

import copy
import gzip
import io
import json
import random
import re
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contract.images import ImageFacts
from sandbox.archive import ArchiveCode, ArchiveInvalid, DirectorySink, check_archive, write_canonical
from sandbox.engine import Engine
from sandbox.loading import load_image
from tests.hostile.tiny import PYTHON, entry, file, layer
from tests.sandbox.archives import Members, config, digest, legacy, oci, pack, together
from tests.sandbox.sifs import partition, sif, squashfs

ENGINES = ("docker",)

LIMIT = 2**26
CALLS = (("python", "/app/predict.py"), None)
CURE = re.compile(
    r"docker (save|build)|apptainer build|build (the image again|it)|upload|leave|remove|join RUN|unzip|unpack|keep"
)
SECONDS = 5.0  # of this process's own time; the slowest takes a fiftieth of it
TOP = layer(
    PYTHON,
    entry("usr", tarfile.DIRTYPE, mode=0o755),
    entry("bin", tarfile.SYMTYPE, "usr/bin"),
    entry("usr/bin/python3", tarfile.LNKTYPE, "usr/bin/python"),
    file("usr/share/" + "long/" * 40 + "name", b"x" * 600),
    file("opt/zürich", b"1", pax_headers={"SCHILY.xattr.user.a": "b", "mtime": "1.5"}),
    entry("dev/null", tarfile.CHRTYPE, devmajor=1, devminor=3),
    file("usr/.wh.old"),
)
RUNNING = {
    "Env": ["PATH=/usr/bin", "A=b"],
    "Entrypoint": ["/usr/bin/python"],
    "Cmd": None,
    "User": "0",
    "Labels": {"a": "b"},
    "ExposedPorts": {"80/tcp": {}},
    "Healthcheck": {"Test": ["NONE"], "Interval": 5},
}
CONFIG: dict[str, Any] = {
    "created": "2026-01-31T12:00:00Z",
    "architecture": "amd64",
    "os": "linux",
    "config": RUNNING,
    "rootfs": {"type": "layers", "diff_ids": [digest(TOP)]},
    "history": [{"created": "2026-01-31T12:00:00Z", "created_by": "x"}, {"empty_layer": True}],
}
VALUES: list[Any] = [
    None,
    "",
    "x",
    "0",
    0,
    -1,
    2**64,
    1.5,
    float("nan"),
    float("inf"),
    True,
    [],
    {},
    [[]],
    {"a": 1},
]
VALUES += [
    "\0",
    "\ud800",
    "x" * 5000,
    ["x"] * 2000,
    "linux",
    "arm64",
    "unknown",
    "sha256:" + "0" * 64,
    [None],
    [1],
]
FILES = squashfs(
    {"bin/sh": PYTHON[1], "usr/bin/python": PYTHON[1], "a b": b"1" * 3000, "link": "a b"},
    more=["n c 600 0 0 1 3"],
)
SIF = sif(partition(FILES))
FIELDS = [
    (0, 100),
    (100, 108),
    (108, 116),
    (124, 136),
    (136, 148),
    (156, 157),
    (157, 257),
    (257, 265),
    (329, 337),
]
FIELDS += [(337, 345), (345, 500)]
PUT = [
    b"",
    b"../x",
    b"/",
    b".",
    b"usr",
    b"usr/bin/python",
    b".wh.usr",
    b"7" * 12,
    b"0000001",
    b"9",
    b"\xff" * 12,
]
PUT += [b"\x80" + b"\0" * 11, b"0", b"1", b"2", b"3", b"5", b"L", b"x", b"S"]
Maker = Callable[[random.Random], bytes]


def noise(chance: random.Random, data: bytes) -> bytes:
    """`data` with bytes changed, cut out, doubled or put in."""
    found = bytearray(data)
    for _ in range(chance.choice([1, 1, 2, 5])):
        at = chance.randrange(len(found))
        size = chance.choice([1, 2, 8, 512, 1024])
        kind = chance.randrange(5)
        if kind == 0:
            del found[at : at + size]
        elif kind == 1:
            found[at:at] = found[at : at + size]
        elif kind == 2:
            found[at:at] = chance.randbytes(size)
        else:
            found[at] = chance.choice([0, 0xFF, 0x80, ord("/"), ord("."), ord("7"), chance.randrange(256)])
        found = found or bytearray(b"\0")
    return bytes(found)


def headers(chance: random.Random, data: bytes) -> bytes:
    """A tar whose headers are changed, mostly with the checksum that they then have to have."""
    found = bytearray(data)
    starts = [at for at in range(0, len(found) - 511, 512) if bytes(found[at + 257 : at + 262]) == b"ustar"]
    for _ in range(chance.choice([1, 1, 2])):
        at = chance.choice(starts)
        start, end = chance.choice(FIELDS)
        value = chance.choice([*PUT, chance.randbytes(8)])
        found[at + start : at + end] = value[: end - start].ljust(end - start, b"\0")
        if chance.random() < 0.9:
            found[at + 148 : at + 156] = b" " * 8
            found[at + 148 : at + 156] = b"%06o\0 " % sum(found[at : at + 512])
    return bytes(found)


def changed(chance: random.Random, content: Any) -> Any:
    """JSON with a value, somewhere in it, that is another, or gone, or under another name."""
    content = copy.deepcopy(content)
    for _ in range(chance.choice([1, 1, 2])):
        at, key = content, None
        while isinstance(at, dict | list) and at:
            inside, key = at, chance.choice(list(at) if isinstance(at, dict) else range(len(at)))
            at = inside[key]
            if chance.random() < 0.3:
                break
        if key is None:
            return copy.deepcopy(chance.choice(VALUES))
        if chance.random() < 0.2:
            del inside[key]
        elif chance.random() < 0.1 and isinstance(inside, dict):
            inside[chance.choice([str(key).lower(), str(key).upper(), str(key) + "x"])] = inside[key]
        else:
            inside[key] = copy.deepcopy(chance.choice(VALUES))
    return content


def text(content: Any) -> bytes:
    return json.dumps(content).encode("utf-8", "surrogatepass")


def layout(chance: random.Random, *layers: bytes, image: bytes) -> bytes:
    """The archive of an image in one of the layouts."""
    members: Members = legacy(*layers, image=image) if chance.random() < 0.5 else oci(*layers, image=image)
    if chance.random() < 0.2:
        members = together(members, oci(TOP, image=config(TOP, architecture="arm64")))
    return pack(members)


def of_layers(chance: random.Random) -> bytes:
    top = headers(chance, TOP) if chance.random() < 0.7 else noise(chance, TOP)
    packed = gzip.compress(top, 1) if chance.random() < 0.3 else top
    return layout(
        chance, packed, image=text(CONFIG | {"rootfs": {"type": "layers", "diff_ids": [digest(top)]}})
    )


def of_configs(chance: random.Random) -> bytes:
    return layout(chance, TOP, image=text(changed(chance, CONFIG)))


def of_lists(chance: random.Random) -> bytes:
    members = dict(chance.choice([legacy, oci])(TOP, image=text(CONFIG)))
    name = chance.choice([name for name, data in members.items() if data[:1] in (b"{", b"[")])
    members[name] = text(changed(chance, json.loads(members[name])))
    if name.startswith("blobs/"):  # the index has to name what it is now
        data = members.pop(name)
        members["index.json"] = members["index.json"].replace(name[-64:].encode(), digest(data)[7:].encode())
        members["blobs/sha256/" + digest(data)[7:]] = data
    return pack(members)


def of_bytes(chance: random.Random) -> bytes:
    good = layout(chance, TOP, image=text(CONFIG))
    return headers(chance, good) if chance.random() < 0.4 else noise(chance, good)


def of_gzip(chance: random.Random) -> bytes:
    good = layout(chance, TOP, image=text(CONFIG))
    cut = chance.randrange(len(good))
    return noise(chance, gzip.compress(good[:cut], 1) + gzip.compress(good[cut:], 9))


def of_sifs(chance: random.Random) -> bytes:
    """Changes of the headers, of the descriptors, or of the file system and its tables, which stand at the end."""
    start = SIF.index(FILES)
    end = len(SIF)
    first, last = chance.choice(
        [(30, 128), (4096, 4700), (start, start + 96), (end - 700, end), (start, end)]
    )
    found = bytearray(SIF)
    for _ in range(chance.choice([1, 1, 3])):
        found[chance.randrange(first, last)] = chance.choice([0, 1, 2, 0xFF, chance.randrange(256)])
    return bytes(found[: chance.randrange(len(found))] if chance.random() < 0.1 else found)


def outcome(make: Maker, seed: int, folder: Path) -> tuple[ImageFacts, DirectorySink] | None:
    """What becomes of the archive of a seed: the image, or None where it is refused as it has to be."""
    data = make(random.Random(seed))  # noqa: S311 - to repeat, not to hide
    own = folder / str(seed)
    own.mkdir()
    sink, started = DirectorySink(own / "blobs"), time.process_time()
    refusal: ArchiveInvalid | None = None
    try:
        facts = check_archive(io.BytesIO(data), limit=LIMIT, sink=sink, calls=CALLS)
    except ArchiveInvalid as error:
        refusal = error
    assert time.process_time() - started < SECONDS
    assert list(own.iterdir()) == [sink.root]
    if refusal is not None:
        assert refusal.code in ArchiveCode
        assert refusal.message.endswith("."), refusal.message
        assert CURE.search(refusal.message), refusal.message
        assert refusal.message.isprintable(), refusal.message
        assert not list(sink.root.iterdir())
        sink.root.rmdir()
        own.rmdir()
        return None
    assert ImageFacts.model_validate_json(facts.model_dump_json()) == facts
    assert len(list(sink.root.iterdir())) == len(set(facts.layers)) + 1
    return facts, sink


MAKERS: list[tuple[Maker, int]] = [
    (of_layers, 300), (of_configs, 300), (of_lists, 300), (of_bytes, 300), (of_gzip, 100), (of_sifs, 40)
]  # fmt: skip
IDS = [maker.__name__ for maker, _ in MAKERS]


def run(maker: Maker, seeds: range, folder: Path, engine: Engine, loads: int) -> None:
    """Every seed is checked; of those accepted so many, of all alike, are loaded by the engine."""
    accepted: list[tuple[int, ImageFacts, DirectorySink]] = []
    for seed in seeds:
        try:
            found = outcome(maker, seed, folder)
        except Exception as error:
            raise AssertionError(f"{maker.__name__}, seed {seed}: {error!r}") from error
        if found is not None and all(found[0].digest != facts.digest for _, facts, _ in accepted):
            accepted.append((seed, *found))
    for seed, facts, sink in accepted[:: max(1, len(accepted) // loads)][:loads]:
        out = io.BytesIO()
        write_canonical(facts, sink.open, out)
        out.seek(0)
        try:
            load_image(engine, out, facts.digest)
        except Exception as error:
            raise AssertionError(f"{maker.__name__}, seed {seed} is accepted: {error!r}") from error
        finally:
            engine.remove_image(facts.digest)


@pytest.mark.parametrize(("maker", "count"), MAKERS, ids=IDS)
def test_a_changed_archive_is_accepted_or_refused_with_a_cure(
    maker: Maker, count: int, tmp_path: Path, engine: Engine
) -> None:
    run(maker, range(count), tmp_path, engine, 3)


@pytest.mark.long
@pytest.mark.parametrize(("maker", "count"), MAKERS, ids=IDS)
def test_very_many_changed_archives_are_accepted_or_refused_with_a_cure(
    maker: Maker, count: int, tmp_path: Path, engine: Engine
) -> None:
    run(maker, range(10_000, 10_000 + 20 * count), tmp_path, engine, 60)
