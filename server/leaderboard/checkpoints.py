"""Which pretrained checkpoint each image of a track holds, as its check found it, and whether a team's are one."""

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import NamedTuple

from sqlalchemy import func

from contract.images import CheckpointState, DeclaredCheckpoint
from contract.leaderboard import CheckpointMark
from server.images.models import Image


class Held(NamedTuple):
    """What the check found. state: None where an older release checked the image, which did not look."""

    state: CheckpointState | None
    sha256: str | None

    @classmethod
    @lru_cache(maxsize=4096)
    def read(cls, text: str) -> "Held":
        """From the text of `HELD`."""
        state, _, sha256 = text.partition(" ")
        return cls(CheckpointState(state) if state else None, sha256 or None)

    @classmethod
    def of(cls, found: DeclaredCheckpoint | None) -> "Held":
        """The same of the facts of an image."""
        return cls(None, None) if found is None else cls(found.state, found.sha256)

    @property
    def verified(self) -> bool:
        """Whether the image holds the file that it declares."""
        return self.state is CheckpointState.VERIFIED


HELD = func.concat_ws(" ", *(Image.facts[("checkpoint", name)].astext for name in Held._fields))
"""It as one text, for a large board reads thousands: the state and the digest, as far as there are any."""

OfTeams = Mapping[str, Mapping[str, Held]]
"""What the images of each team hold, by task."""


def mark_of(found: Collection[Held]) -> CheckpointMark | None:
    """What a board says of a team whose counting images hold these, one for each task; None where it is not known."""
    verified = {one.sha256 for one in found if one.verified}
    unseen = any(one.state is None for one in found)
    declared = [one for one in found if one.state not in (None, CheckpointState.NOT_DECLARED)]
    if len(verified) > 1 or not all(one.verified for one in declared):
        return CheckpointMark.DIFFERING
    if declared and len(declared) == len(found):
        return CheckpointMark.ONE_FOR_ALL
    if declared and any(one.state is CheckpointState.NOT_DECLARED for one in found):
        return CheckpointMark.DIFFERING
    return None if unseen or not found else CheckpointMark.NOT_DECLARED


def told_of(tasks: Mapping[str, Held]) -> str:
    """Which tasks hold which file, in words, those without a verified one last."""
    found: dict[str | None, list[str]] = {}
    for task, held in tasks.items():
        found.setdefault(held.sha256 if held.verified else None, []).append(task)
    listed = sorted(found.items(), key=lambda pair: pair[0] is None)
    return "; ".join(f"{', '.join(held)}: {digest or 'none that is verified'}" for digest, held in listed)
