"""`python -m scripts.third_party`: fetch the scripts of others that pages use, by exact version, checked by digest.

What server/web/third_party.toml names comes as one archive each from the npm registry: with `npm pack` where npm is
there, which knows the machine's registry and proxy; else over HTTP from `NPM_CONFIG_REGISTRY` or the public registry.
An archive is opened only once its digest is right, and one file is taken out of it, whose digest is checked too. What
is there already is not fetched again. Standard library only: the image's build runs this before anything is installed.
"""

import argparse
import base64
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

LOCK = Path("server/web/third_party.toml")
SERVED = Path("server/web/third_party")
FOR_TESTS = Path(".cache/third_party")
PUBLIC = "https://registry.npmjs.org"
SECONDS = 120
# Its own patience with a network that is not there is minutes.
_NPM = ("--loglevel=error", "--ignore-scripts", "--fetch-retries=1", "--fetch-retry-mintimeout=1000")
_MIB = 2**20
_MOST_PACKED, _MOST = 64 * _MIB, 32 * _MIB


class NotFetched(Exception):
    """A script that could not be had, and why."""


@dataclass(frozen=True)
class Pinned:
    """One script of the lock file."""

    name: str
    version: str
    licence: str
    integrity: str
    file: str
    sha256: str
    served: str
    without: str
    tests_only: bool = False

    @property
    def archive(self) -> str:
        """The name that npm gives the package's archive."""
        return f"{self.name.removeprefix('@').replace('/', '-')}-{self.version}.tgz"

    def address(self, registry: str) -> str:
        """Where a registry has the archive."""
        return f"{registry.rstrip('/')}/{self.name}/-/{self.name.rpartition('/')[2]}-{self.version}.tgz"

    def checked(self, archive: bytes) -> bytes:
        """The wanted file of an archive.

        Raises:
            NotFetched: the archive or the file is another one than was pinned.
        """
        if (found := _integrity(archive)) != self.integrity:
            raise NotFetched(f"its archive is {found}, not {self.integrity}")
        content = _taken(archive, self.file)
        if (digest := hashlib.sha256(content).hexdigest()) != self.sha256:
            raise NotFetched(f"{self.file} in it has the digest {digest}, not {self.sha256}")
        return content

    def is_at(self, path: Path) -> bool:
        """Whether the file is there, and the pinned one."""
        return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == self.sha256

    def is_kept(self, path: Path) -> bool:
        """Whether the archive is there, and the pinned one."""
        return path.is_file() and _integrity(path.read_bytes()) == self.integrity


def pinned(lock: Path) -> list[Pinned]:
    """Every script of a lock file."""
    return [Pinned(**row) for row in tomllib.loads(lock.read_text(encoding="utf-8"))["script"]]


def _integrity(data: bytes) -> str:
    return "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()


def _taken(archive: bytes, name: str) -> bytes:
    """The content of the one plain file `name`; nothing else of the archive is looked at, and nothing is unpacked."""
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as members:
            for member in members:
                if member.name == name and member.isreg() and member.size <= _MOST:
                    found = members.extractfile(member)
                    return found.read() if found else b""
    except (tarfile.TarError, OSError, EOFError) as error:
        raise NotFetched(f"its archive cannot be read: {error}") from error
    raise NotFetched(f"its archive has no file {name}")


def from_folder(folder: Path) -> Callable[[Pinned], bytes]:
    """Reads archives that somebody brought."""

    def read(script: Pinned) -> bytes:
        try:
            return (folder / script.archive).read_bytes()
        except OSError as error:
            raise NotFetched(f"{folder / script.archive}: {error.strerror}") from error

    return read


def nowhere(script: Pinned) -> bytes:
    """Asks no network.

    Raises:
        NotFetched: always.
    """
    raise NotFetched(f"no network is asked (PROCTOR_OFFLINE); bring {script.archive} along: --from FOLDER")


def from_registry(script: Pinned) -> bytes:
    """The archive as npm fetches it, else over HTTP.

    Raises:
        NotFetched: neither could.
    """
    reasons = []
    for way in (_with_npm, _over_http) if shutil.which("npm") else (_over_http,):
        try:
            return way(script)
        except NotFetched as failed:
            reasons.append(str(failed))
    raise NotFetched("; ".join(reasons))


def _with_npm(script: Pinned) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", f"{script.name}@{script.version}", *_NPM]
        try:
            outcome = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NotFetched(f"npm: {error}") from error
        made = Path(folder) / script.archive
        if outcome.returncode or not made.is_file():
            said = next(iter((outcome.stderr or outcome.stdout).strip().splitlines()), "it says nothing")
            raise NotFetched(f"npm ended with exit code {outcome.returncode}: {said}")
        return made.read_bytes()


def _over_http(script: Pinned) -> bytes:
    registry = os.environ.get("NPM_CONFIG_REGISTRY") or PUBLIC
    address = script.address(registry)
    if not address.startswith(("https://", "http://")):
        raise NotFetched(f"NPM_CONFIG_REGISTRY is no address: {registry}")
    try:
        with urllib.request.urlopen(address, timeout=SECONDS) as answer:  # noqa: S310 - just looked at
            data: bytes = answer.read(_MOST_PACKED + 1)
    except (OSError, HTTPException) as error:
        raise NotFetched(f"{address}: {error}") from error
    if len(data) > _MOST_PACKED:
        raise NotFetched(f"{address} sends more than {_MOST_PACKED // _MIB} MiB")
    return data


def _put(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all, for whoever may read the installation."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_bytes(content)
    part.chmod(0o644)
    part.replace(path)


def provide(
    script: Pinned, folder: Path, archive: Callable[[Pinned], bytes], keep: Path | None = None
) -> bool:
    """Puts the script into `folder`, and its archive into `keep`; says whether it had to be fetched.

    Raises:
        NotFetched: it could not be had, or is not the pinned one; what was there is as it was.
    """
    target = folder / script.served
    if script.is_at(target) and (keep is None or script.is_kept(keep / script.archive)):
        return False
    data = archive(script)
    _put(target, script.checked(data))
    if keep is not None:
        _put(keep / script.archive, data)
    return True


def tidy(folder: Path, scripts: Sequence[Pinned]) -> None:
    """Takes away scripts that the lock file no longer names, such as older versions."""
    for path in folder.glob("*.js"):
        if path.name not in {script.served for script in scripts}:
            path.unlink()


def main(argv: Sequence[str], root: Path) -> int:
    """Fetches what is missing below `root`. Exit code 1 with `--strict` if anything still is."""
    parser = argparse.ArgumentParser(prog="scripts.third_party", description="Fetch the scripts of others.")
    parser.add_argument("--from", dest="source", type=Path, metavar="FOLDER", help="archives brought along")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave the archives here, for --from")
    parser.add_argument("--tests", action="store_true", help="also what only the tests need")
    parser.add_argument("--strict", action="store_true", help="a script that cannot be had is an error")
    options = parser.parse_args(argv)
    scripts = pinned(root / LOCK)
    offline = nowhere if os.environ.get("PROCTOR_OFFLINE") else from_registry
    archive = from_folder(options.source) if options.source else offline
    missing = 0
    for script in scripts:
        if script.tests_only and not options.tests:
            continue
        folder = root / (FOR_TESTS if script.tests_only else SERVED)
        try:
            if provide(script, folder, archive, options.keep):
                print(f"third-party: {script.name} {script.version} ({script.licence})", file=sys.stderr)
        except NotFetched as reason:
            missing += 1
            print(f"third-party: {script.name} {script.version} is missing: {reason}", file=sys.stderr)
            print(f"  {script.without}", file=sys.stderr)
    tidy(root / SERVED, [script for script in scripts if not script.tests_only])
    return 1 if missing and options.strict else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path(__file__).resolve().parents[1]))
