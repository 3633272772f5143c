"""What a file is that is no tar archive, by its first bytes, and the command that makes a right one."""

from dataclasses import dataclass

from sandbox.archive._errors import ArchiveCode, ArchiveInvalid

_SAVE = "upload what `docker save IMAGE -o image.tar` writes"
_PLAIN = "unpack it, or compress it with gzip instead"
_NO_TAR, _PACKED = ArchiveCode.NOT_A_TAR, ArchiveCode.UNSUPPORTED_COMPRESSION


@dataclass(frozen=True)
class _Kind:
    """A kind of file: how it begins, what it is called, and what to do with one that was uploaded."""

    marks: tuple[bytes, ...]
    name: str
    cure: str
    code: ArchiveCode = _NO_TAR


def _packed(name: str, cure: str, *marks: bytes) -> _Kind:
    return _Kind(
        marks, f"compressed with {name}", f"only gzip and no compression are accepted: {cure}", _PACKED
    )


_KINDS = (
    _packed("xz", f"{_PLAIN}, as by `xz -dc image.tar.xz | gzip > image.tar.gz`", b"\xfd7zXZ\0"),
    _packed("bzip2", f"{_PLAIN}, as by `bzip2 -dc image.tar.bz2 | gzip > image.tar.gz`", b"BZh"),
    _packed("zstd", f"{_PLAIN}, as by `zstd -dc image.tar.zst | gzip > image.tar.gz`", b"\x28\xb5\x2f\xfd"),
    _packed("lz4", f"{_PLAIN}, as by `lz4 -dc image.tar.lz4 | gzip > image.tar.gz`", b"\x04\x22\x4d\x18"),
    _packed("lzip", f"{_PLAIN}, as by `lzip -dc image.tar.lz | gzip > image.tar.gz`", b"LZIP\1"),
    _packed("lzma", f"{_PLAIN}, as by `xz -dc image.tar.lzma | gzip > image.tar.gz`", b"\x5d\0\0"),
    _packed("compress", f"{_PLAIN}, as by `gzip -dc image.tar.Z | gzip > image.tar.gz`", b"\x1f\x9d"),
    _packed("gzip twice", "unpack it once, as by `gzip -dc image.tar.gz > image.tar`", b"\x1f\x8b"),
    _Kind(
        (b"PK\3\4", b"PK\5\6", b"PK\7\x08"),
        "a zip file",
        "unzip it; what `docker save` wrote is uploaded as it is",
    ),
    _Kind((b"7z\xbc\xaf\x27\x1c",), "a 7z file", "unpack it; what `docker save` wrote is uploaded as it is"),
    _Kind((b"Rar!\x1a\x07",), "a rar file", "unpack it; what `docker save` wrote is uploaded as it is"),
    _Kind(
        (b"\xff\xfe", b"\xfe\xff"),
        "text in UTF-16, as PowerShell's `>` makes of everything",
        "write it with `docker save IMAGE -o image.tar`, without `>`",
    ),
    _Kind(
        (b"\xef\xbb\xbf",),
        "text with a byte order mark, as PowerShell's `>` and editors write it",
        "write it with `docker save IMAGE -o image.tar`, without `>`",
    ),
    _Kind(
        (b"hsqs", b"sqsh"),
        "a squashfs without the header of a SIF file",
        "build a SIF file with `apptainer build image.sif …` and upload that",
    ),
    _Kind((b"\x7fELF",), "a program (ELF)", _SAVE),
    _Kind((b"MZ",), "a program for Windows", _SAVE),
    _Kind((b"%PDF",), "a PDF", _SAVE),
    _Kind((b"!<arch>",), "a Debian package or a library (ar)", _SAVE),
    _Kind((b"070701", b"070707", b"\xc7\x71"), "a cpio archive", _SAVE),
    _Kind((b"\xed\xab\xee\xdb",), "an RPM package", _SAVE),
    _Kind((b"\x89HDF\r\n",), "an HDF5 file", _SAVE),
    _Kind((b"\x80\2", b"\x80\3", b"\x80\4", b"\x80\5"), "a Python pickle", _SAVE),
    _Kind(
        (b"version https://git-lfs.github.com/",),
        "a pointer of Git LFS, which stands for the file",
        "fetch the file itself with `git lfs pull` and upload that",
    ),
    _Kind((b"{", b"["), "a JSON document", _SAVE),
)
_PAGES = (b"<!doctype", b"<html", b"<?xml", b"<head", b"<!--")
_BUILD = (b"from ", b"arg ", b"# syntax", b"bootstrap:")
_FOR_LAYERS = (
    "build the image with gzip for every layer, those of its base too: `docker buildx build --output "
    "type=docker,dest=image.tar,compression=gzip,force-compression=true …`"
)


def not_a_tar(what: str, head: bytes, *, layer: bool) -> ArchiveInvalid:
    """The error of `what`, a layer or an upload, which begins with `head` instead of a tar's first header."""
    kind = _kind(head)
    if layer and kind is not None and kind.code is _PACKED:
        return ArchiveInvalid(
            _PACKED, f"{what} is {kind.name}; only gzip and no compression are accepted: {_FOR_LAYERS}."
        )
    if layer:
        name = "no tar archive" if kind is None else f"{kind.name}, no tar archive"
        return ArchiveInvalid(_NO_TAR, f"{what} is {name}; build the image again, and {_SAVE}.")
    if kind is None:
        return ArchiveInvalid(_NO_TAR, f"{what} is not a tar archive; {_SAVE}.")
    middle = "" if kind.code is _PACKED else ", not a tar archive"
    return ArchiveInvalid(kind.code, f"{what} is {kind.name}{middle}; {kind.cure}.")


def _kind(head: bytes) -> _Kind | None:
    if not head:
        return _Kind((), "empty: the file has no bytes", _SAVE)
    if not head.strip(b"\0"):
        return _Kind((), "nothing but zeros", _SAVE)
    found = next((kind for kind in _KINDS if head.startswith(kind.marks)), None)
    return found or _text(head)


def _text(head: bytes) -> _Kind | None:
    text = head.lstrip().lower()
    if text.startswith(_PAGES):
        return _Kind(
            (),
            "a web page, perhaps an error or a log-in page in the file's place",
            f"fetch the file again, and {_SAVE}",
        )
    if text.startswith(_BUILD):
        return _Kind((), "the recipe of an image", f"build it with `docker build --tag IMAGE …`, and {_SAVE}")
    if head.isascii() and not any(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in head):
        return _Kind((), "a text", _SAVE)
    return None
