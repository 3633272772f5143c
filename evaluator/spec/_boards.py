"""Boards and the ranking rule: which numbers are made of a task's outputs, and how they become places."""

from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from evaluator.frozen import Model
from evaluator.spec._base import EachOnce, Key, Seed

Tie = Literal["min", "average", "dense"]


class Metric(Model):
    """One ranked number of a board: the plugin that computes it and its parameters.

    `metric` is the name of a built-in metric, of an entry point in the group `evaluator.metrics`, or
    `package.module:function`. Every further field is a parameter of that metric.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    metric: str
    title: str | None = None

    @property
    def parameters(self) -> dict[str, Any]:
        """The metric's own parameters, as the challenge file gives them."""
        return dict(self.__pydantic_extra__ or {})


_Cases = Annotated[int, Field(gt=0, le=10_000_000)]
_Rate = Annotated[float, Field(gt=0, le=1e6)]


class Probe(Model):
    """A linear probe trained on the embeddings of a run before its metrics are computed.

    seed: of the split and of the training. seeds: the report trains with each of them on the same split, to
    show how much the seed alone moves a value. score: whether a value is that of `seed`, or the mean of those
    of `seeds`.
    """

    n_train: _Cases = 80
    n_val: _Cases = 20
    n_test: _Cases = 100
    seed: Seed = 42
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1, max_length=1000), EachOnce] = tuple(range(42, 62))
    score: Literal["seed", "mean"] = "seed"
    epochs: Annotated[int, Field(gt=0, le=100_000)] = 20
    batch_size: _Cases = 64
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    learning_rates: Annotated[tuple[_Rate, ...], Field(min_length=1, max_length=1000), EachOnce] = (
        1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 1e-1,
    )  # fmt: skip


def _rising(bins: tuple[float, ...]) -> tuple[float, ...]:
    for low, high in pairwise(bins):
        if high <= low:
            raise ValueError(f"the upper bounds of bins rise, and {high:g} stands after {low:g}")
    return bins


class GroupVariable(Model):
    """A variable whose groups a fairness metric compares: its text, or bins with inclusive upper bounds.

    enough: the report marks groups with fewer subjects as too small to say anything; they count all the same.
    """

    variable: Literal["sex", "age", "site", "scanner"]
    bins: Annotated[tuple[float, ...], Field(min_length=1), AfterValidator(_rising)] | None = None
    enough: _Cases = 20


class Bootstrap(Model):
    """How the test cases are resampled: subjects, not sessions, within `strata`.

    unit: "site" draws whole sites, for a statement about hospitals that are not in the dataset; there are no strata
    then.
    sources: what else a replicate draws where a probe is trained: one of the probe's `seeds`, or one of them
    for its training and its split. Without it the interval says how the value varies over test cases only.
    """

    resamples: Annotated[int, Field(gt=0, le=20_000)] = 1000
    unit: Literal["subject", "case", "site"] = "subject"
    strata: Annotated[tuple[Literal["site", "class", "cohort"], ...], EachOnce] = ("site", "class")
    level: Annotated[float, Field(gt=0, lt=1)] = 0.95
    sources: Literal["test_cases", "test_cases_and_seeds", "test_cases_seeds_and_split"] = "test_cases"

    @model_validator(mode="before")
    @classmethod
    def _sites_have_no_strata(cls, fields: object) -> object:
        if not isinstance(fields, dict) or fields.get("unit") != "site":
            return fields
        if fields.get("strata"):
            raise ValueError("strata: whole sites are drawn, and these lie in no strata; leave it out")
        return {**fields, "strata": ()}


class Board(Model):
    """What is ranked: metrics over the outputs of one task."""

    title: str
    task: Key
    metrics: Annotated[dict[Key, Metric], Field(min_length=1)]
    probe: Probe | None = None
    groups: tuple[GroupVariable, ...] = ()
    bootstrap: Bootstrap = Bootstrap()
    primary: Key | None = None

    @model_validator(mode="after")
    def _each_variable_once(self) -> Self:
        names = [group.variable for group in self.groups]
        if len(set(names)) < len(names):
            raise ValueError("groups: every variable stands once")
        return self

    @model_validator(mode="after")
    def _seeds_need_a_probe(self) -> Self:
        if self.probe is None and self.bootstrap.sources != "test_cases":
            raise ValueError("bootstrap.sources: only a board with a probe has seeds and a split to resample")
        return self


class Prizes(Model):
    """Prizes of which those of the first places are shared by all who cannot be excluded as first.

    places: what the places win, first place first. share_within: the eligible teams that no other eligible one is
    surely ahead of share the prizes of as many first places as they are; the others go down their places after them.
    """

    places: Annotated[tuple[str, ...], Field(min_length=1)]
    share_within: Literal["winner_set"]


def _form_of_prizes(prizes: object) -> str:
    return "rule" if isinstance(prizes, dict | Prizes) else "places"


class Ranking(Model):
    """How values become places.

    method: "mean_then_rank" ranks a team's value; where a metric has a value per case, "rank_then_mean" ranks the
    teams case by case and takes the mean of those ranks, and "test_then_rank" ranks the number of teams that a team
    is significantly better than. per_case: how the values of the cases become the team's value (the other two
    do not need it). ties: which number tied values share. per_board: a
    board's rank is the mean of its metric ranks. rerank_boards: the mean is ranked again within the board
    before it enters the weighted mean. missing_board: the place of a team without a value ("worst": ranked
    teams with a value + 1; "excluded": the board is left out of the team's mean). round: decimals before
    ranking, None for full precision. prizes: what the places of each track win, first place first, and who shares.
    """

    method: Literal["mean_then_rank", "rank_then_mean", "test_then_rank"] = "mean_then_rank"
    per_case: Literal["mean", "median"] = "mean"
    ties: Tie = "min"
    per_board: Literal["mean_of_metric_ranks"] = "mean_of_metric_ranks"
    rerank_boards: bool = True
    missing_board: Literal["worst", "excluded"] = "worst"
    round: Annotated[int, Field(ge=0, le=12)] | None = None
    weights: dict[Key, Annotated[float, Field(ge=0, le=1e9)]]
    entry: Literal["latest", "best"] = "latest"
    prizes: Annotated[
        Annotated[tuple[str, ...], Tag("places")] | Annotated[Prizes, Tag("rule")],
        Discriminator(_form_of_prizes),
    ] = ()

    @property
    def prizes_of_places(self) -> tuple[str, ...]:
        """What the places win, first place first."""
        return self.prizes.places if isinstance(self.prizes, Prizes) else self.prizes

    @property
    def shares_within_winners(self) -> bool:
        """Whether all who cannot be excluded as first share the prizes of the first places."""
        return isinstance(self.prizes, Prizes)

    @property
    def needs_cases(self) -> bool:
        """Whether the values of single cases enter the ranking."""
        return self.method != "mean_then_rank" or self.per_case == "median"
