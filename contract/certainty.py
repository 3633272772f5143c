"""How sure the places of a track are, and what they decide."""

from typing import Annotated

from contract.answers import Answer, Older


class AwardOut(Answer):
    """What a team wins; low and high: the places among the eligible that cannot be excluded, None if unknown."""

    team: str
    prize: str
    low: int | None
    high: int | None


class WeightChangeOut(Answer):
    """The smallest change of weights from which on `team` is first among the eligible.

    moved: the part of the weight of boards with ranks that lies on others than declared. weights: by board, parts of 1.
    """

    team: str
    moved: float
    weights: dict[str, float]


class CaseChangeOut(Answer):
    """Subjects without whom `team` is first among the eligible; fewer may do.

    subjects: how many, or how many cases or sites, where these are drawn. by_boards: how many of which boards; units:
    of what ("subject", "case" or "site"). exact: all values without them are known; else some only to first order.
    """

    team: str
    subjects: int
    by_boards: dict[str, int]
    units: Annotated[dict[str, str], Older({})]
    exact: Annotated[bool, Older(False)]


class DecisionOut(Answer):
    """The prizes of a track if these standings are final, and how sure they are.

    shared_within: "winner_set" where the `candidates`, the eligible teams that no other eligible one is surely ahead
    of, share the prizes of the first places. first: the eligible teams with the best place. weights and cases: how
    little would put another eligible team first, alone, and give it the first prize where the candidates do not share
    that; None where several are first, nothing would, or nothing is known to.
    sentences: all of this for people.
    """

    shared_within: str | None
    awards: list[AwardOut]
    candidates: list[str]
    first: list[str]
    weights: WeightChangeOut | None
    cases: CaseChangeOut | None
    sentences: list[str]


class WarningOut(Answer):
    """What takes meaning from the places on a board, and so from prizes.

    kind: "uninformative", fairness is ranked although what it compares is not shown to be better than chance;
    "not_scored", it has no value for that; "chance", the groups of a team differ by no more than chance gives;
    "one_seed", a single seed of the probe decides; "few_sites", whole sites were drawn, and few. metrics: none where it
    is the whole board. teams: of which it holds; none where of all. sentence: all of this for people.
    """

    kind: str
    board: str
    metrics: list[str]
    teams: list[str]
    sentence: str


class CertaintyOut(Answer):
    """How sure the places of a track are, with probability `level`.

    winners: the teams that cannot be excluded as first. weight_space: by team, the share of the weights around the
    declared ones under which it is first. warnings: what takes meaning from places; what concerns who wins a prize is
    also among the decision's sentences. notes: what is not known, and why.
    """

    level: float
    winners: list[str]
    weight_space: dict[str, float]
    decision: DecisionOut | None
    warnings: Annotated[list[WarningOut], Older([])]
    notes: list[str]
