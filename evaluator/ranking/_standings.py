"""What a ranking says: per track, the teams in the order of their places."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Ranks = Mapping[str, float | None]


@dataclass(frozen=True)
class Standing:
    """One team in one track. A baseline has values but no rank, so its ranks and `placement` are None.

    values and metric_ranks: board to metric to number, a rank None where no team has a value. task_ranks: board
    to number, None where a board is left out of the team's mean: no team has it, or this one lacks it and the rule
    says so. overall: weighted mean of the task ranks, unrounded.

    eligible_placement: its place among the teams that may win a prize and have something that counts, None for all
    others. prize: what that wins if these standings are final. first, and first_on for boards: it leads, alone or
    with the others that say so; where one of those who share the best rank may win no prize, nobody leads.
    """

    team: str
    baseline: bool
    eligible: bool
    values: Mapping[str, Ranks]
    metric_ranks: Mapping[str, Ranks]
    task_ranks: Ranks
    overall: float | None
    placement: int | None
    eligible_placement: int | None = None
    prize: str | None = None
    first: bool = False
    first_on: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The published form; values are left out, they stand in the scores."""
        return {
            "team": self.team,
            "baseline": self.baseline,
            "eligible": self.eligible,
            "metric_ranks": {board: dict(ranks) for board, ranks in self.metric_ranks.items()},
            "task_ranks": dict(self.task_ranks),
            "overall": self.overall,
            "placement": self.placement,
            "eligible_placement": self.eligible_placement,
            "prize": self.prize,
            "first": self.first,
            "first_on": list(self.first_on),
        }


@dataclass(frozen=True)
class Standings:
    """Every track that has a team, in the order in which tracks first occur; baselines stand last."""

    tracks: Mapping[str, tuple[Standing, ...]]

    def to_json(self) -> dict[str, Any]:
        """`{"tracks": {TRACK: [{"team", "baseline", "eligible", "metric_ranks", …}]}}`."""
        return {
            "tracks": {
                track: [standing.to_json() for standing in standings]
                for track, standings in self.tracks.items()
            }
        }
