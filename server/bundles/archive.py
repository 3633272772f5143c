"""A folder as a ZIP archive: the same files give the same bytes."""

import shutil
import zipfile
from pathlib import Path

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment that the format can tell
_PLAIN = 0o100644 << 16
_PIECE = 2**20


def pack(folder: Path, archive: Path, *, root: str) -> None:
    """Writes every file below `folder` into `archive`, below a folder called `root`, in the order of their names."""
    with zipfile.ZipFile(archive, "x", zipfile.ZIP_DEFLATED, allowZip64=True) as packed:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            member = zipfile.ZipInfo(f"{root}/{path.relative_to(folder).as_posix()}", _EPOCH)
            member.external_attr = _PLAIN
            member.compress_type = zipfile.ZIP_STORED if path.suffix == ".parquet" else zipfile.ZIP_DEFLATED
            member.file_size = path.stat().st_size
            with path.open("rb") as source, packed.open(member, "w") as target:
                shutil.copyfileobj(source, target, _PIECE)
