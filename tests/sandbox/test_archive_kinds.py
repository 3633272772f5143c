"""What is no image archive is called by its name, with the command that makes a right one."""

import bz2
import gzip
import io
import lzma
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.archive import ArchiveInvalid, DirectorySink, check_archive
from tests.hostile.tiny import program
from tests.sandbox.archives import LAYER, config, legacy, pack, special, tar
from tests.sandbox.sifs import squashfs

GOOD = pack(legacy(LAYER))
ZSTD = b"\x28\xb5\x2f\xfd" + bytes(100)


def zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("image.tar", GOOD)
    return out.getvalue()


ROOT = tar(
    special("bin", tarfile.SYMTYPE, "usr/bin"),
    special("etc/mtab", tarfile.SYMTYPE, "/proc/mounts"),
    special("dev/console", tarfile.CHRTYPE),
    ("usr/bin/perl", b"x"),
    special("usr/bin/perl5", tarfile.LNKTYPE, "usr/bin/perl"),
    ("var/x", b""),
)
FILES: dict[str, tuple[str, Callable[[], bytes], str, str]] = {
    "xz": ("unsupported_compression", lambda: lzma.compress(GOOD), "compressed with xz;", "xz -dc"),
    "bz2": ("unsupported_compression", lambda: bz2.compress(GOOD), "compressed with bzip2;", "bzip2 -dc"),
    "zst": ("unsupported_compression", lambda: ZSTD, "compressed with zstd;", "zstd -dc"),
    "lz4": ("unsupported_compression", lambda: b"\x04\x22\x4d\x18" + bytes(99), "compressed with lz4;", "lz4 -dc"),
    "gz twice": ("unsupported_compression", lambda: gzip.compress(gzip.compress(GOOD)), "gzip twice", "unpack it once"),
    "xz in gz": ("unsupported_compression", lambda: gzip.compress(lzma.compress(GOOD)), "with xz", "xz -dc"),
    "zip": ("not_a_tar", zipped, "a zip file", "unzip it"),
    "zip in gz": ("not_a_tar", lambda: gzip.compress(zipped()), "a zip file", "unzip it"),
    "7z": ("not_a_tar", lambda: b"7z\xbc\xaf\x27\x1c" + bytes(99), "a 7z file", "unpack it"),
    "rar": ("not_a_tar", lambda: b"Rar!\x1a\x07\x01" + bytes(99), "a rar file", "unpack it"),
    "PowerShell": (
        "not_a_tar",
        lambda: GOOD.decode("latin-1").encode("utf-16"),
        "text in UTF-16, as PowerShell's `>`",
        "docker save IMAGE -o image.tar",
    ),
    "PowerShell 7": ("not_a_tar", lambda: b"\xef\xbb\xbf" + GOOD, "byte order mark", "docker save IMAGE -o"),
    "squashfs": ("not_a_tar", lambda: squashfs({"a": b"x"}), "squashfs without", "apptainer build"),
    "ELF": ("not_a_tar", program, "a program (ELF)", "docker save"),
    "page": ("not_a_tar", lambda: b"\n<!DOCTYPE html><html>Log in", "a web page", "fetch the file again"),
    "nothing": ("not_a_tar", lambda: b"", "is empty", "docker save"),
    "gzip of nothing": ("not_a_tar", lambda: gzip.compress(b""), "is empty", "docker save"),
    "zeros": ("not_a_tar", lambda: bytes(10240), "nothing but zeros", "docker save"),
    "JSON": ("not_a_tar", lambda: b'[{"Id": "sha256:1"}]', "a JSON document", "docker save"),
    "Dockerfile": ("not_a_tar", lambda: b"FROM python:3.11\nRUN pip install x\n", "recipe", "docker build"),
    "LFS": ("not_a_tar", lambda: b"version https://git-lfs.github.com/spec/v1\noid x\n", "Git LFS", "git lfs pull"),
    "text": ("not_a_tar", lambda: b"hello, this is my model\n", "a text", "docker save"),
    "noise": ("not_a_tar", lambda: bytes(range(255, 0, -1)) * 9, "not a tar archive", "docker save"),
    "docker export": ("no_image", lambda: ROOT, "`docker export`", "docker save"),
    "docker export, packed": ("no_image", lambda: gzip.compress(ROOT), "`docker export`", "docker save"),
    "docker export of many files": (
        "no_image",
        lambda: tar(("etc/a", b""), ("bin/b", b""), *((f"usr/{number}", b"") for number in range(10_001))),
        "`docker export`",
        "docker save",
    ),
    "folder": ("no_image", lambda: gzip.compress(tar(("app/predict.py", b""))), "another tar", "docker save"),
    "folder with a recipe": ("no_image", lambda: tar(("x/Dockerfile", b"FROM x")), "'x/Dockerfile'", "docker build"),
    "folder with the archive": ("no_image", lambda: tar(("out/image.tar", GOOD)), "'out/image.tar'", "upload that"),
    "folder with an unpacked archive": (
        "no_image",
        lambda: pack({f"image/{name}": data for name, data in legacy(LAYER).items()}),
        "lies below 'image'",
        "pack what is in that folder",
    ),
}  # fmt: skip


def refusal(data: bytes, folder: Path) -> ArchiveInvalid:
    sink = DirectorySink(folder / "blobs")
    with pytest.raises(ArchiveInvalid) as caught:
        check_archive(io.BytesIO(data), limit=2**24, sink=sink)
    assert not list(sink.root.iterdir())
    return caught.value


@pytest.mark.parametrize(("code", "make", "name", "cure"), FILES.values(), ids=FILES)
def test_a_file_is_called_by_its_name_with_its_cure(
    code: str, make: Callable[[], bytes], name: str, cure: str, tmp_path: Path
) -> None:
    found = refusal(make(), tmp_path)
    assert (found.code, name in found.message, cure in found.message) == (code, True, True), found.message


@pytest.mark.parametrize("packed", [ZSTD, lzma.compress(LAYER), bz2.compress(LAYER)])
def test_a_layer_in_another_compression_is_refused_with_the_build_that_packs_its_base_anew(
    packed: bytes, tmp_path: Path
) -> None:
    found = refusal(pack(legacy(packed, image=config(LAYER))), tmp_path)
    assert found.code == "unsupported_compression"
    assert found.message.startswith("layer 1 of 1 is compressed with ")
    assert "compression=gzip,force-compression=true" in found.message


def test_what_the_cures_say_works(tmp_path: Path) -> None:
    """The pipes of the sentences, where their programs are here."""
    for name, data in (("xz", lzma.compress(GOOD)), ("bzip2", bz2.compress(GOOD))):
        command = f"{name} -dc | gzip"
        made = subprocess.run(["/bin/sh", "-c", command], input=data, capture_output=True, check=True).stdout
        assert check_archive(io.BytesIO(made), limit=2**20, sink=DirectorySink(tmp_path / name))
