"""Images of the local engine: saving one to a file, as it is uploaded."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from client.errors import Local
from client.uploads import CHUNK, Advance, ignore


def image_id(name: str) -> str | None:
    """The id of a local image, or None where the engine has none of this name.

    Raises:
        Local: there is no `docker` command.
    """
    inspected = subprocess.run(
        [_docker(), "image", "inspect", "--format", "{{.Id}}", name],
        capture_output=True,
        text=True,
        check=False,
    )
    return inspected.stdout.strip() or None if inspected.returncode == 0 else None


def image_labels(name: str) -> dict[str, str]:
    """The labels of a local image; none where the engine has no such image.

    Raises:
        Local: there is no `docker` command.
    """
    command = [_docker(), "image", "inspect", "--format", "{{json .Config.Labels}}", name]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    labels = json.loads(said.stdout) if said.returncode == 0 else None
    return labels or {}


def pushed_digests(name: str) -> frozenset[str]:
    """Digests under which the local engines pushed (or pulled) this image as this name; none where they have none."""
    repository, digests = name.partition("@")[0], set[str]()
    slash, colon = repository.rfind("/"), repository.rfind(":")
    repository = repository[:colon] if colon > slash else repository
    for program in filter(None, map(shutil.which, ("docker", "podman"))):
        command = [program, "image", "inspect", "--format", '{{join .RepoDigests " "}}', name]
        said = subprocess.run(command, capture_output=True, text=True, check=False)
        for digest in said.stdout.split() if said.returncode == 0 else ():
            if digest.startswith(f"{repository}@"):
                digests.add(digest.rpartition("@")[2])
    return frozenset(digests)


@contextmanager
def saved_image(name: str, advance: Advance = ignore) -> Iterator[Path]:
    """A temporary file with what `docker save NAME` writes; `advance` gets the bytes written so far.

    Its sha256 has to be known before the first byte is sent, so the archive takes its size on the local disk.

    Raises:
        Local: there is no such image, no engine, or no room.
    """
    with tempfile.TemporaryDirectory(prefix="proctor-") as folder:
        path = Path(folder) / "image.tar"
        _save(name, path, advance)
        yield path


def _save(name: str, path: Path, advance: Advance) -> None:
    with path.open("wb") as file, tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen([_docker(), "save", name], stdout=subprocess.PIPE, stderr=complaints)
        try:
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            _copy(process.stdout, file, advance)
        except OSError as error:
            raise Local(
                f"The image cannot be saved to {path.parent}: {error.strerror}.",
                "Free some disk space, or set TMPDIR to a larger disk.",
            ) from None
        finally:
            process.kill()
            code = process.wait()
            process.stdout.close() if process.stdout else None
        complaints.seek(0)
        if code != 0:
            said = complaints.read(500).decode(errors="replace").strip()
            raise Local(f"`docker save {name}` failed: {said}", "`docker images` lists what the engine has.")


def _copy(source: IO[bytes], target: IO[bytes], advance: Advance) -> None:
    written = 0
    while data := source.read(CHUNK):
        target.write(data)
        written += len(data)
        advance(written)


def _docker() -> str:
    program = shutil.which("docker")
    if program is None:
        raise Local(
            "There is no `docker` command here.",
            "Install Docker, or name an archive file that `docker save` wrote elsewhere.",
        )
    return program
