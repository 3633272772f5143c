"""The checksums of a bundle's files, in the form that `sha256sum --check` reads."""

import hashlib
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evaluator.bundle._manifest import MADE, MANIFEST, SUMS, BundleError

_PIECE = 2**20
_NO_ZIP = (OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""What reading a damaged, encrypted or strangely compressed archive raises."""


def files_of(folder: Path) -> list[str]:
    """Every file below `folder` by its path, sorted, but for those that name the others."""
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in found if name not in (SUMS, MADE))


def sha256_of(path: Path) -> str:
    """The digest of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def write_sums(folder: Path) -> None:
    """Writes the checksums of all files."""
    lines = [f"{sha256_of(folder / name)}  {name}\n" for name in files_of(folder)]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")


def wrong_sums(folder: Path) -> Iterator[str]:
    """A sentence for each file that is not what the checksums say, is missing, or is not among them.

    Raises:
        BundleError: there are no checksums.
    """
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise BundleError(f"{folder}: its {SUMS} is missing or cannot be read.") from None
    said = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    there = files_of(folder)
    for name in sorted({*said, *there}):
        if name not in said:
            yield f"{name}: is not in {SUMS}"
        elif name not in there:
            yield f"{name}: is in {SUMS} and not in the bundle"
        elif sha256_of(folder / name) != said[name]:
            yield f"{name}: its content is not the one in {SUMS}"


def _require_room(archive: zipfile.ZipFile, folder: Path) -> None:
    """Refuses what unpacks to more than the disk takes: no member is read beyond the size that its entry says."""
    size, free = sum(member.file_size for member in archive.infolist()), shutil.disk_usage(folder).free
    if size > free:
        raise OSError(f"it unpacks to {size:,} bytes, and {folder.parent} has {free:,} free")


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """The folder of a bundle that is given as a folder or as a ZIP file.

    Raises:
        BundleError: it is neither, or has no room in the folder for temporary files.
    """
    if path.is_dir():
        yield path
        return
    folder = Path(tempfile.mkdtemp(prefix="proctor-bundle-"))
    try:
        try:
            with zipfile.ZipFile(path) as archive:
                _require_room(archive, folder)
                archive.extractall(folder)
        except _NO_ZIP as error:
            raise BundleError(f"{path}: is neither a folder nor a whole ZIP file ({error}).") from None
        found = next(folder.glob(f"*/{MANIFEST}"), folder / MANIFEST)
        yield found.parent
    finally:
        shutil.rmtree(folder)
