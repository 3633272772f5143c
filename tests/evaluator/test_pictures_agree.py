"""Every picture agrees with its numbers: they are worked out anew from what reports export, with scipy."""

import csv
import io
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from evaluator.charts import GroupValue, groups
from evaluator.comparison import Entrant, compare_track, rows_of
from evaluator.metrics import influence
from evaluator.ranking import rank
from evaluator.report._pairs import significance_of
from evaluator.report._places import places_of
from evaluator.scoring import Extras, MetricReport, Report
from tests.evaluator.datasets import fomo26
from tests.evaluator.drawings import axis, classes, parsed, rows, starts, whisker

CASES, PATTERNS = 60, 49_999
# Two pairs that nothing tells apart, clear orders, and one that would be sure for two teams alone but is not for all.
QUALITY = {
    "ada": 0.80,
    "bell": 0.797,
    "curie": 0.763,
    "dirac": 0.70,
    "euler": 0.697,
    "fermi": 0.55,
    "gauss": 0.40,
}


@pytest.fixture(scope="module")
def values():
    """The value of each team in each case; what makes a case hard is shared."""
    stream = np.random.default_rng(5)
    hard = stream.normal(0, 0.08, CASES)
    return {
        team: np.clip(mean - hard + stream.normal(0, 0.05, CASES), 0, 1) for team, mean in QUALITY.items()
    }


@pytest.fixture(scope="module")
def season(values):
    """The challenge with one board of one metric, its standings, and the comparison that the report draws."""
    spec = fomo26()
    board = spec.boards["task2"]
    board = board.model_copy(update={"metrics": {"dsc": board.metrics["dsc"]}, "primary": None})
    rule = spec.ranking.model_copy(update={"round": None})
    spec = spec.model_copy(update={"boards": {"task2": board}, "ranking": rule})
    entrants = [Entrant(team, {"task2": _report(own)}) for team, own in values.items()]
    standings = rank(rule, spec.boards, rows_of("open", entrants)).tracks["open"]
    return spec, standings, compare_track(rule, spec.boards, entrants)


def _report(own):
    drawn = np.random.default_rng(1).multinomial(CASES, [1 / CASES] * CASES, size=500)
    metric = MetricReport(
        value=float(own.mean()),
        replicates=tuple((drawn @ own / CASES).tolist()),
        influence=tuple(influence.of_mean(own).tolist()),
    )
    names = tuple(f"c{number}" for number in range(CASES))
    return Report(
        board="task2",
        cases=names,
        per_case={"dsc": tuple(own.tolist())},
        metrics={"dsc": metric},
        extras=Extras(dataset="sha256:agree"),
    )


@pytest.fixture(scope="module")
def ahead(values):
    """Who is surely ahead of whom, for all pairs at once: from scipy's paired bootstrap of the exported values."""
    cases = np.array(list(values.values()))
    drawn = stats.bootstrap(
        (np.arange(CASES),),
        lambda chosen, axis: np.stack([own[chosen].mean(axis=axis) for own in cases]),
        n_resamples=5000,
        vectorized=True,
        method="percentile",
        random_state=3,
    ).bootstrap_distribution
    means = cases.mean(axis=1)
    pairs = list(combinations(range(len(cases)), 2))
    errors = {pair: np.std(drawn[pair[0]] - drawn[pair[1]]) for pair in pairs}
    largest = np.max(
        [
            np.abs(drawn[one] - drawn[other] - means[one] + means[other]) / errors[one, other]
            for one, other in pairs
        ],
        axis=0,
    )
    critical = np.quantile(largest, 0.95)
    teams = list(values)
    found = set()
    for one, other in pairs:
        score = (means[one] - means[other]) / errors[one, other]
        assert abs(abs(score) - critical) > 0.2, "the season leaves this pair to chance"
        if abs(score) > critical:
            found.add((teams[one], teams[other]) if score > 0 else (teams[other], teams[one]))
    return found


def table(picture):
    return list(csv.DictReader(io.StringIO(picture.csv())))


def test_sets_of_places_are_those_of_a_bootstrap_of_the_exported_values(season, values, ahead):
    picture = places_of(*season).plot
    means = {team: own.mean() for team, own in values.items()}
    expected = {
        team: (
            1 + sum(means[other] > means[team] for other in values),
            1 + sum(better == team for _, better in ahead),
            len(values) - sum(worse == team for worse, _ in ahead),
        )
        for team in values
    }
    assert len({low == high for _, low, high in expected.values()}) == 2
    found = {
        row["Team"]: (int(row["Place"]), int(row["Lowest"]), int(row["Highest"])) for row in table(picture)
    }
    assert found == expected
    root = parsed(picture.svg)
    at, drawn = axis(root), {}
    for words, group in rows(root):
        if ":" in words and not words.startswith("Group"):
            dot = next(element for element in group.iter("circle"))
            ends = [round(at(x), 1) for x in whisker(group)]
            drawn[words.split(":")[0]] = (round(at(float(dot.get("cx"))), 1), *ends)
            assert ("hollow" in classes(dot)) == (ends[0] > 1)
    assert drawn == expected


def test_brackets_join_those_who_are_not_told_apart(season, values, ahead):
    picture = places_of(*season).plot
    order = sorted(values, key=lambda team: -values[team].mean())
    expected, best = [], None
    for team in order:
        if best is None or (best, team) in ahead:
            expected.append([])
            best = team
        expected[-1].append(team)
    assert 1 < len(expected) < len(values)
    grouped = {}
    for row in table(picture):
        grouped.setdefault(row["Group"], []).append(row["Team"])
    assert list(grouped.values()) == expected
    root = parsed(picture.svg)
    heights = {
        element.text: float(element.get("y")) - 4
        for element in root.iter("text")
        if "label" in classes(element)
    }
    drawn = []
    for path in root.iter("path"):
        if "bracket" in classes(path):
            top = starts(path)[0][1]
            bottom = float(path.get("d").split("V")[1].split("h")[0])
            drawn.append([team for team in order if top < heights[team] < bottom])
    assert drawn == [group for group in expected if len(group) > 1]


def _map(season):
    spec, standings, comparison = season
    tests = comparison.boards["task2"].tests["dsc"]
    teams = [standing.team for standing in standings]
    return teams, significance_of(spec.boards["task2"], "dsc", teams, tests, higher_is_better=True).picture


def _holm(raw):
    """Holm's adjustment as its paper has it, pair by pair."""
    adjusted, largest = {}, 0.0
    for place, (pair, p) in enumerate(sorted(raw.items(), key=lambda item: item[1])):
        largest = max(largest, min(1.0, (len(raw) - place) * p))
        adjusted[pair] = largest
    return adjusted


@pytest.fixture(scope="module")
def tested(values):
    """p of all pairs after Holm's correction, from scipy's permutation test of the exported values."""
    pairs = list(combinations(values, 2))
    p = stats.permutation_test(
        tuple(np.array([values[pair[side]] for pair in pairs]) for side in (0, 1)),
        lambda first, second, axis: np.mean(first - second, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=PATTERNS,
        batch=2000,
        axis=1,
        random_state=11,
    ).pvalue
    raw = dict(zip(pairs, p.tolist(), strict=True))
    return _holm(raw)


def test_the_map_is_that_of_a_permutation_test_of_the_exported_values(season, values, tested):
    teams, picture = _map(season)
    found = table(picture)
    assert len(found) == len(tested) == 21
    expected = {}
    for row in found:
        pair = (row["Team"], row["Other team"])
        p = tested.get(pair, tested.get(pair[::-1]))
        assert abs(p - 0.05) > 0.005, "the season leaves this pair to chance"
        least = 21 * 2 / PATTERNS  # of scipy's p, corrected: it counts the patterns that it drew
        assert abs(float(row["p, corrected"]) - p) < max(0.1 * p, 1.1 * least)
        lead = values[pair[0]].mean() - values[pair[1]].mean()
        order = "alike" if p > 0.05 else "ahead" if lead > 0 else "behind"
        assert row["Is"] == {"alike": "not told apart from", "ahead": "ahead of", "behind": "behind"}[order]
        expected[pair] = order
        expected[pair[::-1]] = {"alike": "alike", "ahead": "behind", "behind": "ahead"}[order]
    assert set(expected.values()) == {"alike", "ahead", "behind"}
    assert drawn_orders(picture, teams) == expected


def drawn_orders(picture, teams):
    """What the squares of a map say: by the team of the row and that of the column."""
    root = parsed(picture.svg)
    heads = {
        element.text: float(element.get("x")) for element in root.iter("text") if "tick" in classes(element)
    }
    names = {
        element.text: float(element.get("y")) - 4
        for element in root.iter("text")
        if "label" in classes(element)
    }
    found = {}
    for group in root.iter("g"):
        if group.get("data-order"):
            for x, y in starts(group.find("path")):
                row = next(n for n, team in enumerate(teams, 1) if abs(names[f"{n} {team}"] - y) < 1)
                column = next(n for n in range(1, len(teams) + 1) if abs(heads[str(n)] - x) < 1)
                assert (teams[row - 1], teams[column - 1]) not in found
                found[teams[row - 1], teams[column - 1]] = group.get("data-order")
    return found


def test_marks_and_lines_of_groups_stand_where_scipy_puts_them(values):
    """Two teams in three hospitals; the interval of each is from scipy, and read back from the drawing."""
    sites = {"Bern": slice(0, 30), "Geneva": slice(30, 50), "Lund": slice(50, 60)}
    expected, given = {}, []
    for site, part in sites.items():
        for team in ("ada", "dirac"):
            own = values[team][part]
            interval = stats.ttest_1samp(own, 0).confidence_interval(0.95)
            expected[f"{site}, {team}"] = (own.mean(), interval.low, interval.high)
            given.append(
                GroupValue(site, float(own.mean()), float(interval.low), float(interval.high), len(own), team)
            )
    picture = groups(given, metric="DSC", higher_is_better=True)
    root = parsed(picture.svg)
    at, shapes = axis(root), {}
    assert len(rows(root)) == len(expected)
    for words, group in rows(root):
        who = words.split(":")[0]
        mark = next(one for one in group if one.tag in ("circle", "rect"))
        x = (
            float(mark.get("cx"))
            if mark.tag == "circle"
            else float(mark.get("x")) + float(mark.get("width")) / 2
        )
        ends = whisker(group, "line")
        assert np.allclose([at(x), *map(at, ends)], expected[who], atol=0.001)
        shapes.setdefault(who.split(", ")[1], set()).add(mark.tag)
    assert shapes == {"ada": {"circle"}, "dirac": {"rect"}}
    for row in table(picture):
        told = [float(row[name]) for name in ("DSC", "Low", "High")]
        assert np.allclose(told, expected[f"{row['Group']}, {row['Team']}"], rtol=1e-12)
        part = sites[row["Group"]]
        assert int(row["Cases"]) == part.stop - part.start
