"""What stands behind an entry of a leaderboard: how it ran, with what it was scored, and what was amended since."""

from datetime import datetime
from typing import Annotated

from contract.answers import Answer, Id, Older, OrNewer
from contract.images import DeclaredCheckpoint
from contract.leaderboard import CheckpointMark
from contract.phases import AmendmentOut


class FailedCasesOut(Answer):
    """How many of an entry's cases failed, of how many. Which ones is told to nobody here.

    verdicts: cases by kind of trouble, for the team and organizers; None for everybody else.
    """

    failed: int
    cases: int
    verdicts: dict[str, int] | None


class RepeatedRunsOut(Answer):
    """What repeated runs of an image on the same cases came to: of `cases` that ran several times, `differing` differ.

    Nothing was repeated where `cases` is 0.
    """

    cases: int
    differing: int


class SharedImageOut(Answer):
    """How many images the counting entries of a team are made with, of how many tasks of the track.

    digests: by task, for the team and organizers; None for everybody else.
    """

    tasks: int
    images: int
    digests: dict[str, str] | None


class SharedCheckpointOut(Answer):
    """Whether the images of a team's counting entries hold one pretrained checkpoint, of how many tasks of the track.

    mark: as its row on the board says it. declared: tasks whose images declare one. verified: those whose images hold
    the file that they declare. checkpoints: how many different files these are. of_tasks: what the check found by task,
    None in it where an older release checked the image; for the team and organizers alone.
    """

    mark: Annotated[Annotated[CheckpointMark | str, OrNewer()] | None, Older(None)]
    tasks: int
    declared: int
    verified: int
    checkpoints: int
    of_tasks: dict[str, DeclaredCheckpoint | None] | None

    @property
    def one_for_all(self) -> bool:
        """Whether every task is served by the same verified file."""
        return self.verified == self.tasks and self.checkpoints == 1


class ScoredWithOut(Answer):
    """What scored an entry: the evaluator, which carries the platform's release, and the digest of the challenge file.

    metrics: by key the digest of a metric's code; None where it was not kept.
    """

    evaluator: str | None
    version: str
    metrics: dict[str, str | None]


class BoardEntryOut(Answer):
    """What stands behind what a team has on one board.

    differs: in what it is of another base than what counts, so that it is not ranked; empty for an entry that counts.
    anew_at: when a re-evaluation put it in place of an earlier one. amended: what was amended of its task since. failed
    and repeated: None where the viewer may not know, which `hidden` of the entry says. evaluation and receipt: for the
    team and organizers alone; the receipt's address below /api/v1.
    """

    board: str
    title: str
    task: str
    differs: list[str]
    submitted_at: datetime
    scored_at: datetime | None
    anew_at: datetime | None
    amended: list[AmendmentOut]
    scored_with: ScoredWithOut
    failed: FailedCasesOut | None
    repeated: RepeatedRunsOut | None
    evaluation: Id | None
    receipt: str | None


class EntryDetailsOut(Answer):
    """A team on one track, and what stands behind each of its entries as the viewer may know it.

    image: None where nothing of it counts. checkpoint: None there too, and where the challenge does not show it. own:
    the viewer is in the team. hidden: what is not told, and until when.
    """

    challenge: str
    phase: str
    track: str
    team: str
    at: datetime
    baseline: bool
    eligible: bool
    disqualified: bool
    disclaimer: str | None
    own: bool
    image: SharedImageOut | None
    checkpoint: Annotated[SharedCheckpointOut | None, Older(None)]
    boards: list[BoardEntryOut]
    hidden: str | None
