"""What stands behind an entry of a leaderboard: how it ran, with what it was scored, and what was amended since."""

from datetime import datetime

from contract.answers import Answer, Id
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

    image: None where nothing of it counts. own: the viewer is in the team. hidden: what is not told, and until when.
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
    boards: list[BoardEntryOut]
    hidden: str | None
