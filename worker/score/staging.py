"""What a check unpacks for a store that is another machine's: into a folder first, by a process without its keys."""

import shutil
import socket
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from server.blobs import BlobsAway, BlobStore, FileStore

_LONGEST = 100
_KEYS = ("BLOBS_URL", "PROCTOR_BLOBS_")


def without_keys(environ: Iterable[tuple[str, str]]) -> dict[str, str]:
    """An environment that does not say how the store is asked."""
    return {name: value for name, value in environ if not name.startswith(_KEYS)}


class Staging:
    """A folder that takes blobs for `blobs`, and a socket at which a child asks which of them are stored already."""

    def __init__(self, blobs: BlobStore, folder: Path) -> None:
        self._blobs = blobs
        self.files = FileStore(folder, blobs.room)
        self._ours, self._theirs = socket.socketpair()
        self._away: BlobsAway | None = None
        self._thread = threading.Thread(target=self._answer, name="stored-blobs", daemon=True)
        self._thread.start()

    @property
    def descriptor(self) -> int:
        """The child's end of the socket."""
        return self._theirs.fileno()

    def close(self) -> None:
        """Ends the answers."""
        self._theirs.close()
        self._thread.join()
        self._ours.close()

    def raise_if_away(self) -> None:
        """Returns if every question had an answer.

        Raises:
            BlobsAway: the store did not answer one.
        """
        if self._away is not None:
            raise self._away

    def hand_over(self, digests: Iterable[str]) -> None:
        """Stores those of the blobs that the child wrote.

        Raises:
            ValueError: a file is not what its name says.
            BlobsAway: the store does not answer.
        """
        for digest in digests:
            path = self.files.path(digest)
            if path.is_file() and self._blobs.take_in(path) != digest:
                raise ValueError("the check wrote a blob under another name than its digest")

    def _answer(self) -> None:
        with self._ours.makefile("rb") as asked:
            while line := asked.readline(_LONGEST):
                try:
                    self._ours.sendall(self._answer_to(line.decode("ascii", "replace").strip()))
                except OSError:
                    return  # nobody waits for it any more

    def _answer_to(self, digest: str) -> bytes:
        try:
            return b"1" if self._blobs.has(digest) else b"0"
        except ValueError:
            return b"0"
        except BlobsAway as away:
            self._away = away
            return b"?"


@contextmanager
def staged(blobs: BlobStore) -> Iterator[Staging | None]:
    """A folder for what is unpacked, which goes afterwards; None where the store is one itself."""
    if isinstance(blobs, FileStore):
        yield None
        return
    folder = Path(tempfile.mkdtemp(dir=blobs.incoming, prefix="check-"))
    staging = Staging(blobs, folder)
    try:
        yield staging
    finally:
        staging.close()
        shutil.rmtree(folder, ignore_errors=True)


class StagedSink(FileStore):
    """The child's side: blobs go into the folder, and what is stored already is asked for at the socket."""

    def __init__(self, files: FileStore, descriptor: int) -> None:
        super().__init__(files.root, files.room)
        self._asked = socket.socket(fileno=descriptor)

    def has(self, digest: str) -> bool:
        """Whether the store has it, or the folder; OSError where nobody knows."""
        if super().has(digest):
            return True
        self._asked.sendall(f"{digest}\n".encode())
        answer = self._asked.recv(1)
        if answer not in (b"0", b"1"):
            raise ConnectionError("the store of blobs does not answer")
        return answer == b"1"
