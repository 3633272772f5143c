"""Uploads that are no acceptable image: each is refused by the check, which neither loads nor runs anything."""

import gzip
import json
import tarfile
from collections.abc import Callable
from dataclasses import dataclass

from tests.hostile.table import Row
from tests.hostile.tiny import ARM64, entry, file, image, layer, program
from tests.sandbox.archives import LAYER, config, digest, legacy, oci, pack, special, tar, together

LINK, HARD, PIPE, DEVICE = tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE
SPARSE = tarfile.GNUTYPE_SPARSE
GOOD = pack(legacy(LAYER))
_ARM = config(LAYER, architecture="arm64")
_ZEROS = gzip.compress(bytes(100 << 20), 9)


@dataclass(frozen=True)
class Archive(Row):
    """`make` gives the bytes that are uploaded."""

    make: Callable[[], bytes]


def _rows(defence: str, *cases: tuple[str, str, Callable[[], bytes]]) -> list[Archive]:
    return [Archive(name, defence, expected, make) for name, expected, make in cases]


def _beside(*more: tuple[str, bytes] | tarfile.TarInfo) -> bytes:
    """A good archive with further members."""
    return tar(*legacy(LAYER).items(), *more)


def _above(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """An image whose last layer has these entries."""
    return image(layers=(layer(*entries),))


_OTHER = config(LAYER, author="another")


def _maze(deep: int, wide: int) -> bytes:
    """Indexes of indexes, each of which names the next one many times."""
    members = oci(LAYER, image=_OTHER)
    index = members["index.json"]
    for _ in range(deep):
        members["blobs/sha256/" + digest(index)[7:]] = index
        index = json.dumps({"manifests": [{"digest": digest(index)}] * wide}).encode()
    return pack(together(members | {"index.json": index}, oci(LAYER)))


def _records() -> bytes:
    """A member whose extended header is a megabyte of the shortest records."""
    content = b"5 a=\n" * (2**20 // 5)
    header = tarfile.TarInfo("PaxHeaders/x")
    header.type, header.size = tarfile.XHDTYPE, len(content)
    return header.tobuf() + content + bytes(-len(content) % 512)


def _configured(**changes: object) -> bytes:
    return pack(legacy(LAYER, image=config(LAYER, **changes)))


def _long_record() -> bytes:
    """A member whose extended header states a size of thousands of digits."""
    record = b"size=" + b"9" * 5000 + b"\n"
    content = b"%d " % (len(record) + 5) + record
    header = tarfile.TarInfo("PaxHeaders/x")
    header.type, header.size = tarfile.XHDTYPE, len(content)
    return header.tobuf() + content + bytes(-len(content) % 512) + tar(("x", b"1"))


def _negative_size() -> bytes:
    header = bytearray(tarfile.TarInfo("manifest.json").tobuf())
    header[124:136] = b"\xff" * 12
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + bytes(1024)


def _arm_program() -> bytes:
    return image(layers=(layer(file("usr/bin/python", program(ARM64))),))


ARCHIVES: list[Archive] = [
    *_rows(
        "read as a stream that has to be a whole tar",
        ("an upload of nothing", "not_a_tar", lambda: b""),
        ("zip file", "not_a_tar", lambda: b"PK\x03\x04" + bytes(range(256)) * 8),
        ("zeros", "not_a_tar", lambda: bytes(10240)),
        ("gzip of zeros", "not_a_tar", lambda: gzip.compress(bytes(10240))),
        ("archive that was cut", "truncated", lambda: GOOD[:-11000]),
        ("gzip that was cut", "truncated", lambda: gzip.compress(GOOD)[:-9]),
        ("gzip with a wrong checksum", "damaged", lambda: gzip.compress(GOOD)[:-8] + bytes(8)),
        ("gzip with something behind it", "damaged", lambda: gzip.compress(GOOD) + b"tail"),
        ("size of thousands of digits", "damaged", _long_record),
        ("negative size", "damaged", _negative_size),
        ("zstd", "unsupported_compression", lambda: b"\x28\xb5\x2f\xfd" + bytes(100)),
    ),
    *_rows(
        "what it unpacks to is bounded",
        ("gzip bomb", "expands_too_much", lambda: _ZEROS),
        ("gzip bomb as a layer", "expands_too_much", lambda: pack(legacy(tar(), _ZEROS))),
        ("gzip bomb as an OCI layer", "expands_too_much", lambda: pack(oci(_ZEROS, image=config(tar())))),
        ("128 layers", "too_many_layers", lambda: pack(legacy(*[tar()] * 128))),
        ("10,001 members", "too_many_members", lambda: _beside(*((str(number), b"") for number in range(10_001)))),
        ("config of a megabyte", "config_invalid", lambda: _configured(author="x" * (1 << 20))),
        ("config nested 100,000 deep", "config_invalid", lambda: pack(legacy(LAYER, image=b"[" * 100_000))),
    ),
    *_rows(
        "exactly one image",
        ("no image", "no_image", lambda: tar(("app/predict.py", b"print(1)\n"))),
        ("list without an image", "no_image", lambda: tar(("manifest.json", b"[]"))),
        ("index without an image", "no_image", lambda: tar(("index.json", b'{"manifests": []}'))),
        ("two images", "several_images", lambda: pack(together(legacy(LAYER), legacy(LAYER, image=_OTHER)))),
        (
            "two images in an index",
            "several_images",
            lambda: pack(together(oci(LAYER), oci(LAYER, image=_OTHER))),
        ),
    ),
    *_rows(
        "every digest is true",
        ("layer with another digest", "wrong_digest", lambda: pack(legacy(LAYER, image=config(tar())))),
        (
            "OCI blob with another digest",
            "wrong_digest",
            lambda: pack(oci(LAYER) | {"blobs/sha256/" + digest(LAYER)[7:]: tar()}),
        ),
        (
            "config with another digest",
            "wrong_digest",
            lambda: pack(legacy(LAYER) | {digest(config(LAYER))[7:] + ".json": config(LAYER, author="me")}),
        ),
        (
            "layer that is missing",
            "missing_blob",
            lambda: pack({name: data for name, data in legacy(LAYER).items() if "layer" not in name}),
        ),
        ("config that is missing", "missing_blob", lambda: pack(legacy(LAYER, Config="0" * 64 + ".json"))),
    ),
    *_rows(
        "the config is read as the engine reads it",
        ("architecture written twice", "config_invalid", lambda: _configured(Architecture="arm64")),
        (
            "field that stands twice",
            "config_invalid",
            lambda: pack(legacy(LAYER, image=config(LAYER).replace(b'"os"', b'"os": "x", "os"'))),
        ),
        ("more layers than there are", "config_invalid", lambda: pack(legacy(LAYER, image=config(LAYER, LAYER)))),
        ("NUL in a user's name", "config_invalid", lambda: _configured(config={"User": "a\0b"})),
        ("half a character", "config_invalid", lambda: _configured(config={"Env": ["\ud800=x"]})),
        ("image of no layers", "config_invalid", lambda: pack(legacy(image=config()))),
    ),
    *_rows(
        "linux/amd64 by config and by the program",
        ("label for ARM", "wrong_architecture", lambda: _configured(architecture="arm64")),
        ("label for ARM in an index", "wrong_architecture", lambda: pack(oci(LAYER, image=_ARM))),
        ("label for Windows", "wrong_architecture", lambda: _configured(os="windows")),
        ("program for ARM under a label for amd64", "wrong_architecture", _arm_program),
    ),
    *_rows(
        "no path leads out",
        ("member outside the archive", "unsafe_path", lambda: _beside(("../evil", b"x"))),
        ("member with an absolute path", "unsafe_path", lambda: _beside(("/etc/passwd", b"x"))),
        ("link out of the archive", "unsafe_path", lambda: _beside(special("a/b", LINK, "../../etc/passwd"))),
        ("layer that is a link to the host", "unsafe_path", lambda: _beside(special("layer.tar", LINK, "/etc/shadow"))),
        ("config outside the archive", "unsafe_path", lambda: pack(legacy(LAYER, Config="../" + "0" * 64 + ".json"))),
        ("file outside the image", "unsafe_path", lambda: _above(file("../etc/cron.d/evil", b"x"))),
        ("file outside by a long name", "unsafe_path", lambda: _above(file("x" * 200 + "/../../y", b"x"))),
        ("whiteout outside the image", "unsafe_path", lambda: _above(file("../.wh.etc", b""))),
        ("hard link out of the image", "unsafe_path", lambda: _above(entry("a", HARD, "../../etc/shadow"))),
    ),
    *_rows(
        "no member twice, none that images do not have",
        ("member that stands twice", "duplicate_member", lambda: _beside(("./manifest.json", b"[]"))),
        ("pipe in the archive", "unsupported_member", lambda: _beside(special("pipe", PIPE))),
        ("hard link out of the archive", "unsafe_path", lambda: _beside(special("l", HARD, "../../etc/shadow"))),
        ("sparse file in a layer", "unsupported_member", lambda: pack(legacy(tar(special("s", SPARSE))))),
        ("layer that is a program", "not_a_tar", lambda: pack(legacy(b"\x7fELF" + bytes(1000)))),
        ("layer that was cut", "truncated", lambda: pack(legacy(tar(("a", bytes(20_000)))[:15_000]))),
    ),
    *_rows(
        "no node of a device that a container could open",
        ("console of the host", "unsafe_device", lambda: _above(entry("x", DEVICE, devmajor=5, devminor=1))),
        ("network tunnels", "unsafe_device", lambda: _above(entry("x", DEVICE, devmajor=10, devminor=200))),
    ),
    *_rows(
        "what no engine unpacks is the image's fault, and said before it is queued",
        ("hard link in the root's place", "layer_invalid", lambda: _above(entry(".", b"5"), entry("/", HARD, "."))),
        ("hard link to nothing", "layer_invalid", lambda: _above(entry("app/a", HARD, "app/nothing"))),
        ("hard link to a layer below", "layer_invalid", lambda: _above(entry("app/a", HARD, "usr/bin/python"))),
        ("hard link to a folder", "layer_invalid", lambda: _above(entry("d", b"5"), entry("a", HARD, "d"))),
        ("file through a dangling link", "layer_invalid", lambda: _above(entry("x", LINK, "/real"), file("x/d/f"))),
        ("whiteout below a link", "layer_invalid", lambda: _above(entry("a", LINK, "/b"), file("a/.wh.a"))),
        ("whiteout of the same layer's file", "layer_invalid", lambda: _above(file("a"), file(".wh.a"))),
        ("file below a file", "layer_invalid", lambda: _above(file("a"), file("a/b"))),
        ("path that stands twice in a layer", "layer_invalid", lambda: _above(file("a"), file("./a"))),
        ("name of 256 bytes", "layer_invalid", lambda: _above(file("a" * 256))),
        ("link to nowhere at all", "layer_invalid", lambda: _above(entry("a", LINK, ""))),
        (
            "attribute of 5,000 bytes",
            "layer_invalid",
            lambda: _above(file("a", pax_headers={"SCHILY.xattr.user.a": "x" * 5000})),
        ),
        (
            "time that is no number",
            "damaged",
            lambda: _above(file("a", pax_headers={"mtime": "yesterday"})),
        ),
        ("date that is a text", "config_invalid", lambda: _configured(created="2026-11-28 17:00")),
        ("ports that are a list", "config_invalid", lambda: _configured(config={"ExposedPorts": ["80/tcp"]})),
        ("more history than layers", "config_invalid", lambda: _configured(history=[{}] * 2)),
        ("number that is none", "config_invalid", lambda: _configured(Size=float("nan"))),
        (
            "config in UTF-16",
            "config_invalid",
            lambda: pack(legacy(LAYER, image=config(LAYER).decode().encode("utf-16"))),
        ),
    ),
    *_rows(
        "the work for an upload grows with its size only",
        ("40,000 variables", "config_invalid", lambda: _configured(config={"Env": [f"V{n}=" for n in range(40_000)]})),
        ("a variable of 200,000 bytes", "config_invalid", lambda: _configured(config={"Env": ["X=" + "x" * 200_000]})),
        ("variables by a name of small letters", "config_invalid", lambda: _configured(config={"env": ["A=1"]})),
        ("indexes that name each other 10,000 times", "several_images", lambda: _maze(9, 10_000)),
        ("extended header of 200,000 records", "no_image or truncated", _records),
    ),
]  # fmt: skip
