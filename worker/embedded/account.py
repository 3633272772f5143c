"""The system user that PostgreSQL and Redis run under when Proctor is started by root."""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

USER = "proctor-db"


class SetupError(RuntimeError):
    """Something about this machine must be changed first; the text says what to do."""


@dataclass(frozen=True)
class SystemUser:
    """A user and its group, as numbers."""

    uid: int
    gid: int

    @property
    def owner(self) -> tuple[int, int]:
        """(uid, gid), as `os.chown` takes them."""
        return (self.uid, self.gid)


def service_account() -> SystemUser | None:
    """The dedicated user, created if missing; None without root, where services run as ourselves.

    Raises `SetupError` where the user is missing and cannot be created.
    """
    if os.geteuid() != 0:
        return None
    found = _look_up()
    if found is None:
        _create()
        found = _look_up()
    if found is None:
        raise SetupError(
            f"PostgreSQL refuses to run as root and the system user {USER!r} could not be created. "
            f"Create it with: useradd --system --user-group --no-create-home {USER}"
        )
    return found


def _look_up() -> SystemUser | None:
    try:
        entry = pwd.getpwnam(USER)
    except KeyError:
        return None
    return SystemUser(entry.pw_uid, entry.pw_gid)


def _create() -> None:
    """Add the user; the outcome is judged by looking it up, since another process may have been first."""
    useradd = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if useradd is None:
        return
    options = ["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    subprocess.run(
        [useradd, *options, "--shell", "/usr/sbin/nologin", USER], check=False, capture_output=True
    )


def require_passage(account: SystemUser | None, directory: Path) -> None:
    """Raise `SetupError` naming the first directory on the way that `account` may not enter."""
    if account is None or _may_enter(account, directory):
        return
    for step in [*reversed(directory.parents), directory]:
        if not _may_enter(account, step):
            raise SetupError(
                f"The user {USER} cannot enter {step}, which PostgreSQL needs to reach {directory}. "
                f"Set PROCTOR_DATA to a directory that other users may pass through, "
                f"for example PROCTOR_DATA=/var/lib/proctor/data. No mode was changed."
            )


def _may_enter(account: SystemUser, directory: Path) -> bool:
    """Ask the kernel, as that user: mode bits alone miss access lists and mounts."""
    outcome = subprocess.run(
        ["test", "-x", str(directory)],
        check=False,
        user=account.uid,
        group=account.gid,
        extra_groups=[],
        cwd="/",
    )
    return outcome.returncode == 0
