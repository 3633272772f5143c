"""Trees of cases that no version names: of versions that were dropped, and of makers that were killed."""

import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.datasets.models import Dataset, DatasetState
from server.settings import Settings

_MAKING = 86_400.0  # seconds: a tree is there before its row, for as long as its version is made


def left_trees(session: Session, settings: Settings) -> Iterator[Path]:
    """Folders of cases and of labels that nothing needs, in the trees that this process can reach.

    Only beside versions that are known: with another database than the one that they belong to none is left over.
    """
    states = {Path(row.folder): row.state for row in session.execute(select(Dataset.folder, Dataset.state))}
    for place in {folder.parent for folder in states}:
        for root in (settings.inputs, settings.references):
            for folder in (root / place).glob("*"):
                state = states.get(place / folder.name)
                if state is DatasetState.DROPPED or (state is None and _is_old(folder)):
                    yield folder


def _is_old(folder: Path) -> bool:
    """Whether it is a tree that nobody writes to any more."""
    try:
        UUID(folder.name)
        return folder.stat().st_mtime < time.time() - _MAKING
    except (ValueError, FileNotFoundError):
        return False
