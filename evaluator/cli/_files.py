"""Files that commands are told to write or read: what is wrong is said with its option, before anything takes long."""

from pathlib import Path


def refuse_unwritable(option: str, path: Path | None) -> None:
    """A file that cannot be made where `option` says; None and - are none.

    Raises:
        OSError: with a sentence.
    """
    if path is None or str(path) == "-":
        return
    if path.is_dir():
        raise OSError(f"{option} {path}: is a directory; name a file in it")
    if not path.parent.is_dir():
        raise OSError(f"{option} {path}: there is no directory {path.parent}; make it first")


def refuse_no_directory(option: str, path: Path | None) -> None:
    """Something else than a directory where `option` wants one; it may not be there yet.

    Raises:
        OSError: with a sentence.
    """
    if path is not None and path.exists() and not path.is_dir():
        raise OSError(f"{option} {path}: is a file; name a directory")


def refuse_no_file(option: str, path: Path, writes: str) -> None:
    """No file where `option` says; `writes`: what makes such files.

    Raises:
        OSError: with a sentence.
    """
    if not path.is_file():
        found = "is no file" if path.exists() else "there is no such file"
        raise OSError(f"{option} {path}: {found}; {writes} writes it")
