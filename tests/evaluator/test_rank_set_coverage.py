"""Sets of places hold the true places as often as they say, down to teams that are hardly apart at all."""

from pathlib import Path

import numpy as np
import pytest

from evaluator.comparison import rank_intervals, rank_sets
from evaluator.comparison._errors import Errors, influence_errors
from evaluator.comparison._sure import sure_places
from evaluator.metrics.classification import auroc
from evaluator.metrics.influence import of_auroc
from evaluator.ranking import Column, Table, columns_of, rank_values, whole_places
from evaluator.spec import Ranking, load_challenge

FOMO26 = load_challenge(Path(__file__).parents[2] / "challenges" / "fomo26" / "challenge.yaml")
SEVEN = tuple(Column(column.board, column.metric, True, False) for column in columns_of(FOMO26.boards))
ONE = Ranking.model_validate({"weights": {"task1": 1}})
DRAWS = 399
SPACINGS = (0.02, 0.05, 0.25, 0.5, 1, 2)
"""Between neighbours, in standard errors of a paired difference."""

DATASETS = {column.board: FOMO26.boards[column.board].task for column in SEVEN}


class Season:
    """One challenge after another with teams of the same true values; metrics of one dataset see the same cases."""

    def __init__(self, truth, *, cases=107, seed=1):
        """truth: (columns, teams) in standard errors of a paired difference, higher is better."""
        self.truth, self.cases = truth, cases
        self.columns = SEVEN[: len(truth)]
        self.ranking = ONE if len(truth) == 1 else FOMO26.ranking
        self.stream = np.random.default_rng(seed)

    def once(self):
        """The sets of one challenge, its values, and draws of their errors."""
        teams = self.truth.shape[1]
        values, errors = np.empty(self.truth.shape), np.empty((DRAWS, *self.truth.shape))
        for dataset in dict.fromkeys(DATASETS[column.board] for column in self.columns):
            drawn = f"{dataset} {self.stream.random()}"
            common, hardness = (
                self.stream.normal(size=(teams, self.cases)),
                self.stream.normal(size=self.cases),
            )
            for number, column in enumerate(self.columns):
                if DATASETS[column.board] == dataset:
                    own = 0.8 * common + 0.6 * self.stream.normal(size=(teams, self.cases))
                    cases = np.sqrt(self.cases / 2) * (own + hardness)
                    values[number] = self.truth[number] + cases.mean(axis=1)
                    moved = (cases - cases.mean(axis=1, keepdims=True)) / self.cases
                    errors[:, number] = influence_errors(drawn, moved, DRAWS)
        table = Table(tuple(f"team{team}" for team in range(teams)), self.columns, values)
        sure = sure_places(self.ranking, table, table.ranks(self.ranking), Errors(errors, (), ()), 0.95)
        return sure.overall, values, errors

    def held(self, places, runs):
        """How often all sets at once, and each team's own set, hold `places`; no set leaves out the place given."""
        joint, alone = 0, np.zeros(len(places))
        for _ in range(runs):
            found, values, _ = self.once()
            given = rank_values(self.ranking, self.columns, values).places
            assert ((found.low <= given) & (given <= found.high)).all()
            joint += bool(((found.low <= places) & (places <= found.high)).all())
            alone += (found.alone_low <= places) & (places <= found.alone_high)
        return joint / runs, alone / runs

    def leads_held(self, runs):
        """How often the intervals of all differences of mean ranks hold what these are over many test sets."""
        means, held = self.expected_means(20000), 0
        lead = means[None, :] - means[:, None]
        for _ in range(runs):
            found, values, _ = self.once()
            low, high = found.leads(rank_values(self.ranking, self.columns, values).overall)
            held += bool(((low <= lead + 1e-9) & (lead - 1e-9 <= high))[~np.isnan(low)].all())
        return held / runs

    def expected_places(self, draws=4000):
        """Places by the mean rank over many test sets of this size."""
        return whole_places(self.expected_means(draws), self.ranking)

    def expected_means(self, draws):
        """Mean ranks over many test sets of this size."""
        loadings = np.zeros((len(self.columns), len(DATASETS)))
        for number, column in enumerate(self.columns):
            loadings[number, list(dict.fromkeys(DATASETS.values())).index(DATASETS[column.board])] = 0.8
        teams = self.truth.shape[1]
        shared = self.stream.normal(size=(draws, len(DATASETS), teams))
        own = 0.6 * self.stream.normal(size=(draws, len(self.columns), teams))
        noise = (loadings @ shared + own) / np.sqrt(2)
        return rank_values(self.ranking, self.columns, self.truth + noise).overall.mean(axis=0)


def spaced(spacing, teams, boards):
    columns = 1 if boards == "one" else len(SEVEN)
    return -spacing * np.arange(teams) * np.ones((columns, 1)), np.arange(1, teams + 1)


@pytest.mark.parametrize(("boards", "runs"), [("one", 100), ("seven", 40)])
def test_sets_of_teams_that_are_hardly_apart_hold_the_true_places(boards, runs):
    truth, places = spaced(0.05, 10, boards)
    joint, alone = Season(truth).held(places, runs)
    assert joint >= 0.95 - 2 * np.sqrt(0.05 * 0.95 / runs)
    assert alone.mean() >= 0.95


def test_the_range_of_resamples_does_not():
    truth, places = spaced(0.05, 10, "one")
    season, held, runs = Season(truth), 0, 100
    for _ in range(runs):
        _, values, errors = season.once()
        drawn = rank_values(ONE, SEVEN[:1], values + errors).places
        low, high = rank_intervals(drawn, 0.95)
        held += bool(((low <= places) & (places <= high)).all())
    assert held / runs < 0.6


@pytest.mark.long
@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize(
    ("teams", "boards", "runs"), [(10, "one", 800), (30, "one", 600), (10, "seven", 400), (30, "seven", 250)]
)
def test_sets_hold_all_true_places_at_once_at_every_spacing(spacing, teams, boards, runs):
    truth, places = spaced(spacing, teams, boards)
    joint, alone = Season(truth, seed=2).held(places, runs)
    assert joint >= 0.945
    assert alone.mean() >= 0.945


@pytest.mark.long
@pytest.mark.parametrize("teams", [2, 3, 5])
@pytest.mark.parametrize("spacing", [0.02, 0.25])
def test_sets_of_few_teams_hold_all_true_places_at_once(spacing, teams):
    truth, places = spaced(spacing, teams, "seven")
    joint, _ = Season(truth, seed=6).held(places, 400)
    assert joint >= 0.945


def aurocs(stream, cases, teams, distance, positive):
    """AUROC of equal teams that see the same cases, and its influence values."""
    labels = (np.arange(cases) < positive).astype(int)
    scores = stream.normal(size=cases) + stream.normal(size=(teams, cases)) + np.sqrt(2) * distance * labels
    return np.array([auroc(labels, row) for row in scores]), np.array(
        [of_auroc(labels, row) for row in scores]
    )


def overlaps(stream, cases, teams, zero):
    """Mean Dice of equal teams, of which a part of the cases may be 0, and its influence values."""
    found = (0.8 * stream.normal(size=cases) + 0.6 * stream.normal(size=(teams, cases))) > (
        -9 if not zero else 0
    )
    dice = np.where(found, stream.beta(9, 2, size=(teams, cases)), 0)
    return dice.mean(axis=1), (dice - dice.mean(axis=1, keepdims=True)) / cases


@pytest.mark.long
@pytest.mark.parametrize(
    ("make", "cases", "how"),
    [
        (aurocs, 20, {"distance": 1.19, "positive": 10}),
        (aurocs, 80, {"distance": 1.19, "positive": 40}),
        (aurocs, 80, {"distance": 2.33, "positive": 16}),
        (overlaps, 25, {"zero": False}),
        (overlaps, 25, {"zero": True}),
        (overlaps, 107, {"zero": True}),
    ],
)
def test_sets_by_auroc_and_dice_hold_all_places_of_equal_teams_at_once(make, cases, how):
    stream, runs, held = np.random.default_rng(7), 400, 0
    for run in range(runs):
        values, moved = make(stream, cases, 10, **how)
        errors = influence_errors(f"{run}", moved, DRAWS)
        found = rank_sets(-values, errors, 0.95)
        places = stream.permutation(10) + 1  # of teams that are equal but for a hair
        held += bool(((found.low <= places) & (places <= found.high)).all())
    assert held / runs >= 0.945


@pytest.mark.long
@pytest.mark.parametrize("cases", [25, 50])
@pytest.mark.parametrize("boards", ["one", "seven"])
def test_sets_hold_all_true_places_at_once_with_few_cases(boards, cases):
    truth, places = spaced(0.05, 10, boards)
    joint, _ = Season(truth, cases=cases, seed=3).held(places, 400)
    assert joint >= 0.945


def uneven(kind, teams=10):
    """Boards that disagree, or teams that lie far apart from others in a heap."""
    stream = np.random.default_rng(4)
    near = spaced(0.02, teams, "seven")[0]
    if kind == "boards disagree":
        return spaced(0.3, teams, "seven")[0] + 2 * stream.normal(size=near.shape)
    if kind == "one far behind":
        return np.where(np.arange(teams) == teams - 1, -20, near)
    if kind == "two heaps":
        return near - 20 * (np.arange(teams) >= teams // 2)
    heavy = np.array(
        [column.board in ("task1", "task2") for column in SEVEN]
    )  # nearly tied but for 35 % of the weight
    return np.where(heavy[:, None], 5.0 * np.arange(teams), near)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["boards disagree", "one far behind", "two heaps", "against near ties"])
def test_sets_hold_all_places_by_expected_mean_rank_where_boards_and_teams_are_uneven(kind):
    season = Season(uneven(kind), seed=5)
    joint, _ = season.held(season.expected_places(), 300)
    assert joint >= 0.945


def test_intervals_of_leads_in_mean_ranks_hold_all_leads_at_once():
    assert Season(uneven("against near ties"), seed=10).leads_held(60) >= 0.95 - 2 * np.sqrt(0.05 * 0.95 / 60)


@pytest.mark.long
@pytest.mark.parametrize(
    "kind", [0.02, 0.25, 1, "boards disagree", "one far behind", "two heaps", "against near ties"]
)
@pytest.mark.parametrize("cases", [25, 107])
def test_intervals_of_leads_in_mean_ranks_hold_all_leads_at_once_everywhere(kind, cases):
    truth = uneven(kind) if isinstance(kind, str) else spaced(kind, 10, "seven")[0]
    assert Season(truth, seed=11, cases=cases).leads_held(300) >= 0.945
