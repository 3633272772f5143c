"""The published form of rankings and comparisons; `docs/schemas/` holds their JSON schemas."""

from collections.abc import Mapping
from typing import Any, Literal

from evaluator.comparison._published_pairs import MetricTests, RankLead
from evaluator.comparison._warnings import PlaceWarning
from evaluator.frozen import Model


class TeamPlace(Model):
    """A team's place and how sure it is.

    low and high: the places that cannot be excluded, for all teams of the table at once with probability `level`;
    alone_low and alone_high: for a team that is looked at by itself. winner: the first place cannot be excluded.
    among_three: whether all, some or none of the places from low to high are among the first three. group: going down
    the places, a team joins the group of the team before it unless the group's best is surely ahead.

    range_low and range_high hold the place in `level` of the resamples, which is less than a confidence interval where
    teams are nearly equal; first and top3 are the shares of resamples with that place, a tie counting for every team in
    it.

    None: the reports do not hold what it takes, and a note says so.
    """

    team: str
    place: int
    low: int | None = None
    high: int | None = None
    alone_low: int | None = None
    alone_high: int | None = None
    winner: bool | None = None
    among_three: Literal["surely", "possibly", "no"] | None = None
    group: int | None = None
    range_low: int | None = None
    range_high: int | None = None
    first: float | None = None
    top3: float | None = None


class BoardComparison(Model):
    """The teams of one board, best first, and the tests of its metrics."""

    teams: tuple[TeamPlace, ...]
    tests: dict[str, MetricTests]


class ReorderedPair(Model):
    """Two teams whose order changed: the one ahead before and after, None where they tie."""

    teams: tuple[str, str]
    before: str | None
    after: str | None

    def renamed(self, names: Mapping[str, str]) -> "ReorderedPair":
        """The same with other names of the teams."""
        one, other = (names[team] for team in self.teams)
        before, after = (team and names[team] for team in (self.before, self.after))
        return ReorderedPair(teams=(one, other), before=before, after=after)

    def sentence(self) -> str:
        """What would be different, for people: "b would be ahead of a, but is behind"."""
        one, other = self.teams
        if self.after is None:
            return f"{one} and {other} would tie; with it, {self.before} is ahead"
        behind = other if self.after == one else one
        now = "the two tie" if self.before is None else "is behind"
        return f"{self.after} would be ahead of {behind}, but {now}"


class LeftOut(Model):
    """The places of the others without `team`, and which pairs of them change order."""

    team: str
    places: dict[str, int]
    reordered: tuple[ReorderedPair, ...]


class RuleVariant(Model):
    """Places under another rule, and Kendall's tau-b with the places under the challenge's own."""

    change: str
    tau: float | None
    places: dict[str, int]


class Stability(Model):
    """Kendall's tau-b between the rankings of the replicates and the full one, and how often the winner stays."""

    mean: float
    low: float
    high: float
    same_winner: float


class PrizeAward(Model):
    """What a team wins. low, high: the places among the eligible teams that cannot be excluded; None if unknown."""

    team: str
    prize: str
    low: int | None
    high: int | None

    @property
    def sure(self) -> bool:
        """Whether no other place can be."""
        return self.low is not None and self.low == self.high


class WeightChange(Model):
    """The smallest change of weights from which on another eligible team is first.

    moved: the part of the weight of boards with ranks that lies on others than declared. weights: those with which
    `team` has the mean rank of the first, as parts of 1. change: by how much each board's is more than declared.
    """

    team: str
    moved: float
    weights: dict[str, float]
    change: dict[str, float]

    def wording(self) -> str:
        """Which boards would have more of the weight, and which less, for people: "if more than 4.0 % …"."""
        moved = sorted(self.change.items(), key=lambda pair: -abs(pair[1]))
        told = [
            f"{abs(part) * 100:.1f} % {'more' if part > 0 else 'less'} on {board}"
            for board, part in moved
            if part
        ]
        return f"if more than {self.moved * 100:.1f} % of the weight lay on other boards: {', '.join(told)}"


class CaseChange(Model):
    """Subjects without whom another eligible team is first; fewer may do.

    subjects: how many, or how many cases or sites, where these are drawn. by_boards: how many, by their boards; units:
    of what. exact: all values without them are known; else some are told from influence values, to first order.
    """

    team: str
    subjects: int
    by_boards: dict[str, int]
    units: dict[str, Literal["subject", "case", "site"]]
    exact: bool

    def wording(self) -> str:
        """Who is left out, for people: "about 1 site of task1 and 2 subjects of task2, task3"."""
        parts = [
            f"{count:,} {self.units[boards]}{'s' if count > 1 else ''} of {boards}"
            for boards, count in self.by_boards.items()
        ]
        return ("" if self.exact else "about ") + " and ".join(parts)


class PrizeDecision(Model):
    """The prizes of a track and how sure they are.

    shared_within: "winner_set" where the `candidates` share the prizes of the first places: the eligible teams that no
    other eligible one is surely ahead of. first: the eligible teams with the best place. weights and cases: how little
    would put another eligible team first, alone, and give it the first prize where the candidates do not share that;
    None where several are first, nothing would, or nothing is known to. under_any_weights: of several boards, no
    weights would. warnings: those that concern who wins something.
    """

    shared_within: Literal["winner_set"] | None
    awards: tuple[PrizeAward, ...]
    candidates: tuple[str, ...]
    first: tuple[str, ...]
    weights: WeightChange | None
    cases: CaseChange | None
    under_any_weights: bool
    warnings: tuple[PlaceWarning, ...] = ()

    def renamed(self, names: Mapping[str, str]) -> "PrizeDecision":
        """The same with other names of the teams."""
        changed: dict[str, Any] = {
            "awards": tuple(award.model_copy(update={"team": names[award.team]}) for award in self.awards),
            "candidates": tuple(names[team] for team in self.candidates),
            "first": tuple(names[team] for team in self.first),
            "warnings": tuple(warning.renamed(names) for warning in self.warnings),
        }
        for field in ("weights", "cases"):
            change = getattr(self, field)
            changed[field] = change and change.model_copy(update={"team": names[change.team]})
        return self.model_copy(update=changed)

    def sentences(self) -> tuple[str, ...]:
        """What there is to say of the prizes, for people."""
        told = []
        if self.candidates:
            told.append(f"Eligible teams that cannot be excluded as first: {', '.join(self.candidates)}.")
        for award in self.awards:
            if award.low is not None:
                places = f"place {award.low}" if award.sure else f"places {award.low} to {award.high}"
                told.append(
                    f"{award.team} wins {award.prize}: {places} among the eligible cannot be excluded."
                )
        told += [f"Of those who win: {warning.sentence()}" for warning in self.warnings]
        if self.shared_within is not None and not self.candidates:
            told.append(
                "The prizes are shared within the winner set, and the reports do not say who that is: score again."
            )
        if self.weights is not None:
            told.append(f"{self._overtakes(self.weights.team)} {self.weights.wording()}.")
        if self.under_any_weights:
            told.append(f"No weights of the boards would put another eligible team ahead of {self.first[0]}.")
        if self.cases is not None:
            told.append(f"{self._overtakes(self.cases.team)} without {self.cases.wording()}, or fewer.")
        return tuple(told)

    def _overtakes(self, team: str) -> str:
        """What comes of `team` being first alone; no prize follows from that where the winner set shares them."""
        if self.shared_within is None:
            return f"The first prize would go to {team}"
        return f"{team} would be first of the eligible teams"


class TrackComparison(Model):
    """How sure the ranking of one track is. `datasets` are the digests that fix every random draw.

    weight_space: share of the weights around the declared ones (Dirichlet, with the declared ones as its mean and as
    much concentration as there are boards) under which each team is first, a tie counting for each. warnings: what
    takes meaning from places.
    """

    level: float
    replicates: int
    datasets: dict[str, str]
    overall: tuple[TeamPlace, ...]
    leads: tuple[RankLead, ...]
    boards: dict[str, BoardComparison]
    stability: Stability | None
    prizes: PrizeDecision | None
    weight_space: dict[str, float]
    leave_one_out: tuple[LeftOut, ...]
    sensitivity: tuple[RuleVariant, ...]
    warnings: tuple[PlaceWarning, ...]
    notes: tuple[str, ...]


class CertainPlaces(Model):
    """What a leaderboard shows of how sure the places of a track are; the fields are those of `TrackComparison`."""

    level: float
    overall: tuple[TeamPlace, ...]
    boards: dict[str, tuple[TeamPlace, ...]]
    prizes: PrizeDecision | None
    weight_space: dict[str, float]
    warnings: tuple[PlaceWarning, ...]
    notes: tuple[str, ...]


class Rule(Model):
    """The ranking rule in sentences and the digest of everything that decides places."""

    digest: str
    sentences: tuple[str, ...]


class PublishedStanding(Model):
    """One team in one track; ranks by board and metric. A baseline has no ranks.

    eligible_placement: its place among the teams that may win a prize. first, and first_on for boards: it leads, alone
    or with the others that say so.
    """

    team: str
    baseline: bool
    eligible: bool
    metric_ranks: dict[str, dict[str, float | None]]
    task_ranks: dict[str, float | None]
    overall: float | None
    placement: int | None
    eligible_placement: int | None
    prize: str | None
    first: bool
    first_on: tuple[str, ...]


class RankFile(Model):
    """What `rank --json` prints. `comparison` is there when it ranks from reports."""

    rule: Rule
    tracks: dict[str, tuple[PublishedStanding, ...]]
    comparison: dict[str, TrackComparison] | None = None


class ComparisonFile(Model):
    """What `rank --comparison` writes."""

    rule: Rule
    tracks: dict[str, TrackComparison]


def schemas() -> dict[str, dict[str, Any]]:
    """JSON schemas of the published files, by file name."""
    return {
        "rank.schema.json": RankFile.model_json_schema(mode="serialization"),
        "comparison.schema.json": ComparisonFile.model_json_schema(mode="serialization"),
    }
