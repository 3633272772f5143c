"""What a decision changes on boards: before and after, and why. For organizers; values have full precision."""

from enum import StrEnum

from contract.answers import Answer, Id


class Cause(StrEnum):
    """Why a team's place or prize changes."""

    OWN = "own"  # its own values or standing change, and no other team's change that moves past it
    OTHERS = "others"  # it stays as it is, others change
    BOTH = "both"
    RULE = "rule"  # the ranking rule, weights, or which boards and metrics are ranked


class ValueAt(Answer):
    """A value with its interval."""

    value: float | None
    low: float | None
    high: float | None


class MetricShift(Answer):
    """A metric of a team before and after; None where the board has no such entry of it."""

    metric: str
    before: ValueAt | None
    after: ValueAt | None


class EntryShift(Answer):
    """A team on a board: its rank there, and of its metrics those that change."""

    team: str
    rank_before: float | None
    rank_after: float | None
    metrics: list[MetricShift]


class BoardShift(Answer):
    """A board and the entries on it that change."""

    board: str
    title: str
    entries: list[EntryShift]


class PlaceShift(Answer):
    """A team over all boards of a track; places are None where it is not ranked.

    own: what of it changes: names of boards, and "standing". others: the teams whose change moves it, by name, where
    its place or prize changes. cause and sentence: None where neither does.
    """

    id: Id
    team: str
    place_before: int | None
    place_after: int | None
    prize_before: str | None
    prize_after: str | None
    own: list[str]
    others: list[str]
    cause: Cause | None
    sentence: str | None


class TrackShift(Answer):
    """A track: all of its teams by their place after, and the boards on which anything changes."""

    track: str
    teams: list[PlaceShift]
    boards: list[BoardShift]


class PhaseShift(Answer):
    """A phase. rule: whether its ranking rule, or what is ranked by it, changes. decimals: of values as boards show."""

    phase: str
    rule: bool
    decimals: int
    tracks: list[TrackShift]


class Shifts(Answer):
    """What changes on the boards of a challenge: all that has ended counts, also what teams do not see yet.

    digest: of the boards before and after. Who sends it with the decision is refused if they have moved since.
    sentences: every change of a place or prize, in words.
    """

    challenge: str
    digest: str
    phases: list[PhaseShift]
    sentences: list[str]
