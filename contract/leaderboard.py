"""What a leaderboard says."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import model_validator

from contract.answers import Answer, Older, OrNewer
from contract.certainty import CertaintyOut
from contract.intervals import BootstrapOut, named
from contract.published import PublishedOut

PENDING = "How sure the places are is being worked out."
"""What is said of a track whose places have no sets yet."""


class ValueOut(Answer):
    """A metric's value with its interval and its rank in the track; `rank` is None where the team is not ranked.

    interval_method: how the interval was made, as the metric's row says; None where there is none or it was not kept.
    reason: why there is no value. note: what the interval does not tell, or why there is none; a value outside its
    own interval always has one.
    """

    value: float | None
    low: float | None
    high: float | None
    rank: float | None
    interval_method: Annotated[str | None, Older(None)]
    reason: Annotated[str | None, Older(None)]
    note: Annotated[str | None, Older(None)]


class Marks(Answer):
    """A team and what is to be said wherever it is named. `first`: it leads, alone or with the others that say so.

    A baseline, a team that may win no prize, or one that is disqualified never leads. Where one of several that share
    the first place is such a team, none of them does.
    """

    team: str
    baseline: bool
    eligible: bool
    disqualified: Annotated[bool, Older(False)]
    disclaimer: str | None
    first: Annotated[bool, Older(False)]


class Valued(Marks):
    """What a team has on a board, and since when.

    submitted_at: of published results, when they were imported.
    """

    metrics: dict[str, ValueOut]
    submitted_at: datetime
    scored_at: Annotated[datetime | None, Older(None)]


class PlacesOut(Answer):
    """The places of a team that cannot be excluded.

    low and high: for all teams at once, with the probability that the track's `certainty` names; alone_low and
    alone_high: for a team that is looked at by itself. winner: the first place is among the former. among_three:
    whether all ("surely"), some ("possibly") or none ("no") of them are among the first three.
    """

    low: int
    high: int
    alone_low: int
    alone_high: int
    winner: bool
    among_three: str


class EntryOut(Valued):
    """A team on one board. `rank` is its rank on this board.

    places: which of the board's cannot be excluded; None where the scores do not say how far they move.
    published_rank: of published results, the rank on this board that was published; None where none was.
    """

    rank: float | None
    places: Annotated[PlacesOut | None, Older(None)]
    published_rank: Annotated[float | None, Older(None)]


class OtherwiseOut(Valued):
    """What a team has on a board under another base: shown, and neither ranked nor compared.

    differs: in what. bootstrap: how its intervals were made, which may be another way than the board's; None where
    that was not kept.
    """

    differs: list[str]
    bootstrap: Annotated[BootstrapOut | None, Older(None)]


class CheckpointMark(StrEnum):
    """Whether the images that count for a team on a track hold one pretrained checkpoint.

    What some of them do not hold as they declare it, or do not declare at all, is differing too.
    """

    ONE_FOR_ALL = "one_for_all"  # each holds the same verified file
    DIFFERING = "differing"
    NOT_DECLARED = "not_declared"


class UnifiedOut(Marks):
    """A team's place over all boards.

    eligible_placement: its place among the teams that may win a prize. prize: what that wins if these standings are
    final. missing: the boards on which it has nothing that counts; their rank is the one the rule gives to a missing
    board, and None where nobody has anything. places: which cannot be excluded; None where the scores do not say how
    far they move. published_placement, published_overall: of published results, the place and the mean rank that were
    published. checkpoint: None where the challenge does not show it, of published results, and where it is not known,
    because an older release checked an image.
    """

    placement: int | None
    eligible_placement: int | None
    prize: str | None
    overall: float | None
    board_ranks: dict[str, float | None]
    missing: Annotated[list[str], Older([])]
    places: Annotated[PlacesOut | None, Older(None)]
    published_placement: Annotated[int | None, Older(None)]
    published_overall: Annotated[float | None, Older(None)]
    checkpoint: Annotated[Annotated[CheckpointMark | str, OrNewer()] | None, Older(None)]

    @model_validator(mode="before")
    @classmethod
    def _named_as_now(cls, row: object) -> object:
        """Servers of an earlier version call the place among the eligible `prize`, and the prize `wins`."""
        if isinstance(row, Mapping) and "eligible_placement" not in row:
            return {**row, "eligible_placement": row.get("prize"), "prize": row.get("wins")}
        return row


class MetricOut(Answer):
    """A column of a board: `better` is "higher" or "lower".

    It is None for a metric that is no longer installed: its values are shown and not ranked, and `reason` says so.
    """

    name: str
    title: str
    better: str | None
    reason: Annotated[str | None, Older(None)]


class BoardHead(Answer):
    """What a board is. cases: of the dataset in force, 0 without one. bootstrap: how its intervals were made.

    Both are None where published results are shown, which have neither. last_scored: when its last entry was.
    """

    board: str
    title: str
    weight: float
    cases: Annotated[int | None, Older(None)]
    last_scored: Annotated[datetime | None, Older(None)]
    bootstrap: Annotated[BootstrapOut | None, Older(None)]
    metrics: list[MetricOut]


class BoardOut(BoardHead):
    """One board of one track."""

    entries: list[EntryOut]
    otherwise: Annotated[list[OtherwiseOut], Older([])]

    @property
    def ways(self) -> str:
        """How the intervals of its entries were made, for people: "AUROC: logit t. DSC: BCa."; empty where unknown."""
        made = {
            metric.title: dict.fromkeys(
                named(method)
                for entry in self.entries
                if metric.name in entry.metrics and (method := entry.metrics[metric.name].interval_method)
            )
            for metric in self.metrics
        }
        return " ".join(f"{title}: {', '.join(ways)}." for title, ways in made.items() if ways)


class TrackOut(Answer):
    """One track: the unified leaderboard and one per board.

    certainty: None where nothing is ranked, or it is being worked out, which `certainty_pending` tells: then places
    come without sets.
    """

    track: str
    unified: list[UnifiedOut]
    boards: list[BoardOut]
    certainty: Annotated[CertaintyOut | None, Older(None)]
    certainty_pending: Annotated[bool, Older(False)]


class LeaderboardHead(Answer):
    """What is said of all leaderboards of a phase, as they were made at `at` and still are.

    freezes: from when on everybody but organizers sees it as it was then, None where it does not, or is released.
    frozen: whether this is such a sight. released_early: why a sealed leaderboard was opened before it was final.
    published: where all of it comes from published values, what is to be said of that; None for evaluations.
    """

    challenge: str
    title: str
    phase: str
    phase_title: str
    at: datetime
    opens: Annotated[datetime | None, Older(None)]
    closes: Annotated[datetime | None, Older(None)]
    open: bool
    freezes: Annotated[datetime | None, Older(None)]
    frozen: Annotated[bool, Older(False)]
    last_scored: Annotated[datetime | None, Older(None)]
    released_early: Annotated[str | None, Older(None)]
    published: Annotated[PublishedOut | None, Older(None)]
    version: str
    decimals: int
    prizes: Annotated[list[str], Older([])]


class LeaderboardOut(LeaderboardHead):
    """All of them; values of another base (dataset, run, metrics) never mix in: boards list these as `otherwise`."""

    tracks: list[TrackOut]
