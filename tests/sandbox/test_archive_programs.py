"""The program of a call is found through the layers, and an image for another machine is refused before it runs."""

import io
import struct
import tarfile
from typing import Any

import pytest

from sandbox.archive import ArchiveCode, ArchiveInvalid, Bounds, DirectorySink, check_archive
from sandbox.archive._programs import Programs
from sandbox.archive._stack import Stack
from sandbox.archive._tar import Tar
from sandbox.archive._unpacked import Allowance, Unpacked
from tests.sandbox.archives import config, legacy, pack, special, tar

PYTHON = ("python", "/app/predict.py")
LINK, HARD = tarfile.SYMTYPE, tarfile.LNKTYPE
Entry = tuple[str, bytes] | tarfile.TarInfo


def elf(machine: int = 62, *, bits: int = 2, order: str = "<") -> bytes:
    """The header of an ELF program."""
    ident = b"\x7fELF" + bytes([bits, 1 if order == "<" else 2, 1]) + bytes(9)
    return ident + struct.pack(order + "HHI", 2, machine, 1) + bytes(40)


AMD, ARM = elf(62), elf(183)


def layer(*entries: Entry | tuple[str, bytes, int]) -> bytes:
    """A layer whose files can be executed unless their mode is given."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for entry in entries:
            if isinstance(entry, tarfile.TarInfo):
                archive.addfile(entry)
                continue
            info = tarfile.TarInfo(entry[0])
            info.size, info.mode = len(entry[1]), entry[2] if len(entry) > 2 else 0o755
            archive.addfile(info, io.BytesIO(entry[1]))
    return out.getvalue()


def folder(name: str) -> tarfile.TarInfo:
    return special(name, tarfile.DIRTYPE)


def refusal(tmp_path: Any, *layers: bytes, calls: Any = (PYTHON,), **changes: Any) -> str | None:
    """The sentence that an image of these layers is refused with; None if it is accepted."""
    changes = {"config": {"Env": ["PATH=/opt/bin:/usr/bin:/bin"]}} | changes
    data = pack(legacy(*layers, image=config(*layers, **changes)))
    try:
        check_archive(io.BytesIO(data), limit=2**30, sink=DirectorySink(tmp_path), calls=calls)
    except ArchiveInvalid as error:
        code, message = error.code, error.message
    else:
        return None
    assert code is ArchiveCode.WRONG_ARCHITECTURE
    assert not list(tmp_path.iterdir())
    return message


def test_an_arm_program_in_an_image_labelled_amd64_is_refused_with_its_path(tmp_path: Any) -> None:
    said = refusal(
        tmp_path, layer(("usr/bin/python3.11", ARM), special("usr/bin/python", LINK, "python3.11"))
    )
    assert said is not None
    assert said.startswith(
        "the program '/usr/bin/python3.11', to which 'python' leads, is built for linux/arm64"
    )
    assert "--platform linux/amd64" in said


REFUSED = {
    "another word size": (elf(3, bits=1), "linux/386"),
    "pointers of 32 bits": (elf(62, bits=1), "x32"),
    "the other byte order": (elf(22, order=">"), "linux/s390x"),
    "a machine nobody knows": (elf(4711), "another machine (ELF 4711)"),
}


@pytest.mark.parametrize(("program", "named"), REFUSED.values(), ids=REFUSED)
def test_every_other_machine_is_named(program: bytes, named: str, tmp_path: Any) -> None:
    assert named in (refusal(tmp_path, layer(("bin/python", program))) or "")


ARM_AT_THE_END: dict[str, list[bytes]] = {
    "by a link of folders": [layer(special("bin", LINK, "usr/bin"), ("usr/bin/python", ARM))],
    "by an absolute link": [
        layer(special("usr/bin/python", LINK, "/etc/alternatives/python")),
        layer(
            special("etc/alternatives/python", LINK, "../../opt/env/bin/python"), ("opt/env/bin/python", ARM)
        ),
    ],
    "by a link that climbs to the root": [layer(special("bin/python", LINK, "../x/p"), ("x/p", ARM))],
    "by a hard link": [layer(("x/p", ARM), special("bin/python", HARD, "x/p"))],
    "by a script's first line": [layer(("bin/python", b"#!/usr/lib/real -u\n"), ("usr/lib/real", ARM))],
    "by env in a first line": [
        layer(("bin/python", b"#!/usr/bin/env mypython\n"), ("usr/bin/env", AMD), ("opt/bin/mypython", ARM))
    ],
    "by a layer above": [layer(("bin/python", AMD)), layer(("bin/python", ARM))],
    "because what stood before it is removed": [
        layer(("bin/python", ARM), ("opt/bin/python", AMD)),
        layer(("opt/bin/.wh.python", b"")),
    ],
    "because the folder before it is emptied": [
        layer(("bin/python", ARM), ("opt/bin/python", AMD)),
        layer(("opt/.wh..wh..opq", b"")),
    ],
    "because the folder before it is a file now": [
        layer(("bin/python", ARM), ("opt/bin/python", AMD)),
        layer(("opt", b"x")),
    ],
    "because what stands before it cannot be executed": [
        layer(("opt/bin/python", AMD, 0o644), ("bin/python", ARM))
    ],
}


@pytest.mark.parametrize("layers", ARM_AT_THE_END.values(), ids=ARM_AT_THE_END)
def test_the_program_is_found(layers: list[bytes], tmp_path: Any) -> None:
    assert "linux/arm64" in (refusal(tmp_path, *layers) or "")


FINE: dict[str, list[bytes]] = {
    "amd64": [layer(("usr/bin/python", AMD))],
    "amd64 first in PATH": [layer(("bin/python", ARM), ("opt/bin/python", AMD))],
    "amd64 in the layer above": [layer(("bin/python", ARM)), layer(("bin/python", AMD))],
    "removed and made again": [
        layer(("bin/python", ARM)),
        layer(("bin/.wh.python", b""), ("bin/python", AMD)),
    ],
    "removed": [layer(("bin/python", ARM)), layer(("bin/.wh.python", b""))],
    "another folder over the link": [
        layer(special("bin", LINK, "usr/bin"), ("usr/bin/python", ARM)),
        layer(folder("bin")),
        layer(("usr/bin/.wh.python", b""), ("bin/python", AMD)),
    ],
    "nothing there": [tar()],
    "a link in a circle": [layer(special("bin/python", LINK, "python"))],
    "a link out of every layer": [
        layer(special("bin/python", LINK, "/proc/self/exe"), ("proc/self/exe", ARM))
    ],
    "a file that is no program": [layer(("bin/python", b""))],
    "a script without an interpreter": [layer(("bin/python", b"#!\n"))],
    "a script that calls itself": [layer(("bin/python", b"#!/bin/python\n"))],
    "env with options": [layer(("bin/python", b"#!/usr/bin/env -S x\n"), ("opt/bin/-S", ARM))],
}


@pytest.mark.parametrize("layers", FINE.values(), ids=FINE)
def test_what_is_fine_or_uncertain_is_left_to_the_run(layers: list[bytes], tmp_path: Any) -> None:
    assert refusal(tmp_path, *layers) is None


def test_only_what_will_be_called_counts(tmp_path: Any) -> None:
    image = layer(("bin/python", ARM), ("run", AMD), ("bad", ARM))
    entry = {"config": {"Entrypoint": ["/run"]}}
    assert refusal(tmp_path / "a", image, calls=(None,), **entry) is None
    assert refusal(tmp_path / "b", image, calls=(None, PYTHON), **entry)
    assert refusal(tmp_path / "c", image, calls=(None,), config={"Entrypoint": ["/bad"]})
    assert refusal(tmp_path / "d", image, calls=(None,), config={}) is None
    assert refusal(tmp_path / "e", image, calls=(("./bad",), ("bad/",))) is None


@pytest.mark.parametrize(
    "path", ["PATH=relative:/bin", "PATH=/proctor/bin:/bin", "PATH=", "PATH=/nowhere:", "PATH=::/bin"]
)
def test_a_path_that_depends_on_the_run_is_not_judged(path: str, tmp_path: Any) -> None:
    assert refusal(tmp_path, layer(("bin/python", ARM)), config={"Env": [path]}) is None


def test_without_a_path_the_engines_own_is_taken(tmp_path: Any) -> None:
    assert refusal(tmp_path, layer(("usr/local/bin/python", ARM)), config={})


def test_an_image_of_very_many_names_is_not_judged() -> None:
    data = layer(*[(f"f{number}", b"") for number in range(50)], ("bin/python", ARM))
    for room, judged in (
        (Allowance(), True),
        (Allowance(names=40), False),
        (Allowance(characters=99), False),
    ):
        tree = Unpacked(room)
        reader = Tar(io.BytesIO(data), what="it", most=Bounds().layer_members)
        for member in reader:
            tree.add(member, reader.read)
        programs = Programs(Stack([tree]), room)
        assert programs.may_hold("/bin/python")
        assert programs.may_hold("/bin/perl") is not judged
        if judged:
            with pytest.raises(ArchiveInvalid):
                programs.require_machine([PYTHON], entrypoint=(), path="/bin")
        else:
            programs.require_machine([PYTHON], entrypoint=(), path="/bin")
        assert len(tree.root.entries) <= 60


def test_a_maze_of_links_in_every_folder_of_path_costs_a_bounded_number_of_looks() -> None:
    maze = [special(f"l{number}", LINK, "d/../" * 200 + f"l{number + 1}") for number in range(39)]
    tree = Unpacked(Allowance())
    reader = Tar(io.BytesIO(layer(folder("d"), *maze, ("l39/python", ARM))), what="it", most=99)
    for member in reader:
        tree.add(member, reader.read)
    stack, looks = Stack([tree]), 0

    def look(name: str) -> Any:
        nonlocal looks
        looks += 1
        return stack(name)

    Programs(look).require_machine([("perl",)] * 3, entrypoint=(), path=":".join(["/l0"] * 30_000))
    assert looks <= 60_000


def test_a_maze_of_links_costs_a_layer_a_bounded_number_of_steps() -> None:
    room = Allowance(steps=50_000)
    tree = Unpacked(room)
    maze = [special(f"l{number}", LINK, "d/../" * 200 + f"l{number + 1}") for number in range(39)]
    files = [(f"l0/f{number}/g", b"") for number in range(100)]
    reader = Tar(io.BytesIO(layer(folder("d"), folder("l39"), *maze, *files)), what="it", most=999)
    for member in reader:
        tree.add(member, reader.read)
    assert room.steps == -1, "it gave up, and says nothing of the image"


def test_layers_are_read_as_an_engine_lays_them_over_each_other(tmp_path: Any) -> None:
    through = layer(folder("usr"), folder("usr/bin"), special("bin", LINK, "usr/bin"), ("bin/python", ARM))
    assert refusal(tmp_path / "a", through), "what is written through a link stands where the link leads"
    gone = tarfile.TarInfo("bin/python")
    gone.type = tarfile.CHRTYPE
    assert refusal(tmp_path / "b", layer(("bin/python", ARM)), layer(gone)) is None, (
        "a whiteout as overlayfs has it"
    )
    again = layer(("bin/python", ARM)), layer(("bin/.wh.python", b"")), layer(("bin/other", AMD))
    assert refusal(tmp_path / "c", *again) is None
