"""What the command remembers between runs: the log-in, readable by its user only, and unfinished uploads."""

import contextlib
import json
import os
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from platformdirs import user_config_path, user_state_path

from client.errors import Local, NotSignedIn

_DIRECTORY = "PROCTOR_CONFIG_DIR"
_MENTION_SECONDS = 4 * 3600


@dataclass(frozen=True)
class StoredLogIn:
    """A server and the token to use there. `token_id` is None where the token was brought along."""

    url: str
    token: str
    token_id: str | None = None


def config_dir() -> Path:
    """The directory of the log-in: PROCTOR_CONFIG_DIR, or the platform's own place for settings."""
    named = os.environ.get(_DIRECTORY)
    return Path(named) if named else user_config_path("proctor")


def load_log_in() -> StoredLogIn:
    """The log-in: PROCTOR_URL and PROCTOR_TOKEN, the token alone at the stored address, or the stored one.

    Raises:
        NotSignedIn: there is none.
    """
    url, token = os.environ.get("PROCTOR_URL"), os.environ.get("PROCTOR_TOKEN")
    if not token:
        return stored_log_in()
    url = url or _read(config_dir() / "login.json").get("url")
    if not isinstance(url, str):
        raise NotSignedIn(
            "PROCTOR_TOKEN is set, but no server is known.", "Set PROCTOR_URL, or run `proctor login URL`."
        )
    return StoredLogIn(url, token)


def stored_log_in() -> StoredLogIn:
    """The log-in that `proctor login` stored.

    Raises:
        NotSignedIn: there is none.
    """
    content = _read(config_dir() / "login.json")
    if not isinstance(content.get("url"), str) or not isinstance(content.get("token"), str):
        raise NotSignedIn(
            "You are not logged in.", "Run `proctor login URL`, or set PROCTOR_URL and PROCTOR_TOKEN."
        )
    return StoredLogIn(content["url"], content["token"], content.get("token_id"))


def store_log_in(log_in: StoredLogIn) -> Path:
    """Stores the log-in with mode 0600 and returns where."""
    path = config_dir() / "login.json"
    _write(path, asdict(log_in))
    return path


def known_device(url: str, email: str) -> str | None:
    """What the server at `url` gave this device when `email` last logged in on it."""
    device = _read(config_dir() / "devices.json").get(f"{url} {email.lower()}")
    return device if isinstance(device, str) else None


def remember_device(url: str, email: str, device: str | None) -> None:
    """Remembers that; it stays when one logs out, for it is no log-in."""
    if device is not None:
        path = config_dir() / "devices.json"
        _write(path, _read(path) | {f"{url} {email.lower()}": device})


def is_time_to_mention(url: str) -> bool:
    """Whether notices of the server at `url` were last asked for hours ago; from now on they were just now."""
    path, now = config_dir() / "mentioned.json", time.time()
    last = _read(path).get(url)
    if isinstance(last, int | float) and 0 <= now - last < _MENTION_SECONDS:
        return False
    with contextlib.suppress(Local):
        _write(path, _read(path) | {url: now})
    return True


def forget_log_in() -> None:
    """Removes the stored log-in."""
    (config_dir() / "login.json").unlink(missing_ok=True)


class UploadMemory:
    """Where unfinished uploads lie on the server, so that a later run goes on with them."""

    def __init__(self, path: Path | None = None) -> None:
        named = os.environ.get(_DIRECTORY)
        self._path = path or (Path(named) if named else user_state_path("proctor")) / "uploads.json"

    def recall(self, key: str) -> str | None:
        """The location remembered under `key`."""
        location = _read(self._path).get(key)
        return location if isinstance(location, str) else None

    def remember(self, key: str, location: str) -> None:
        """Remembers a location."""
        _write(self._path, _read(self._path) | {key: location})

    def forget(self, key: str) -> None:
        """Forgets a location."""
        _write(self._path, {name: value for name, value in _read(self._path).items() if name != key})


def _read(path: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError):
        content = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(content, dict):
            return content
    return {}


def _write(path: Path, content: dict[str, Any]) -> None:
    """Replaces the file in one step; nobody else may ever read it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=path.parent)  # its mode is 0600 from the start
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(content, file)
        Path(name).replace(path)
    except OSError as error:
        raise Local(
            f"{path} cannot be written: {error.strerror}", f"Set {_DIRECTORY} to another directory."
        ) from None
