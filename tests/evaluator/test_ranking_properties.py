"""What holds for every ranking, and the vectorised rule against one written out team by team."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import rankdata

from evaluator.ranking import Column, Row, rank, rank_values, tied_ranks
from evaluator.spec import Board, Ranking

BOARDS = {
    "one": Board.model_validate({"title": "", "task": "t", "metrics": {"auroc": {"metric": "auroc"}}}),
    "two": Board.model_validate(
        {"title": "", "task": "t", "metrics": {"mae": {"metric": "mae"}, "r": {"metric": "pearson"}}}
    ),
}
COLUMNS = (
    Column("one", "auroc", True, False),
    Column("two", "mae", False, False),
    Column("two", "r", True, False),
)
NUMBER = st.integers(-8, 8).map(lambda one: one / 8)
VALUE = st.one_of(st.none(), NUMBER)
TABLE = st.lists(st.tuples(VALUE, VALUE, VALUE), min_size=1, max_size=8)
RULE = st.builds(
    Ranking,
    ties=st.sampled_from(["min", "average", "dense"]),
    rerank_boards=st.booleans(),
    missing_board=st.sampled_from(["worst", "excluded"]),
    round=st.sampled_from([None, 0, 2]),
    weights=st.fixed_dictionaries({"one": st.sampled_from([1, 3]), "two": st.sampled_from([1, 2.5])}),
)
brief = settings(max_examples=30, deadline=None)
METHODS = {"min": "min", "average": "average", "dense": "dense"}


def standings(rule, table):
    names = [f"team{number}" for number in range(len(table))]
    rows = [
        Row(name, "open", column.board, column.metric, value)
        for name, values in zip(names, table, strict=True)
        for column, value in zip(COLUMNS, values, strict=True)
    ]
    found = {one.team: one for one in rank(rule, BOARDS, rows).tracks["open"]}
    return [found.get(name) for name in names]


def ranks_by_hand(values, ties, higher):
    """The rank of each number by scipy; None shares the place after all numbers."""
    known = [-one if higher else one for one in values if one is not None]
    ranks = iter(rankdata(known, method=METHODS[ties]) if known else [])
    return [len(known) + 1.0 if one is None else float(next(ranks)) for one in values]


def places_by_hand(rule, table):
    """The rule as a reader of its sentences would apply it, with plain lists."""
    if rule.round is not None:
        table = [[None if one is None else round(one, rule.round) for one in row] for row in table]
    metric = [
        ranks_by_hand([row[number] for row in table], rule.ties, column.higher_is_better)
        for number, column in enumerate(COLUMNS)
    ]
    boards = []
    for members in ([0], [1, 2]):
        members = [one for one in members if any(row[one] is not None for row in table)]
        if not members:  # what nobody has counts for nobody
            boards.append([None] * len(table))
            continue
        has = [any(row[one] is not None for one in members) for row in table]
        means = [math.fsum(metric[one][team] for one in members) / len(members) for team in range(len(table))]
        if rule.rerank_boards:
            means = ranks_by_hand(
                [m if h else None for m, h in zip(means, has, strict=True)], rule.ties, False
            )
        excluded = rule.missing_board == "excluded"
        boards.append([None if excluded and not h else m for m, h in zip(means, has, strict=True)])
    overall = []
    for team in range(len(table)):
        parts = [
            (rule.weights[name], ranks[team]) for name, ranks in zip(("one", "two"), boards, strict=True)
        ]
        parts = [(weight, one) for weight, one in parts if one is not None]
        overall.append(math.fsum(w * one for w, one in parts) / math.fsum(w for w, _ in parts))
    overall = [round(one, 9) for one in overall]
    return overall, ranks_by_hand(overall, "dense" if rule.ties == "dense" else "min", False)


@brief
@given(RULE, TABLE)
def test_the_vectorised_rule_is_the_rule_written_out(rule, table):
    table = [row for row in table if any(one is not None for one in row)]
    if table:
        overall, places = places_by_hand(rule, table)
        found = standings(rule, table)
        assert [one.placement for one in found] == places
        assert [one.overall for one in found] == pytest.approx(overall, abs=1e-8)


@brief
@given(RULE, TABLE, st.randoms(use_true_random=False))
def test_the_order_of_teams_and_their_names_decide_nothing(rule, table, random):
    order = list(range(len(table)))
    random.shuffle(order)
    before = standings(rule, table)
    after = standings(rule, [table[one] for one in order])
    for place, number in enumerate(order):
        old, new = before[number], after[place]
        assert (old is None) == (new is None)
        if old is not None:
            assert (old.placement, old.task_ranks) == (new.placement, new.task_ranks)


@brief
@given(RULE.filter(lambda rule: rule.round is None), TABLE)
def test_a_monotone_transform_of_a_metric_changes_no_place(rule, table):
    bent = [tuple(None if one is None else math.exp(3 * one) for one in row) for row in table]
    assert [one and one.placement for one in standings(rule, table)] == [
        one and one.placement for one in standings(rule, bent)
    ]


@brief
@given(RULE, st.lists(st.tuples(NUMBER, NUMBER, NUMBER), min_size=1, max_size=8))
def test_a_team_worse_than_all_others_reorders_nobody(rule, table):
    """Every team has every value: a missing one would have been last and is now behind the worst."""
    before = [one.placement for one in standings(rule, table)]
    after = [one.placement for one in standings(rule, [*table, (-50.0, 50.0, -50.0)])]
    assert after[:-1] == before
    assert after[-1] == max(after)


@brief
@given(RULE, TABLE)
def test_teams_with_equal_values_have_equal_ranks(rule, table):
    first, *_, last = standings(rule, [table[0], *table, table[0]])
    if first is not None:
        assert (first.placement, first.metric_ranks) == (last.placement, last.metric_ranks)


@brief
@given(
    arrays(np.float64, (3, 7), elements=st.one_of(st.just(math.nan), st.integers(-3, 3).map(float))),
    st.sampled_from(list(METHODS)),
    st.booleans(),
)
def test_nan_is_last_and_the_rest_are_ranked_as_scipy_does(values, ties, higher):
    ranks = tied_ranks(values, ties=ties, higher_is_better=higher)
    for row, found in zip(values, ranks, strict=True):
        assert found.tolist() == ranks_by_hand([None if math.isnan(v) else v for v in row], ties, higher)


def test_a_chain_of_small_steps_is_measured_from_its_first_member():
    values = np.array([0.0, 0.8e-9, 1.6e-9, 1.0])
    assert tied_ranks(values, ties="min", higher_is_better=False).tolist() == [1, 1, 3, 4]


@brief
@given(RULE, arrays(np.float64, (4, 3, 5), elements=st.one_of(st.just(math.nan), st.floats(-1, 1, width=16))))
def test_a_stack_of_rankings_is_each_of_them(rule, values):
    stacked = rank_values(rule, COLUMNS, values)
    for number, one in enumerate(values):
        alone = rank_values(rule, COLUMNS, one)
        assert np.array_equal(stacked.places[number], alone.places)
        assert np.array_equal(stacked.overall[number], alone.overall, equal_nan=True)


@pytest.mark.long
@settings(max_examples=2000, deadline=None)
@given(RULE, TABLE)
def test_the_vectorised_rule_is_the_rule_written_out_at_length(rule, table):
    table = [row for row in table if any(one is not None for one in row)]
    if table:
        assert [one.placement for one in standings(rule, table)] == places_by_hand(rule, table)[1]
