"""Folders of cases that come over HTTP: brought in as on the server itself, or refused with nothing left of them."""

import gzip
import io
import os
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import Result

from server.consignments import incoming, unpacking
from server.settings import Settings
from server.storage.sweep import sweep
from tests.server.conftest import Person
from tests.server.lab import Lab
from tests.server.organizer import Admin, files_of, refused, words, working_off
from tests.server.phantoms import Phantom, phantom
from tests.server.test_corrections import organizer, versions  # noqa: F401 - a fixture among them
from worker.admin.send_dataset import packed


def member(name: str, kind: bytes = tarfile.REGTYPE, content: bytes = b"x", **fields: Any) -> bytes:
    """One entry of an archive."""
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    header = info.tobuf(tarfile.GNU_FORMAT)
    return header + content + bytes(-len(content) % 512)


def long_header() -> bytes:
    """An extended header of 300 KiB."""
    return member("x", tarfile.XHDTYPE, b"300000 comment=" + b"x" * 299984 + b"\n") + member("a")


END = bytes(1024)
HOSTILE: dict[str, tuple[bytes, str]] = {
    "a link": (member("a", tarfile.SYMTYPE, b"", linkname="/etc/passwd"), "is a link"),
    "a hard link": (member("a", tarfile.LNKTYPE, b"", linkname="../b"), "is a link"),
    "a device": (member("a", tarfile.CHRTYPE, b""), "is a link, a device"),
    "a pipe": (member("a", tarfile.FIFOTYPE, b""), "is a link, a device"),
    "an absolute name": (member("/tmp/a"), "leads out of it"),
    "a way out": (member("a/../../b"), "leads out of it"),
    "a folder that leads out": (member("../b", tarfile.DIRTYPE, b""), "leads out of it"),
    "too deep": (member("a/" * 9 + "b"), "too many folders"),
    "one twice": (member("a") + member("a"), "in it twice"),
    "a file as a folder": (member("a") + member("a/b"), "is a file and a folder"),
    "a folder as a file": (member("a") + member("a", tarfile.DIRTYPE, b""), "is a file and a folder"),
    "a folder below a file": (member("a") + member("a/b", tarfile.DIRTYPE, b""), "is a file and a folder"),
    "sparse": (member("a", tarfile.GNUTYPE_SPARSE, b""), "sparse"),
    "a long header": (long_header(), "cannot be read as tar"),
    "cut": (member("a", content=b"x" * 600)[:700], "cannot be read as tar"),
    "no archive": (b"hello, this is a text and no archive" * 40, "cannot be read as tar"),
    "cut gzip": (gzip.compress(member("a") + END)[:-3], "cannot be read as tar"),
    "without an end": (member("a"), "without an end"),
    "damaged": (member("a") + b"damage" * 400 + END, "damaged"),
    "empty": (END, "there is no folder 'preprocessed'"),
}


def test_hostile_archives_are_refused_and_leave_nothing(
    lab: Lab,
    organizer: httpx.Client,  # noqa: F811
    stranger: Person,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.references.mkdir(exist_ok=True)
    path, place = f"/organize/{lab.slug}/datasets", {"phase": "validation", "task": "task5"}
    before, uploads = files_of(settings), set(settings.uploads.glob("*"))

    def sent(content: bytes, code: str = "cases_archive") -> str:
        answer = organizer.post(path, params=place, content=content)
        said = refused(lab, organizer, answer, code)
        assert files_of(settings) == before
        assert set(settings.uploads.glob("*")) == uploads
        return said

    for what, (content, said) in HOSTILE.items():
        code = "cases_refused" if what == "empty" else "cases_archive"
        assert said in sent(content, code), what
    monkeypatch.setattr(unpacking, "MOST_MEMBERS", 3)
    assert "more than 3" in sent(b"".join(member(name) for name in "abcd") + END)
    bomb = gzip.compress(member("a", content=bytes(2 * 2**20)))
    monkeypatch.setattr(type(settings), "cases_limit", 2**20, raising=False)
    object.__setattr__(settings, "cases_limit", 2**20)
    try:
        assert "unpacks to more than 1.0 MiB" in sent(bomb, "body_too_large")
        assert "at most 1.0 MiB" in sent(bytes(2 * 2**20), "body_too_large")
    finally:
        object.__setattr__(settings, "cases_limit", 64 * 2**30)
    answer = stranger.http.post(path, params=place, content=b"x")
    assert refused(lab, stranger.http, answer, "organizers_only")
    assert set(settings.uploads.glob("*")) == uploads


def test_a_folder_that_is_sent_is_imported_as_one_that_lies_there(
    lab: Lab,
    organizer: httpx.Client,  # noqa: F811
    command: Admin,
    imported: Callable[..., Result],
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.references.mkdir(exist_ok=True)
    made = phantom(tmp_path, "task3", cases=5)
    (made.root / ".hidden").write_text("x")
    monkeypatch.setenv("PROCTOR_TOKEN", organizer.headers["Authorization"].removeprefix("Bearer "))
    there = str(organizer.base_url).removesuffix("/api/v1/")

    def sent(*more: object) -> Result:
        place = ("--challenge", lab.slug, "--task", "task3", "--phase", "validation")
        with working_off(lab):
            return command("import-dataset", made.root, *place, "--server", there, *more)

    (made.root / "notes.txt").write_text("x")
    refused = sent()
    assert refused.exit_code == 1
    assert "warning: notes.txt: is not part of the layout" in words(refused)
    assert "--accept" in words(refused)
    broken = made.labels(1) / "label.txt"
    label = broken.read_text()
    broken.write_text("old")
    assert "labels/sub-01/ses-01/label.txt: " in words(sent("--accept"))
    assert set(versions(organizer, lab, "task3")) == set()
    broken.write_text(label)
    first = sent("--accept")
    assert first.exit_code == 0, first.output
    assert "warning: notes.txt: " in words(first)
    assert str(settings.data) not in words(first)
    assert f"{lab.slug} validation task3: imported, 5 cases, sha256:" in words(first)
    assert "unchanged, 5 cases" in words(imported(made)), "as it is read on the server itself"
    assert "unchanged, 5 cases" in words(sent())
    assert not list(settings.uploads.glob("cases-*"))


def test_what_a_killed_import_leaves_is_swept_and_what_is_under_way_is_not(lab: Lab, tmp_path: Path) -> None:
    own = lab.settings.model_copy(update={"data": tmp_path})
    killed, busy = (incoming.Incoming(own, most=100, what="An archive") for _ in range(2))
    for archive in (killed, busy):
        archive.write(b"a part")
        os.utime(archive.folder, (0, 0))
    killed._file.close()
    busy._touched = float("-inf")  # ten minutes have passed
    busy.write(b"another")
    assert set(own.uploads.iterdir()) == {killed.folder, busy.folder}
    sweep(lab.sessions, own)
    assert set(own.uploads.iterdir()) == {busy.folder}, "which is touched while it is written to"
    busy.remove()


def test_packing_ends_where_nobody_reads_any_more_and_where_a_file_cannot_be_read(tmp_path: Path) -> None:
    made: Phantom = phantom(tmp_path, "task3")
    (made.root / "large.bin").write_bytes(os.urandom(4 * 2**20))
    before = threading.active_count()
    pieces = packed(made.root)
    next(pieces)
    pieces.close()
    assert threading.active_count() == before
    whole = b"".join(packed(made.root))
    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        assert "Task_3/preprocessed/sub-01/ses-01" in {str(Path(name).parent) for name in tar.getnames()}
