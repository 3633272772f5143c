"""The one directory that holds everything an installation keeps, and the secrets in it."""

import hashlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]


def data_directory(environ: Mapping[str, str] = os.environ, checkout: Path = CHECKOUT) -> Path:
    """Where this installation keeps its files: `PROCTOR_DATA`, or a place of its own per checkout.

    Root gets a directory under /var/lib, because PostgreSQL runs as another user there and could not
    enter a checkout below /root.
    """
    chosen = environ.get("PROCTOR_DATA")
    if chosen:
        return Path(chosen).expanduser().absolute()
    if os.geteuid() == 0:
        return Path("/var/lib/proctor") / f"{checkout.name}-{path_digest(checkout)}"
    return checkout / ".data"


def path_digest(path: Path) -> str:
    """Eight hex digits that stand for a path, for names that must be short and stay the same."""
    return hashlib.sha256(str(path).encode()).hexdigest()[:8]


def make_directory(path: Path, mode: int, owner: tuple[int, int] | None = None) -> Path:
    """Create `path` with exactly `mode`; a directory that exists keeps its mode and owner.

    Missing parents are made 0755 whatever the umask, since another user may have to pass through them.
    """
    if path.is_dir():
        return path
    for parent in reversed(path.parents):
        if not parent.exists():
            parent.mkdir(exist_ok=True)
            parent.chmod(0o755)
    path.mkdir()
    path.chmod(mode)
    if owner is not None:
        os.chown(path, *owner)
    return path


def prepare(data: Path) -> Path:
    """Create the data directory and the sub-directories every service needs; returns `data`.

    Others may pass through it (the database user has to) but not list it; without root nobody may.
    """
    make_directory(data, 0o711 if os.geteuid() == 0 else 0o700)
    make_directory(data / "secrets", 0o700)
    make_directory(data / "logs", 0o700)
    return data


def secret(data: Path, name: str) -> str:
    """The secret of that name: 256 random bits in a file only its owner reads, made on first use."""
    path = data / "secrets" / name
    if not path.exists():
        store_secret(data, name, secrets.token_urlsafe(32))
    return path.read_text().strip()


def store_secret(data: Path, name: str, value: str) -> Path:
    """Write a secret in one step, readable by its owner only; an older value of that name is replaced."""
    return write_closed(data / "secrets" / name, value)


def worker_directory(data: Path) -> Path:
    """The directory that this machine's run workers share; it names nothing else of the installation."""
    return make_directory(data / "worker", 0o711)


def token_file(data: Path) -> Path:
    """Where this machine's run workers read their token; they read it again when it is refused."""
    return worker_directory(data) / "token"


def write_closed(path: Path, value: str) -> Path:
    """Write a file in one step, readable by its owner only; an older one is replaced."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write(value + "\n")
    return fresh.replace(path)
