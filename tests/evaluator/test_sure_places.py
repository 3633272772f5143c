"""Which places of a track are sure: from influence values or resamples, and as often as they say."""

import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from evaluator.comparison import Entrant, compare_track, datasets_of, rows_of
from evaluator.comparison._entrants import paired_replicates
from evaluator.comparison._errors import errors_of
from evaluator.ranking import Table
from evaluator.spec import Bootstrap, load_challenge
from tests.evaluator import reports

FOMO26 = load_challenge(Path(__file__).parents[2] / "challenges" / "fomo26" / "challenge.yaml")


@cache
def entrants(teams=4):
    return tuple(Entrant(team, found) for team, found in reports.season(teams).items())


@cache
def compared():
    return compare(entrants())


def compare(found, **changes):
    return compare_track(FOMO26.ranking.model_copy(update=changes), FOMO26.boards, found)


def without(found, *, influence=False, replicates=False, of=("dsc", "nsd", "auroc")):
    """The entrants as older reports had them."""
    lacking = {} | ({"influence": None} if influence else {}) | ({"replicates": ()} if replicates else {})
    return [
        Entrant(
            one.team,
            {
                board: report.model_copy(
                    update={
                        "metrics": {
                            key: metric.model_copy(update=lacking) if key in of else metric
                            for key, metric in report.metrics.items()
                        }
                    }
                )
                for board, report in one.reports.items()
            },
        )
        for one in found
    ]


def test_sets_come_from_resamples_where_a_metric_on_the_same_cases_has_no_influence_values():
    found = compare(without(entrants(), influence=True, of=("dsc",)))
    assert [one.place for one in found.overall] == [one.place for one in compared().overall]
    assert all(one.low <= one.place <= one.high for one in found.overall)
    (note,) = (note for note in found.notes if "from the resamples" in note)
    assert "DSC of task2, NSD of task2." in note  # of one dataset, so they keep its draws
    assert "auroc" not in note.lower()
    assert not any("from the resamples" in note for note in compared().notes)


def test_reports_of_which_nothing_says_how_far_they_move_are_ranked_and_exclude_no_place():
    found = compare(without(entrants(), influence=True, replicates=True, of=("dsc",)))
    for one in (*found.overall, *found.boards["task2"].teams):
        assert (one.low, one.high, one.alone_low, one.alone_high, one.winner, one.among_three, one.group) == (
            None,
        ) * 7
    assert all(one.range_low is not None for one in found.overall)  # the other metrics are resampled
    assert all(one.low is not None for one in found.boards["task1"].teams)
    assert any("Score again to have both kept" in note and "DSC of task2" in note for note in found.notes)
    unweighted = {"weights": FOMO26.ranking.weights | {"task2": 0}}
    found = compare(without(entrants(), influence=True, replicates=True, of=("dsc",)), **unweighted)
    assert all(one.low is not None for one in found.overall)  # where it does not count, it hides nothing


def test_influence_values_alone_give_sets_and_no_resamples():
    found = compare(without(entrants(), replicates=True))
    for old, new in zip(compared().overall, found.overall, strict=True):
        assert (new.range_low, new.range_high, new.first, new.top3) == (None,) * 4
        assert new.low <= new.place <= new.high
        assert new.team == old.team
    assert any("no ranking is repeated" in note for note in found.notes)


def test_boards_of_one_dataset_share_their_draws_and_others_do_not():
    season = reports.season(3)
    shared = {
        team: {"task2": boards["task2"], "task4": boards["task2"].model_copy(update={"board": "task4"})}
        for team, boards in season.items()
    }

    def errors(found):
        chosen = [Entrant(team, boards) for team, boards in found.items()]
        table = Table.of(FOMO26.boards, rows_of("", chosen))
        return table, errors_of(FOMO26.ranking, table, chosen, datasets_of(chosen), None).draws

    def correlation(table, draws):
        keys = [column.key for column in table.columns]
        return np.corrcoef(
            draws[:, keys.index(("task2", "dsc")), 0], draws[:, keys.index(("task4", "dsc")), 0]
        )[0, 1]

    assert correlation(*errors(shared)) == pytest.approx(1)
    other = reports.Extras(dataset="sha256:other")
    apart = {
        team: boards | {"task4": boards["task4"].model_copy(update={"extras": other})}
        for team, boards in shared.items()
    }
    assert abs(correlation(*errors(apart))) < 0.1


def test_draws_have_the_variance_of_the_influence_values_and_the_tails_of_students_t():
    table = Table.of(FOMO26.boards, rows_of("", entrants()))
    draws = errors_of(FOMO26.ranking, table, entrants(), datasets_of(entrants()), None).draws
    number = [column.key for column in table.columns].index(("task2", "dsc"))
    vectors = [np.array(one.reports["task2"].metrics["dsc"].influence) for one in entrants()]
    difference = draws[:, number, 0] - draws[:, number, 1]
    error = np.sqrt(((vectors[0] - vectors[1]) ** 2).sum())
    bound = error * math.sqrt(reports.CASES / (reports.CASES - 1)) * stats.t(reports.CASES - 1).ppf(0.975)
    assert (np.abs(difference) > bound).mean() == pytest.approx(0.05, abs=0.02)


def of_sites(found, sites, boards=("task1", "task2")):
    """The same reports as if whole sites had been drawn; as many influence values."""
    drawn = Bootstrap(resamples=reports.RESAMPLES, unit="site")

    def changed(report):
        metrics = {
            key: metric.model_copy(
                update={"influence": metric.influence and tuple(np.resize(metric.influence, sites).tolist())}
            )
            for key, metric in report.metrics.items()
        }
        extras = report.extras.model_copy(update={"bootstrap": drawn})
        return report.model_copy(update={"metrics": metrics, "extras": extras})

    return [
        Entrant(
            one.team,
            {name: changed(report) if name in boards else report for name, report in one.reports.items()},
        )
        for one in found
    ]


def test_few_sites_are_warned_of_beside_places_and_prizes():
    found = compare(of_sites(entrants(), 4))
    assert [(one.kind, one.board, one.sites) for one in found.warnings] == [
        ("few_sites", "task1", 4),
        ("few_sites", "task2", 4),
    ]
    assert found.prizes.warnings == found.warnings
    said = "only 4 whole sites were drawn. Of fewer than 15 hospitals, intervals hold the truth less often"
    assert all(said in one.sentence() for one in found.warnings)
    assert any("hospitals that gave cases to more than one" in note for note in found.notes)
    one = compare(of_sites(entrants(), 4, ("task2",)))
    assert [warning.board for warning in one.warnings] == ["task2"]
    assert not any("hospitals" in note for note in one.notes)


def test_where_reports_do_not_say_how_many_sites_were_drawn_that_is_said():
    untold = without(of_sites(entrants(), 4), influence=True)
    said = [one.sentence() for one in compare(untold).warnings]
    assert len(said) == 2
    assert all("whole sites were drawn, and how many the reports do not say" in one for one in said)


def test_fifteen_sites_are_not_warned_of():
    assert compare(of_sites(entrants(), 15)).warnings == ()


def test_resamples_of_whole_sites_are_stretched_by_how_many_sites_there_are():
    def tails(sites):
        found = without(of_sites(entrants(), sites), influence=True, of=("dsc",))
        table = Table.of(FOMO26.boards, rows_of("", found))
        number = [column.key for column in table.columns].index(("task2", "dsc"))
        replicates = paired_replicates(table, found).values
        draws = errors_of(FOMO26.ranking, table, found, datasets_of(found), replicates).draws
        return stats.kurtosis(draws[:, number, 0])

    assert tails(4) > tails(14) + 1
