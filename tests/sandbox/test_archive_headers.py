"""Headers that readers of tars take differently: the check reads them as Docker does, or refuses them."""

import io
import tarfile
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from contract.images import CheckpointState
from sandbox.archive import ArchiveCode, ArchiveInvalid, DirectorySink, check_archive, write_canonical
from sandbox.engine import Engine
from sandbox.loading import load_image
from tests.sandbox.archives import config, legacy, pack, special, tar
from tests.sandbox.test_checkpoint import WEIGHTS, declared, facts_of, found

ENGINES = ("docker",)

OTHER = b"something else"
MODEL = tar(("app/model.pt", WEIGHTS))
END = bytes(1024)
Change = Callable[[bytearray], None]


def raw(name: str, data: bytes = b"", kind: bytes = b"0", change: Change | None = None) -> bytes:
    """One entry as GNU tar writes it, its header changed before the checksum is made."""
    info = tarfile.TarInfo(name)
    info.size, info.type = len(data), kind
    info.devmajor, info.devminor = 5, 1
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    if change is not None:
        change(header)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + data + bytes(-len(data) % 512)


def long(name: bytes) -> bytes:
    """GNU's header for a long name of the next entry."""
    return raw("././@LongLink", name + b"\0", b"L")


def pax(*records: tuple[str, str], kind: bytes = b"x") -> bytes:
    """An extended header with these records."""
    data = b""
    for key, value in records:
        body = f" {key}={value}\n".encode()
        length = len(body) + 1
        while len(str(length)) + len(body) != length:
            length = len(str(length)) + len(body)
        data += str(length).encode() + body
    return raw("pax", data, kind)


def before(prefix: bytes) -> Change:
    """Writes where a header of GNU has times, and others the folders before the name."""

    def change(header: bytearray) -> None:
        header[345 : 345 + len(prefix)] = prefix

    return change


GLOBAL = pax(("comment", "x"), kind=b"g")
NAMED: dict[str, Callable[[str, bytes, bytes], bytes]] = {
    "an empty long name": lambda name, data, kind: long(b"") + raw(name, data, kind),
    "two long names": lambda name, data, kind: long(b"x") + long(b"") + raw(name, data, kind),
    "a long name before a global header": lambda name, data, kind: (
        long(b"x") + GLOBAL + raw(name, data, kind)
    ),
    "a path before a global header": lambda name, data, kind: (
        pax(("path", "x")) + GLOBAL + raw(name, data, kind)
    ),
    "a path, and an empty one": lambda name, data, kind: (
        pax(("path", "x"), ("path", "")) + raw(name, data, kind)
    ),
    "the data of a folder of the oldest kind": lambda name, data, kind: raw(
        "x/", raw(name, data, kind), b"\0"
    ),
    "folders where GNU has times": lambda name, data, kind: raw(
        name.rpartition("/")[2], data, kind, before(name.rpartition("/")[0].encode())
    ),
}
"""An entry of this name, content and kind to Docker, found out with 20.10; to other readers one called "x", or none."""


@pytest.mark.parametrize("made", NAMED.values(), ids=NAMED)
def test_an_entry_stands_where_docker_puts_it(
    made: Callable[[str, bytes, bytes], bytes], tmp_path: Path, engine: Engine
) -> None:
    layers = MODEL, made("app/model.pt", OTHER, b"0") + END
    image = config(*layers, config={"Labels": declared()}, author=uuid.uuid4().hex)
    sink = DirectorySink(tmp_path)
    facts = check_archive(io.BytesIO(pack(legacy(*layers, image=image))), limit=2**20, sink=sink)
    assert facts.checkpoint is not None
    assert facts.checkpoint.state is CheckpointState.ANOTHER_FILE
    archive, name = io.BytesIO(), f"proctor-headers-{uuid.uuid4()}"
    write_canonical(facts, sink.open, archive)
    archive.seek(0)
    load_image(engine, archive, facts.digest)
    try:
        engine.raw.look(facts.digest, name)
        with (
            engine.raw.read(name, "/app/model.pt") as stream,
            tarfile.open(fileobj=stream, mode="r|") as held,
        ):
            member = held.next()
            assert member is not None
            file = held.extractfile(member)
            assert file is not None
            assert file.read() == OTHER
        engine.remove_container(name)
    finally:
        engine.remove_image(facts.digest)


@pytest.mark.parametrize("made", NAMED.values(), ids=NAMED)
def test_a_device_is_found_where_docker_puts_it(made: Callable[[str, bytes, bytes], bytes]) -> None:
    with pytest.raises(ArchiveInvalid) as caught:
        facts_of(pack(legacy(made("app/console", b"", tarfile.CHRTYPE) + END)))
    assert caught.value.code is ArchiveCode.UNSAFE_DEVICE
    assert "/app/console" in caught.value.message


def test_times_in_a_header_of_gnu_are_no_folder() -> None:
    times = b"14000000000\x0014000000001\x00"
    for change in (before(times), before(bytes(12) + times[:12]), before(b"\x80" + bytes(10) + b"\x01")):
        assert found(declared(), raw("app/model.pt", WEIGHTS, change=change) + END).verified


@pytest.mark.parametrize(
    "name",
    [
        *("trusted.overlay.opaque", "trusted.overlay.redirect", "trusted.overlay.metacopy"),
        *("user.overlay.whiteout", "user.fuseoverlayfs.opaque"),
    ],
)
def test_attributes_with_which_storage_hides_files_are_refused(name: str) -> None:
    """Docker gives them to the folder, and what lies below it is hidden or another folder's."""
    layer = pax((f"SCHILY.xattr.{name}", "y")) + raw("app", kind=tarfile.DIRTYPE) + END
    with pytest.raises(ArchiveInvalid, match="hides and moves files; leave it out") as caught:
        found(declared(), MODEL, layer)
    assert caught.value.code is ArchiveCode.LAYER_INVALID
    assert name in caught.value.message


def test_a_folder_that_is_called_as_a_removal_is_refused() -> None:
    """Docker makes a folder of that name, in which storage of its kind sees a removal."""
    with pytest.raises(ArchiveInvalid, match="removes another file, and names no folder") as caught:
        found(declared(), MODEL, tar(("app/.wh.model.pt/x", b"")))
    assert caught.value.code is ArchiveCode.LAYER_INVALID


GLOBALS = {
    "a removal": raw("app/.wh.model.pt", b"8 a=bcd\n", b"g"),
    "a folder that is emptied": raw("app/.wh..wh..opq", b"8 a=bcd\n", b"g"),
    "a removal of a folder": raw(".wh.app", b"8 a=bcd\n", b"g"),
    "something below the file": raw("app/model.pt/x", b"8 a=bcd\n", b"g"),
    "a folder of its layer": raw("app/model.pt", WEIGHTS) + raw("app", b"8 a=bcd\n", b"g"),
}


@pytest.mark.parametrize("layer", GLOBALS.values(), ids=GLOBALS)
def test_a_global_header_with_the_name_of_a_file_is_refused(layer: bytes) -> None:
    """Podman 4.3 removes what it names before it passes over it, and Docker 20.10 does not."""
    with pytest.raises(ArchiveInvalid, match="take a global header of that name for a file") as caught:
        found(declared(), MODEL, layer + END)
    assert caught.value.code is ArchiveCode.LAYER_INVALID


@pytest.mark.parametrize("name", ["pax_global_header", "././@PaxHeader"])
def test_a_global_header_as_programs_write_it_is_passed_over(name: str) -> None:
    assert found(declared(), raw(name, b"8 a=bcd\n", b"g") + raw("app/model.pt", WEIGHTS) + END).verified


def test_a_root_that_hides_all_below_is_refused() -> None:
    """Docker's storage shows it all the same, a device of the host among it."""
    with pytest.raises(ArchiveInvalid, match="not every engine removes all") as caught:
        found(declared(), MODEL, tar((".wh..wh..opq", b"")))
    assert caught.value.code is ArchiveCode.LAYER_INVALID


def test_folders_that_only_links_make_so_deep_are_refused() -> None:
    """Each would be kept with its whole path: 200 KB of archive took gigabytes of memory."""
    members: list[tarfile.TarInfo] = []
    place = ""
    for number in range(3):
        place = "/".join([place or "top", *["a"] * 900])
        members += [special(f"{place}/z", tarfile.DIRTYPE), special(f"l{number}", tarfile.SYMTYPE, place)]
        place = f"l{number}"
    with pytest.raises(
        ArchiveInvalid, match="through links that is a path of more than 3840 bytes"
    ) as caught:
        facts_of(pack(legacy(tar(*members))))
    assert caught.value.code is ArchiveCode.LAYER_INVALID
