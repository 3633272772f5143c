"""The check knows without an engine which layers an engine can unpack: both are asked here."""

import io
import random
import tarfile
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.archive import ArchiveInvalid, DirectorySink, canonical_name, check_archive
from sandbox.engine import Engine
from sandbox.faults import EngineFault, ImageRefused
from sandbox.loading import load_image
from tests.hostile.tiny import Entry, entry, file, layer
from tests.sandbox.archives import config, digest, legacy, pack

ENGINES = ("docker",)

LINK, HARD, FOLDER, PIPE = tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE
DEVICE, DISK = tarfile.CHRTYPE, tarfile.BLKTYPE
Agreed = Callable[[bytes], str | None]
BELOW = layer(entry("bin", FOLDER), file("bin/x", b"x"))


def _record(key: str, value: str) -> bytes:
    return layer(file("a", pax_headers={key: value}))


FINE: dict[str, bytes] = {
    "a hard link to a file": layer(file("x"), entry("a", HARD, "x")),
    "a hard link by an absolute name": layer(file("/x"), entry("/a", HARD, "/x")),
    "a hard link to a symbolic link": layer(entry("l", LINK, "x"), entry("a", HARD, "l")),
    "a hard link through a link to a folder": layer(
        entry("d", FOLDER), file("d/x"), entry("l", LINK, "d"), entry("a", HARD, "l/x")
    ),
    "a hard link to a device": layer(entry("c", DEVICE, devmajor=1, devminor=3), entry("a", HARD, "c")),
    "a file through a link to a folder": layer(entry("d", FOLDER), entry("l", LINK, "/d"), file("l/f")),
    "a file through a link that climbs": layer(entry("d", FOLDER), entry("l", LINK, "../../d"), file("l/f")),
    "a link that climbs": layer(entry("d/l", LINK, "../../../../etc/shadow")),
    "a link that is absolute": layer(entry("l", LINK, "/etc/shadow")),
    "a link of 4,095 bytes": layer(entry("l", LINK, "b" * 4095)),
    "a whiteout": layer(file("bin/.wh.x")),
    "a whiteout through a link to a folder": layer(entry("d", FOLDER), entry("l", LINK, "d"), file("l/.wh.f")),
    "a whiteout before a file of the name": layer(file(".wh.f"), file("f")),
    "a whiteout before a folder of the name": layer(file(".wh.f"), entry("f", FOLDER), file("f/x")),
    "a hard link to what a whiteout leaves": layer(file(".wh.f"), entry("a", HARD, "f")),
    "a whiteout of a whiteout": layer(file(".wh..wh.x")),
    "an emptied folder": layer(file("d/.wh..wh..opq"), file("d/new")),
    "a folder whose parents are not there": layer(entry("a/b/c", FOLDER), file("d/e/f")),
    "a folder after what is in it": layer(file("d/f"), entry("d", FOLDER)),
    "a file in an implied folder's place": layer(file("a/b"), file("a")),
    "the root as a folder": layer(entry("./", FOLDER), file("./a")),
    "the root as an absolute folder": layer(entry("/", FOLDER), file("/a")),
    "the root as whatever is called a point": layer(entry("./", LINK, "x")),
    "a whiteout that is a device": layer(entry("bin/x", DEVICE, devmajor=0, devminor=0)),
    "devices anywhere": layer(entry("lib/udev/null", DEVICE, devmajor=1, devminor=3), entry("sda", DISK, devmajor=8)),
    "a pipe": layer(entry("p", PIPE)),
    "a name of 255 bytes": layer(file("a" * 255)),
    "attributes of 3,900 bytes": _record("SCHILY.xattr.user.a", "x" * 3900),
    "attributes of an unknown sort": _record("SCHILY.xattr.com.apple.quarantine", "x"),
    "a time before all times": layer(file("a", mtime=-(2**33))),
    "an empty record": _record("comment", ""),
    "nothing": layer(),
}  # fmt: skip
NOT: dict[str, bytes] = {
    "a hard link to nothing": layer(entry("a", HARD, "nothing")),
    "a hard link to a layer below": layer(entry("a", HARD, "bin/x")),
    "a hard link to itself": layer(entry("a", HARD, "a")),
    "a hard link to a later file": layer(entry("a", HARD, "b"), file("b")),
    "a hard link to a folder": layer(entry("d", FOLDER), entry("a", HARD, "d")),
    "a hard link to the root": layer(entry("a", HARD, "/")),
    "a hard link to nowhere": layer(entry("a", HARD, "")),
    "a hard link in the root's place": layer(entry(".", FOLDER), entry("/", HARD, ".")),
    "a file in the root's place": layer(file("/")),
    "a file through a dangling link": layer(entry("l", LINK, "nowhere"), file("l/f")),
    "a file far behind a dangling link": layer(entry("l", LINK, "nowhere"), file("l/d/e/f")),
    "a folder through a dangling link": layer(entry("l", LINK, "/nowhere"), entry("l/d", FOLDER)),
    "a file through a link to a layer below": layer(entry("l", LINK, "bin"), file("l/f")),
    "a file through a link to a file": layer(file("x"), entry("l", LINK, "x"), file("l/f")),
    "a file through a link in a circle": layer(entry("l", LINK, "l"), file("l/f")),
    "a whiteout through a dangling link": layer(entry("l", LINK, "nowhere"), file("l/.wh.f")),
    "an emptied folder through a dangling link": layer(entry("l", LINK, "nowhere"), file("l/.wh..wh..opq")),
    "a whiteout of the layer's own file": layer(file("f"), file(".wh.f")),
    "a whiteout of the layer's own folder": layer(file("d/f"), file(".wh.d")),
    "a whiteout without a name": layer(file("d/.wh.")),
    "a whiteout of a point": layer(file(".wh..")),
    "a file below a file": layer(file("a"), file("a/b")),
    "a file below a whiteout": layer(file(".wh.a"), file("a/b")),
    "a whiteout below a file": layer(file("a"), file("a/.wh.b")),
    "a file below a device": layer(entry("a", DEVICE, devmajor=1, devminor=3), file("a/b")),
    "a file twice": layer(file("a"), file("a")),
    "a folder twice": layer(entry("a", FOLDER), entry("./a/", FOLDER)),
    "a file and a folder of one name": layer(file("a"), entry("a", FOLDER)),
    "a name of 256 bytes": layer(file("a" * 256)),
    "a path of more than 3,840 bytes": layer(file("/".join(["a" * 200] * 21))),
    "a link of 4,096 bytes": layer(entry("a", LINK, "b" * 4096)),
    "a link to nowhere": layer(entry("a", LINK, "")),
    "an attribute of too long a name": _record("SCHILY.xattr.user." + "a" * 300, "b"),
    "a name with a NUL in it": _record("path", "a\0b"),
    "a time that is none": _record("mtime", "yesterday"),
    "an owner that is no number": _record("uid", "root"),
}  # fmt: skip


@pytest.fixture
def agreed(engine: Engine, tmp_path: Path) -> Agreed:
    """Asks check and engine about a layer; returns the refusal, or None where both take it."""

    def agreed(top: bytes) -> str | None:
        image = config(BELOW, top, author=uuid.uuid4().hex)
        name = canonical_name(digest(image))
        data = pack(legacy(BELOW, top, image=image, RepoTags=[name]))
        refusal: str | None = None
        try:
            check_archive(io.BytesIO(data), limit=2**24, sink=DirectorySink(tmp_path / uuid.uuid4().hex))
        except ArchiveInvalid as error:
            refusal = error.message
        said: str | None = None
        try:
            load_image(engine, io.BytesIO(data), digest(image))
        except (ImageRefused, EngineFault) as error:
            said = str(error)
        engine.remove_image(digest(image))
        assert (refusal is None) == (said is None), f"check: {refusal}; engine: {said}"
        return refusal

    return agreed


@pytest.mark.parametrize("top", FINE.values(), ids=FINE)
def test_what_an_engine_unpacks_is_accepted(top: bytes, agreed: Agreed) -> None:
    assert agreed(top) is None


@pytest.mark.parametrize("top", NOT.values(), ids=NOT)
def test_what_no_engine_unpacks_is_refused_with_the_place(top: bytes, agreed: Agreed) -> None:
    refusal = agreed(top)
    assert refusal
    assert refusal.startswith("layer 2 of 2 ")


def some_layer(chance: random.Random) -> bytes:
    """A layer of few names, so that its entries get in each other's way."""
    names = ["a", "b", "c", "a/b", "b/c", "a/b/c", "c/a", "/b", "./c/"]
    targets = ["a", "/b", "../c", "c/a", "nothing", "a/b/../c", "/", "."]

    def one() -> Entry:
        name = chance.choice(names)
        kind = chance.choice([FOLDER, FOLDER, LINK, LINK, HARD, PIPE, DEVICE, b"0", b"0", b"0", b"w", b"q"])
        if kind == b"w":
            return file(f"{name.rpartition('/')[0]}/.wh.{name.rpartition('/')[2] or 'c'}".lstrip("/"))
        if kind == b"q":
            return file(f"{name.rstrip('/')}/.wh..wh..opq")
        if kind in (LINK, HARD):
            target = chance.choice(targets)
            return entry(name, kind, target.replace("../", "") if kind == HARD else target)
        return (
            file(name, b"x")
            if kind == b"0"
            else entry(name, kind, devmajor=chance.choice([0, 1]), devminor=0)
        )

    return layer(*(one() for _ in range(chance.randint(2, 5))))


@pytest.mark.parametrize("seed", range(4))
def test_check_and_engine_agree_on_layers_made_at_random(seed: int, agreed: Agreed) -> None:
    compare(seed, 8, agreed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 120))
def test_check_and_engine_agree_on_many_layers_made_at_random(seed: int, agreed: Agreed) -> None:
    compare(seed, 40, agreed)


def compare(seed: int, count: int, agreed: Agreed) -> None:
    chance = random.Random(seed)  # noqa: S311 - to repeat, not to hide
    for number in range(count):
        top = some_layer(chance)
        try:
            agreed(top)
        except AssertionError as error:
            with tarfile.open(fileobj=io.BytesIO(top)) as archive:
                listed = [(one.name, one.type, one.linkname, one.devmajor) for one in archive]
            raise AssertionError(f"seed {seed}, layer {number}: {listed}: {error}") from None
