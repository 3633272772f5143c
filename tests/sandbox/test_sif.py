"""What is accepted of SIF files, and what becomes of it: one layer, equal each time, and a config of ours."""

import contextlib
import hashlib
import io
import json
import os
import stat
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.images import ImageFacts
from sandbox.archive import (
    ArchiveCode,
    ArchiveInvalid,
    Bounds,
    DirectorySink,
    ToolMissing,
    check_archive,
    squashfs_tools,
)
from tests.sandbox import sifs
from tests.sandbox.sifs import partition, sif, squashfs
from tests.sandbox.test_archive import Nowhere
from tests.sandbox.test_archive_programs import AMD, ARM

LIMIT = 2**30
PYTHON = ("python", "/app/predict.py")
FILES: dict[str, bytes | str] = {
    "bin/sh": AMD,
    "opt/env/bin/python": AMD,
    "opt/a b": b"1",
    'opt/q"u\\o': b"22",
    "opt/zürich": b"333",
    "opt/link": "../etc/x",
    "opt/back\\slash": 'to a "place"\\',
    ".singularity.d/runscript": b"#!/bin/sh\n",
    ".singularity.d/env/90-environment.sh": b"export PATH=/opt/env/bin:$PATH\n",
}


@pytest.fixture
def sink(tmp_path: Path) -> DirectorySink:
    return DirectorySink(tmp_path / "blobs")


@pytest.fixture(scope="module")
def system() -> bytes:
    return squashfs(FILES)


def check(data: bytes, sink: DirectorySink, calls: Any = (PYTHON,), **options: Any) -> ImageFacts:
    path = sink.root.parent / "image.sif"
    path.write_bytes(data)
    return check_archive(path, sink=sink, calls=calls, **({"limit": LIMIT} | options))


def refused(data: bytes, sink: DirectorySink, **options: Any) -> tuple[ArchiveCode, str]:
    with pytest.raises(ArchiveInvalid) as caught:
        check(data, sink, **options)
    assert caught.value.message.endswith(".")
    assert "save the image again" not in caught.value.message
    assert not list(sink.root.iterdir()), "a refused file leaves nothing behind"
    return caught.value.code, caught.value.message


def members(facts: ImageFacts, sink: DirectorySink) -> dict[str, tarfile.TarInfo]:
    with sink.open(facts.layers[0]) as file, tarfile.open(fileobj=file) as layer:
        return {member.name: member for member in layer}


def test_a_sif_file_becomes_one_layer_and_a_config_of_ours(system: bytes, sink: DirectorySink) -> None:
    facts = check(sif(partition(system)), sink)
    found = members(facts, sink)
    assert FILES.keys() <= found.keys()
    assert found["opt/zürich"].size == 3
    assert found["opt/link"].linkname == "../etc/x"
    assert found["opt/back\\slash"].linkname == 'to a "place"\\'
    assert {member.uid for member in found.values()} == {0}
    assert found["opt/a b"].mtime == 1_000_000_000
    with sink.open(facts.digest) as config:
        assert json.load(config) == {
            "architecture": "amd64",
            "os": "linux",
            "config": {
                "Entrypoint": ["/.proctor/run"],
                "Env": [f"PATH=/.proctor/bin:{PATH}"],
            },
            "rootfs": {"type": "layers", "diff_ids": list(facts.layers)},
        }
    assert (facts.user, facts.architecture, facts.size) == ("", "amd64", sum(facts.layer_sizes))
    assert ImageFacts.model_validate_json(facts.model_dump_json()) == facts


PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def test_the_same_file_gives_the_same_image_each_time(system: bytes, tmp_path: Path) -> None:
    facts = [check(sif(partition(system)), DirectorySink(tmp_path / name / "blobs")) for name in "ab"]
    assert facts[0] == facts[1]
    # Neither does what lies beside the file system matter.
    more = (sifs.DEFINITION, b"Bootstrap: docker\n", b""), (sifs.SIGNATURE, b"x" * 600, b"\1")
    signed = sif(*more, partition(system), (sifs.PARTITION, b"y", b"\4\0\0\0\3\0\0\0"))
    assert check(signed, DirectorySink(tmp_path / "c" / "blobs")) == facts[0]


def test_a_wrapper_stands_for_each_program_that_is_called_by_name(system: bytes, sink: DirectorySink) -> None:
    calls = (PYTHON, ("Rscript", "x.R"), ("/usr/bin/python3", "x"), None)
    found = members(check(sif(partition(system)), sink, calls), sink)
    ours = {name: member.mode for name, member in found.items() if name.startswith(".proctor")}
    assert ours == dict.fromkeys(
        (".proctor", ".proctor/bin", ".proctor/run", ".proctor/bin/Rscript", ".proctor/bin/python"), 0o755
    )


def test_without_a_shell_or_a_runscript_nothing_is_wrapped(sink: DirectorySink) -> None:
    facts = check(sif(partition(squashfs({"usr/bin/python": AMD}))), sink)
    with sink.open(facts.digest) as config:
        assert json.load(config)["config"] == {"Env": [f"PATH={PATH}"]}


def test_owners_permissions_links_and_pipes_are_kept_and_devices_are_not(sink: DirectorySink) -> None:
    more = ["su f 4755 0 7 echo su", "pipe i 600 1000 1000 f", "socket i 600 0 0 s"]
    more += ["dev d 755 0 0", "dev/null c 666 0 0 1 3", "dev/sda b 660 0 6 8 0"]
    more += ["first f 644 0 0 echo x", "closed d 0 12345 23456"]
    found = members(check(sif(partition(squashfs({"bin/sh": AMD}, more=more))), sink), sink)
    assert (found["su"].mode, found["su"].gid) == (0o4755, 7)
    assert found["pipe"].isfifo()
    assert (found["closed"].mode, found["closed"].uid, found["closed"].gid) == (0, 12345, 23456)
    assert not {"dev/null", "dev/sda", "socket"} & found.keys()


def test_hard_links_stay_links(tmp_path: Path, sink: DirectorySink) -> None:
    top = tmp_path / "top"
    (top / "b").mkdir(parents=True)
    (top / "x").write_bytes(b"content")
    os.link(top / "x", top / "b" / "second name")
    found = members(check(sif(partition(sifs.made(top, tmp_path / "made"))), sink), sink)
    assert {found["x"].type, found["b/second name"].type} == {tarfile.REGTYPE, tarfile.LNKTYPE}
    assert {found["x"].linkname, found["b/second name"].linkname} == {"", "b/second name"}


NOISE = b"".join(hashlib.sha512(bytes([number])).digest() for number in range(99))
GOOD = sif(partition(squashfs({"bin/sh": AMD, "noise": NOISE})))
SYSTEM = GOOD[GOOD.index(b"hsqs") :]


def _bad() -> Iterator[tuple[str, str, bytes]]:
    yield "wrong_architecture", "linux/arm64", sif(partition(SYSTEM, machine=sifs.ARM64), machine=sifs.ARM64)
    yield "wrong_architecture", "linux/arm64", sif(partition(SYSTEM, machine=sifs.ARM64))
    yield "wrong_architecture", "linux/arm64", sif(partition(SYSTEM), machine=sifs.ARM64)
    yield "wrong_architecture", "does not state", sif(partition(SYSTEM, machine=b"00"), machine=b"00")
    yield "wrong_architecture", "another machine", sif(partition(SYSTEM), machine=b"77")
    yield "several_images", "2 primary partitions", sif(partition(SYSTEM), partition(SYSTEM))
    yield "no_image", "no primary partition", sif(partition(SYSTEM, role=sifs.SYSTEM))
    yield "no_image", "no primary partition", sif()
    yield "encrypted", "without encryption", sif(partition(SYSTEM, kind=sifs.ENCRYPTED))
    yield "unsupported_member", "no squashfs", sif(partition(SYSTEM, kind=sifs.EXT3))
    yield "unsupported_member", "overlay", sif(partition(SYSTEM), partition(b"x" * 99, role=sifs.OVERLAY))
    yield "unsupported_member", "--oci", sif((sifs.OCI_INDEX, b"{}", b""))
    yield "truncated", "cut", GOOD[:100]
    yield "truncated", "cut", GOOD[:5000]
    yield "truncated", "cut", GOOD[:-4096]
    yield "truncated", "cut", sif(partition(SYSTEM[:300]))
    yield "truncated", "cut", sif(partition(b""))
    yield "damaged", "unknown version", sif(partition(SYSTEM), version=b"02")
    yield "damaged", "no squashfs", sif(partition(b"\0" * 5000))
    yield "damaged", "no squashfs", sif(partition(b"hsqs" + b"\xff" * 5000))
    yield "damaged", "damaged", sif(partition(SYSTEM[:96] + b"\xff" * (len(SYSTEM) - 96)))
    yield "damaged", "header", GOOD[:80] + b"\xff" * 48 + GOOD[128:]


@pytest.mark.parametrize(
    ("code", "part", "data"), [pytest.param(*row, id=f"{row[0]}-{i}") for i, row in enumerate(_bad())]
)
def test_a_bad_sif_file_is_refused_with_its_code(
    code: str, part: str, data: bytes, sink: DirectorySink
) -> None:
    found, sentence = refused(data, sink)
    assert (found, part in sentence) == (code, True), sentence


def test_a_machine_is_read_from_the_program_too(sink: DirectorySink) -> None:
    code, said = refused(sif(partition(squashfs({"bin/sh": ARM}))), sink)
    assert (code, "/bin/sh" in said) == (ArchiveCode.WRONG_ARCHITECTURE, True)
    only = sif(partition(squashfs({"usr/bin/python": ARM})))
    assert refused(only, sink)[0] is ArchiveCode.WRONG_ARCHITECTURE


def test_a_small_file_that_expands_without_end_is_refused_unread_and_its_reader_ended(
    sink: DirectorySink,
) -> None:
    bomb = sif(partition(squashfs({}, zeros={"zeros": 2**28})))
    assert len(bomb) < 2 * 2**20
    started = time.process_time()
    assert refused(bomb, sink, limit=2**27)[0] is ArchiveCode.TOO_LARGE
    assert refused(bomb, sink, limit=2**41)[0] is ArchiveCode.EXPANDS_TOO_MUCH
    assert time.process_time() - started < 5
    children = subprocess.run(
        ["ps", "--ppid", str(os.getpid()), "-o", "comm="], capture_output=True, text=True, check=False
    ).stdout.split()
    assert "unsquashfs" not in children


def test_every_bound_is_counted(sink: DirectorySink) -> None:
    many = sif(partition(squashfs({f"f{number}": b"x" * 100 for number in range(50)})))
    assert refused(many, sink, limit=4000)[0] is ArchiveCode.TOO_LARGE
    assert refused(many, sink, limit=10_000)[0] is ArchiveCode.TOO_LARGE  # with the tar's own headers
    assert refused(many, sink, bounds=Bounds(layer_members=49))[0] is ArchiveCode.TOO_MANY_MEMBERS


TRICKS: dict[str, tuple[str, bytes]] = {
    "what stands where ours will": ("unsafe_path", squashfs({".proctor/bin/python": AMD})),
    "a link where ours will stand": ("unsafe_path", squashfs({".proctor": "/etc"})),
    "a name with a line of its own": ("damaged", squashfs({"a\nsu R 1 4755 0 0 4 0": b"evil"})),
    "a name that ends the list": (
        "damaged",
        squashfs({"a\n#\n# START OF DATA - DO NOT MODIFY\n#\n": b"x" * 100}),
    ),
    "a name that removes another": ("layer_invalid", squashfs({"data/.wh.weights": b"x"})),
    "a link to a place with a line of its own": (
        "damaged",
        squashfs({"a": "x\n../../etc/passwd L bin/sh"}),
    ),
}


@pytest.mark.parametrize(("code", "system"), TRICKS.values(), ids=TRICKS)
def test_tricks_with_names_are_refused(code: str, system: bytes, sink: DirectorySink) -> None:
    assert refused(sif(partition(system)), sink)[0] == code


def test_a_name_that_ends_the_list_gains_nothing(sink: DirectorySink) -> None:
    """Lines that a name smuggles in describe the same image that its maker could have described openly."""
    lines = "x D 1 755 0 0\n../up R 1 644 0 0 1 0\n#\n# START OF DATA - DO NOT MODIFY\n#\n"
    with contextlib.suppress(ArchiveInvalid):
        found = members(check(sif(partition(squashfs({lines: b"y"}))), sink), sink)
        assert not any(".." in name.split("/") for name in found)


def test_the_file_keeps_its_permissions_and_need_not_be_on_a_disk(system: bytes, sink: DirectorySink) -> None:
    data = sif(partition(system))
    path = sink.root.parent / "closed.sif"
    path.write_bytes(data)
    path.chmod(0o600)
    facts = check_archive(path, limit=LIMIT, sink=sink, calls=(PYTHON,))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert check_archive(io.BytesIO(data), limit=LIMIT, sink=sink, calls=(PYTHON,)) == facts


def test_without_squashfs_tools_it_is_said_what_to_install(
    sink: DirectorySink, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing, match=r"not installed\. .*apt-get install squashfs-tools"):
        check(GOOD, sink)
    old = tmp_path / "unsquashfs"
    old.write_text("#!/bin/sh\necho 'unsquashfs version 4.4 (2019/08/29)'\n")
    old.chmod(0o755)
    with pytest.raises(ToolMissing, match="too old"):
        check(GOOD, sink)
    old.write_text("#!/bin/sh\necho 'unsquashfs version 4.6.1 (2023/03/25)'\n")
    assert squashfs_tools() == "4.6.1"


READER = """
[ "$1" = -v ] && { echo "unsquashfs version 4.5.1"; exit; }
while [ "$1" != -pf ]; do shift; done
END='#\\n# START OF DATA - DO NOT MODIFY\\n#\\n'
"""


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Puts a script in the place of unsquashfs, where nobody can run it too."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

        def write(script: str, first: str = "") -> None:
            (folder / "unsquashfs").write_text(f"#!/bin/sh\n{first}\n{READER}{script}")
            (folder / "unsquashfs").chmod(0o755)

        yield write


def test_the_reader_is_nobody_with_bounds_and_may_write_no_file(sink: DirectorySink, reader: Any) -> None:
    listed = "$(id -u)", "$(ulimit -v)", "$(ulimit -S -t)", "$(ulimit -f)", "$(ulimit -c)"
    reader(f'printf "/ D 1 755 0 0\\n{"-".join(listed)} D 1 755 0 0\\n$END" > "$2"\n')
    facts = check(GOOD, sink, limit=1000 * 2**20)
    (seen,) = [name for name in members(facts, sink) if name[:1].isdigit()]
    assert seen.split("-") == [str(os.geteuid() or 65534), str(2 * 2**20), "126", "0", "0"]


def test_a_reader_that_lies_or_fails_is_damage_and_one_that_was_killed_is_no_verdict(
    sink: DirectorySink, reader: Any
) -> None:
    for script in (
        "exit 1",
        'printf "/ D 1 755 0 0\\n$END" > "$2"; exit 2',
        'printf "/ D 1 755 0 0\\nx R 1 644 0 0 5 0\\n${END}1234" > "$2"',
        'printf "/ D 1 755 0 0\\nx R 1 644 0 0 5 0\\n${END}123456" > "$2"',
        'printf "/ D 1 755 0 0\\nx R 1 644 0 0 5 1\\n${END}12345" > "$2"',
        'printf "x R 1 644 0 0 99999999999999999999 0\\n$END" > "$2"',
    ):
        reader(script)
        assert refused(GOOD, sink)[0] is ArchiveCode.DAMAGED
    reader("kill -9 $$")
    with pytest.raises(OSError, match="killed from outside"):
        check(GOOD, sink)
    assert not list(sink.root.iterdir())


def test_an_image_whose_labels_a_killed_reader_did_not_give_is_not_said_to_have_none(
    sink: DirectorySink, reader: Any
) -> None:
    reader("exit 1", first='[ "$1" = -cat ] && kill -9 $$')
    with pytest.raises(OSError, match="killed from outside"):
        check(GOOD, sink)
    assert not list(sink.root.iterdir())


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_damage_is_answered_by_a_code_and_nothing_else(data: st.DataObject) -> None:
    bad = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        header, descriptor = st.integers(30, 127), st.integers(4096, 4096 + sifs.DESCRIPTOR)
        inside = st.integers(len(GOOD) - len(SYSTEM), len(GOOD) - 1)
        bad[data.draw(st.one_of(header, descriptor, inside))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ArchiveInvalid):
        check_archive(io.BytesIO(bytes(bad)), limit=LIMIT, sink=Nowhere())
