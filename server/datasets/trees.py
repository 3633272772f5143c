"""Where the files of a version lie: its inputs in one tree, labels and groups in another."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from server.settings import Settings


@dataclass(frozen=True)
class Trees:
    """The two folders of a dataset; `folder` is where they lie below the inputs and the references tree."""

    folder: Path
    inputs: Path
    references: Path

    @classmethod
    def of(cls, settings: Settings, folder: Path) -> "Trees":
        """The trees that lie, or are to lie, at `folder`."""
        return cls(folder, settings.inputs / folder, settings.references / folder)

    def make(self, settings: Settings) -> None:
        """Makes both, hidden from every other user of the host."""
        for root in (settings.inputs, settings.references):
            root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.inputs.mkdir(parents=True, mode=0o700)
        self.references.mkdir(parents=True, mode=0o700)

    def remove(self) -> None:
        """Removes both, and the folders above them that are empty then."""
        for tree in (self.inputs, self.references):
            shutil.rmtree(tree, ignore_errors=True)
            for above in list(tree.parents)[:3]:  # task, phase, challenge
                try:
                    above.rmdir()
                except OSError:
                    break

    def size(self, *, own: bool = False) -> int:
        """Bytes of all files in both; `own`: without those that another version shares."""
        trees = (self.inputs, self.references)
        found = [path.stat() for tree in trees for path in tree.rglob("*") if path.is_file()]
        return sum(file.st_size for file in found if not own or file.st_nlink == 1)
