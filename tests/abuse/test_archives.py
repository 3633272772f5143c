"""Archives made to cost much: what a check takes is bounded by the bytes that it is given and those they unpack to.

Indexes that name one another thousands of times, extended headers of records of a few bytes, mazes of links, layers of
nothing but names, thousands of empty gzip members, JSON of every odd kind, and mixtures of these from seeds. Time is
this process's own, so that a busy machine changes nothing; each is far below its bound.
"""

import contextlib
import gzip
import io
import json
import os
import random
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sandbox.archive import ArchiveInvalid, BlobWriter, HashOnly, check_archive
from server.blobs import FileStore
from tests.hostile.tiny import entry, file, layer
from tests.sandbox.archives import Members, config, digest, legacy, pack
from worker.score.check import CheckEnded, allowance, check

MIB = 2**20
LIMIT = 40 * 2**30
PROGRAM = layer(file("a", b"1"))
SECONDS = 3.0
BYTES_PER_SECOND = 2 * MIB


class _Counting:
    """A sink that keeps nothing but how many bytes it was given."""

    def __init__(self) -> None:
        self.bytes = 0

    def has(self, digest: str) -> bool:
        return False

    def writer(self) -> BlobWriter:
        return _Counted(self)


class _Counted(HashOnly):
    def __init__(self, sink: _Counting) -> None:
        super().__init__()
        self._sink = sink

    def write(self, data: bytes) -> int:
        self._sink.bytes += len(data)
        return super().write(data)


def indexes(depth: int, wide: int) -> Members:
    """Indexes below one another, each of which names the next one `wide` times."""
    image = config(PROGRAM)
    last = json.dumps({"config": {"digest": digest(image)}, "layers": [{"digest": digest(PROGRAM)}]}).encode()
    blobs = [image, PROGRAM, last]
    for _ in range(depth):
        last = json.dumps({"manifests": [{"digest": digest(last)}] * wide}).encode()
        blobs.append(last)
    found = {"blobs/sha256/" + digest(one)[7:]: one for one in blobs}
    return found | {"index.json": json.dumps({"manifests": [{"digest": digest(last)}] * wide}).encode()}


def manifests(count: int) -> Members:
    """As many images."""
    blobs, listed = [PROGRAM], []
    for number in range(count):
        image = config(PROGRAM, author=str(number))
        names = {"config": {"digest": digest(image)}, "layers": [{"digest": digest(PROGRAM)}]}
        blobs += [image, one := json.dumps(names).encode()]
        listed.append({"digest": digest(one)})
    found = {"blobs/sha256/" + digest(one)[7:]: one for one in blobs}
    return found | {"index.json": json.dumps({"manifests": listed}).encode()}


def packed(*headers: bytes, **changes: Any) -> Members:
    """An image of one layer of these tar blocks, packed."""
    data = b"".join(headers) + bytes(1024)
    image = config(data, **changes)
    return legacy(gzip.compress(data, 6, mtime=0), image=image)


def header(name: str, kind: bytes = b"0", *, link: str = "", data: bytes = b"") -> bytes:
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.size = kind, link, len(data)
    return member.tobuf(tarfile.GNU_FORMAT) + data + bytes(-len(data) % 512)


def records(size: int) -> bytes:
    """An extended header of records of six bytes."""
    return header("x", b"x", data=b"6 a=b\n" * (size // 6))


def layers(*made: bytes, **changes: Any) -> Members:
    return legacy(*(gzip.compress(one, 6, mtime=0) for one in made), image=config(*made, **changes))


def maze(count: int) -> Members:
    """PATH leads again and again through links that double at each step, in many layers."""
    links = [entry(f"l{number}", tarfile.SYMTYPE, f"l{number + 1}/" * 2) for number in range(38)]
    path = {"Env": ["PATH=" + "/l0:" * 20_000], "Entrypoint": ["x"]}
    return layers(*(layer(*links, file(f"m{number}")) for number in range(count)), config=path)


def long_maze(count: int) -> Members:
    """PATH leads again and again through links of hundreds of steps each, which are in the lowest of many layers."""
    links = [entry(f"l{number}", tarfile.SYMTYPE, "d/../" * 190 + f"l{number + 1}") for number in range(38)]
    path = {"Env": ["PATH=" + "/l0:" * 20_000], "Entrypoint": ["x"]}
    above = (layer(file(f"m{number}")) for number in range(count))
    return layers(layer(entry("d", tarfile.DIRTYPE), *links), *above, config=path)


def many_members(count: int) -> Members:
    data = header("a") + bytes(1024)
    return legacy(gzip.compress(b"") * count + gzip.compress(data), image=config(data))


def text(content: bytes) -> Members:
    return legacy(PROGRAM, image=content)


COSTLY: dict[str, Callable[[], Members]] = {
    "an index of an index of an index, 250 times each": lambda: indexes(2, 250),
    "the same, 10,000 times each": lambda: indexes(2, 10_000),
    "indexes 2,000 deep": lambda: indexes(2000, 3),
    "2,000 images": lambda: manifests(2000),
    "extended headers of tiny records": lambda: packed(*[records(MIB - 600)] * 3, header("a")),
    "extended headers without end": lambda: packed(*[records(1200)] * 4000, header("a")),
    "names of 3,800 bytes": lambda: packed(
        *(
            block
            for number in range(400)
            for block in (header("x", b"L", data=f"{number}{'/d' * 1900}".encode()), header("y"))
        )
    ),
    "40,000 files": lambda: packed(*(header(f"f{number}") for number in range(40_000))),
    "folders 40 deep": lambda: packed(*(header("d/" * 40 + str(n), b"5") for n in range(12_000))),
    "programs": lambda: packed(*(header(f"f{n}", data=b"#!/bin/sh x") for n in range(12_000))),
    "whiteouts": lambda: packed(*(header(f".wh.f{number}") for number in range(30_000))),
    "folders that are emptied": lambda: packed(*(header(f"d{n}/.wh..wh..opq") for n in range(12_000))),
    "hard links": lambda: packed(header("a"), *(header(f"h{n}", b"1", link="a") for n in range(20_000))),
    "folders behind links": lambda: packed(
        *(header(f"l{n}", b"2", link=f"l{n + 1}") for n in range(39)),
        header("l39", b"5"),
        *(header(f"l0/{number}") for number in range(20_000)),
    ),
    "a maze for PATH": lambda: maze(60),
    "a maze of long links for PATH": lambda: long_maze(60),
    "100,000 empty gzip members": lambda: many_members(100_000),
    "a field that stands twice": lambda: text(b'{"config":{' + b'"a":1,' * 100_000 + b'"b":1}}'),
    "arrays 400,000 deep": lambda: text(b'{"a":' + b"[" * 400_000 + b"]" * 400_000 + b"}"),
    "numbers of thousands of digits": lambda: text(config(PROGRAM, a=[10**4000] * 200)),
    "a number longer than any": lambda: text(b'{"a":' + b"9" * 900_000 + b"}"),
    "40,000 variables": lambda: text(config(PROGRAM, config={"Env": [f"V{n}=1" for n in range(40_000)]})),
    "200,000 steps": lambda: text(config(PROGRAM, history=[{}] * 200_000)),
    "80,000 labels": lambda: text(
        config(PROGRAM, config={"Labels": dict.fromkeys(map(str, range(80_000)), "")})
    ),
}


def seconds_for(data: bytes) -> tuple[float, int]:
    """Processor time that the check of an archive takes, and the bytes that it unpacked."""
    sink, began = _Counting(), time.process_time()
    with contextlib.suppress(ArchiveInvalid):  # refusing it is fine, for no more than that
        check_archive(io.BytesIO(data), limit=LIMIT, sink=sink, calls=(("python", "x"), None))
    return time.process_time() - began, sink.bytes


@pytest.mark.parametrize("make", COSTLY.values(), ids=COSTLY)
def test_a_check_costs_no_more_than_its_bytes_give_reason_for(make: Callable[[], Members]) -> None:
    data = pack(make())
    seconds, unpacked = seconds_for(data)
    assert seconds < SECONDS + (len(data) + unpacked) / BYTES_PER_SECOND


def mixed(rng: random.Random) -> Members:
    """An image of a few layers, each with pieces that cost much alone."""
    names = ["a", "d", "l0", "d/d", "../d", "./", "d//a", "\u017f" * 60, "x" * 300, ".wh.a", "d/.wh..wh..opq"]

    def piece() -> list[bytes]:
        kind = rng.choice([b"0", b"1", b"2", b"3", b"5", b"6", b"x", b"L", b"g"])
        name, many = rng.choice(names), rng.choice([1, 1, 200, 1000])
        if kind in b"xg":
            return [header("x", kind, data=b"6 a=b\n" * rng.choice([1, 5000]))] * min(many, 200)
        if kind == b"L":
            return [header("x", kind, data=b"/".join([name.encode()] * rng.choice([1, 900]))), header("y")]
        link = rng.choice(["a", "l0", "l0/" * 30, "/", ".", "d/" * 60])
        return [header(f"{name}{n}", kind, link=link if kind in b"12" else "") for n in range(many)]

    made = [
        b"".join(block for _ in range(rng.randint(1, 9)) for block in piece()) + bytes(1024)
        for _ in range(rng.randint(1, 8))
    ]
    path = ":".join(rng.choice(["/l0", "/a", "/d/d", "/"]) for _ in range(rng.choice([3, 20_000])))
    return layers(*made, config={"Env": [f"PATH={path}"], "Entrypoint": ["x"]})


@pytest.mark.parametrize("seed", range(25))
def test_mixtures_cost_no_more_either(seed: int) -> None:
    data = pack(mixed(random.Random(seed)))  # noqa: S311 - made to be repeated
    seconds, unpacked = seconds_for(data)
    assert seconds < SECONDS + (len(data) + unpacked) / BYTES_PER_SECOND


@pytest.mark.long
@pytest.mark.parametrize("seed", range(25, 1100))
def test_very_many_mixtures_cost_no_more_either(seed: int) -> None:
    test_mixtures_cost_no_more_either(seed)


def test_the_layers_of_a_small_file_unpack_to_no_more_together_than_one_may(tmp_path: Path) -> None:
    """Each is below the bytes that are free for a layer; the archive around them is packed once more."""
    zeros = [layer(file(f"zeros{number}", bytes(50 * MIB))) for number in range(3)]
    small = pack(layers(*zeros))
    for data in (small, gzip.compress(small)):
        sink = _Counting()
        with pytest.raises(ArchiveInvalid, match="unpacks to more than 200 times its own size") as caught:
            check_archive(io.BytesIO(data), limit=LIMIT, sink=sink)
        assert caught.value.code == "expands_too_much"
        assert sink.bytes < 100 * MIB


def test_a_check_has_bounds_on_files_memory_and_time(tmp_path: Path) -> None:
    """Asked of a check that waits for an archive that nobody writes; it goes with whoever started it."""
    path = tmp_path / "image.tar"
    os.mkfifo(path)
    program = (
        "import sys, pathlib; from server.blobs import FileStore; from worker.score.check import check;"
        f"check(pathlib.Path({str(path)!r}), limit=2**20, blobs=FileStore(pathlib.Path({str(tmp_path)!r})), "
        "calls=(), seconds=77)"
    )
    starter = subprocess.Popen(
        [sys.executable, "-c", program], env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    )
    try:
        limits = _wait(lambda: _limits_of_child(starter.pid))
    finally:
        starter.kill()
        starter.wait()
    assert limits["Max file size"] == 2**20 + 2**28
    assert limits["Max cpu time"] == 77
    assert limits["Max address space"] == 4 * 2**30
    assert (limits["Max open files"], limits["Max core file size"]) == (512, 0)
    child = limits["pid"]
    _wait(lambda: not _runs(child))


def _limits_of_child(starter: int) -> dict[str, int] | None:
    """The soft limits of a process's one child, once they are set."""
    children = Path(f"/proc/{starter}/task/{starter}/children").read_text().split()
    if not children:
        return None
    rows = Path(f"/proc/{children[0]}/limits").read_text().splitlines()[1:]
    found = {row[:26].strip(): row[26:47].strip() for row in rows}
    if found["Max open files"] != "512":
        return None
    return {name: int(value) for name, value in found.items() if value.isdigit()} | {"pid": int(children[0])}


def _runs(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except FileNotFoundError:
        return False


def _wait(holds: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 60
    while not (found := holds()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def test_a_check_that_has_to_end_removes_what_it_wrote_though_its_time_is_over(tmp_path: Path) -> None:
    path, blobs = tmp_path / "image.tar", FileStore(tmp_path / "blobs")
    path.write_bytes(pack(packed(*[records(MIB - 600)] * 30, header("a"))))
    assert allowance(path.stat().st_size, LIMIT) < 70
    with pytest.raises(CheckEnded):
        check(path, limit=LIMIT, blobs=blobs, calls=(), seconds=1)
    assert [one for one in blobs.root.rglob("*") if one.is_file()] == []
