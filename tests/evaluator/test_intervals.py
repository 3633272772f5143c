"""What is said of an interval."""

import numpy as np
import pytest
import scipy.special
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from evaluator.manifest import ManifestError
from evaluator.metrics import DatasetData
from evaluator.metrics.classification import auroc
from evaluator.metrics.fairness import INTERVAL_NOTE, GroupComparison
from evaluator.metrics.influence import by_unit, of_auroc, of_mean
from evaluator.metrics.intervals import BCA, FISHER, LOG, LOGIT, NARROW, WIDE, Estimate, freedom
from evaluator.metrics.own_intervals import Share, mean_of_shares
from evaluator.metrics.registry import lookup
from evaluator.resampling import DRAWS, draw_counts
from evaluator.scoring import _probe_runs, score_board, score_outputs
from evaluator.scoring._fairness import joined_bounds
from evaluator.scoring._intervals import OUTSIDE, dataset_interval, interval_of, metric_report
from evaluator.scoring._values import BoundMetric, Sample
from evaluator.spec import Bootstrap, parse_challenge
from tests.evaluator.datasets import embeddings, numbers

COUNTS = np.array([[2.0, 0], [0, 2], [1, 1], [2, 0]])
NUMBER = st.floats(-5, 5)


def report(value, replicates, note=None, level=0.95):
    drawn, sample = (
        np.array(replicates),
        Sample(COUNTS, np.arange(2), level, np.arange(2), np.zeros(2, np.intp)),
    )
    bounds = interval_of(lookup("r2"), value, drawn, sample)
    return metric_report(value, drawn, sample, bounds, note=note)


@given(
    NUMBER,
    st.lists(st.one_of(NUMBER, st.just(np.nan)), min_size=4, max_size=4),
    st.sampled_from([None, INTERVAL_NOTE]),
)
def test_a_value_outside_its_interval_never_stands_without_a_sentence(value, replicates, note):
    found = report(value, replicates, note)
    if found.low is None or found.low <= value <= found.high:
        return
    near = found.low - 1e-9 <= value <= found.high + 1e-9
    assert near or found.interval_note is not None
    if not near:
        assert found.interval_note.endswith(note or OUTSIDE)


def test_what_else_is_to_be_said_is_kept(tmp_path):
    assert report(0.9, [0.1, 0.2, 0.3, 0.4]).interval_note == OUTSIDE
    assert report(0.25, [0.1, 0.2, 0.3, 0.4]).interval_note is None
    assert report(0.25, [0.1, 0.2, 0.3, 0.4], INTERVAL_NOTE).interval_note == INTERVAL_NOTE
    both = report(0.9, [0.1, 0.2, np.nan, 0.4], INTERVAL_NOTE).interval_note
    assert both == f"Undefined in 1 of 4 resamples, which are left out. {INTERVAL_NOTE}"
    assert report(0.5, [0.5, 0.5, 0.5, 0.5], INTERVAL_NOTE).low is None


@pytest.mark.parametrize("board", ["task6", "task7"])
@pytest.mark.parametrize("distance", [0.0, 0.5, 3.0])
def test_no_metric_and_no_group_of_a_probe_lies_outside_its_interval_in_silence(tmp_path, board, distance):
    dataset = embeddings(tmp_path, distance=distance)
    manifest = dataset.save()
    read = {case: np.load(dataset.predictions / f"{case}.npy") for case in manifest.names}
    found = score_outputs(dataset.challenge, board, manifest, dataset.references, read.get)
    for metric in found.metrics.values():
        assert metric.low is None or metric.low <= metric.value <= metric.high or metric.interval_note
    for groups in (found.extras.groups or {}).values():
        for group in groups.values():
            for key, bounds in group.intervals.items():
                inside = bounds is None or bounds[0] - 1e-9 <= group.values[key] <= bounds[1] + 1e-9
                assert inside or key in group.interval_notes


def estimate(values, replicates=None, influence=None, **fields):
    values = np.asarray(values, float)
    drawn = draw_counts(range(len(values)), [0] * len(values), resamples=4000, digest="sha256:a") @ values
    moved = of_mean(values) if influence is None else influence
    return Estimate(values.mean(), drawn / len(values), moved, len(values), **fields)


def test_degrees_of_freedom_are_those_of_students_t_for_normal_values_and_fewer_where_a_few_cases_decide():
    stream = np.random.default_rng(1)
    found = [freedom(of_mean(stream.normal(size=40))) for _ in range(200)]
    assert 35 < np.mean(found) <= 39
    rare = np.zeros(40)
    rare[:4] = [0.2, -0.2, 0.1, -0.1]
    assert freedom(rare) < 8
    assert freedom(np.array([1.0, -1.0])) == 1


def test_one_positive_in_the_wrong_place_does_not_widen_a_nearly_perfect_auroc_to_chance():
    labels = np.arange(50) < 15
    scores = np.where(labels, 100.0, np.arange(50))
    scores[0] = 23.5  # below 26 of the 35 negatives
    moved = of_auroc(labels, scores)
    value = auroc(labels, scores)
    assert freedom(moved) < 2.5
    found = LOGIT.bounds(Estimate(value, np.full(10, value), moved, 50), 0.95)
    reach = scipy.stats.t(4).ppf(0.975) * np.sqrt((moved**2).sum()) / (value * (1 - value))
    assert found.low == pytest.approx(scipy.special.expit(scipy.special.logit(value) - reach))
    sites = by_unit(moved, np.arange(50) % 8)
    wide = LOGIT.bounds(Estimate(value, np.full(10, value), sites, 8), 0.95)
    reach = scipy.stats.t(freedom(sites)).ppf(0.975) * np.sqrt((sites**2).sum()) / (value * (1 - value))
    assert wide.low == pytest.approx(scipy.special.expit(scipy.special.logit(value) - reach)), (
        "of few sites, as told"
    )


def test_a_symmetrical_mean_has_students_interval():
    values = np.random.default_rng(2).normal(10, 1, size=60)
    found = BCA.bounds(estimate(values), 0.95)
    theirs = scipy.stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=0.03)


def test_skewed_resamples_are_followed_to_their_longer_side():
    values = np.random.default_rng(3).exponential(size=30)
    one = estimate(values)
    found = BCA.bounds(one, 0.95)
    assert found.high - one.value > 1.2 * (one.value - found.low)


@pytest.mark.parametrize(("way", "value"), [(LOGIT, 0.98), (LOG, 0.02), (FISHER, -0.97)])
def test_intervals_on_a_scale_stay_within_the_range_and_hold_the_value(way, value):
    stream = np.random.default_rng(4)
    moved = of_mean(stream.normal(size=20)) / 4
    found = way.bounds(Estimate(value, value + stream.normal(0, 0.06, 500), moved, 20), 0.95)
    assert found.method == way.method
    least, most = {"logit": (0, 1), "log": (0, np.inf), "fisher": (-1, 1)}[way.method]
    assert least < found.low < value < found.high < most


@pytest.mark.parametrize("way", [LOGIT, LOG, FISHER])
def test_at_an_end_of_a_scale_and_without_influence_the_resamples_decide(way):
    edge = 0.0 if way is LOG else 1.0
    drawn = np.linspace(0.2, 0.9, 50)
    assert way.bounds(Estimate(edge, drawn, np.array([0.1, -0.1, 0.0]), 3), 0.95).method == "bca"
    assert way.bounds(Estimate(0.5, drawn, None, 3), 0.95).method == "bca"


def test_resamples_that_vary_too_little_are_widened_and_it_is_said():
    values = np.random.default_rng(5).normal(size=30)
    one = estimate(values)
    short = Estimate(one.value, one.value + 0.4 * (one.replicates - one.value), one.influence, 30)
    whole, widened = BCA.bounds(one, 0.95), BCA.bounds(short, 0.95)
    assert (whole.note, widened.note) == (None, NARROW)
    assert widened.high - widened.low == pytest.approx(whole.high - whole.low, rel=0.1)
    wide = Estimate(one.value, one.value + 1.5 * (one.replicates - one.value), one.influence, 30)
    assert BCA.bounds(wide, 0.95).note == WIDE
    assert LOG.bounds(Estimate(5.0, 5 + 1.5 * one.replicates, one.influence, 30), 0.95).note == WIDE


def test_shares_have_the_intervals_of_wilson():
    theirs = scipy.stats.binomtest(9, 12).proportion_ci(0.95, method="wilson")
    assert Share(0.75, 12).wilson(0.95) == pytest.approx((theirs.low, theirs.high))
    assert mean_of_shares([Share(0.75, 12)], 0.95).pair == pytest.approx((theirs.low, theirs.high))
    perfect = mean_of_shares([Share(1.0, 12), Share(1.0, 5)], 0.95)
    assert 0.7 < perfect.low < 0.9 < perfect.high == 1


@pytest.mark.parametrize("name", ["f1", "balanced_accuracy"])
def test_sessions_of_one_subject_are_no_witnesses_of_their_own(name):
    stream = np.random.default_rng(6)
    labels = np.repeat(np.arange(20) % 2, 4)
    scores = np.repeat(np.clip(stream.normal(0.3 + 0.4 * labels[::4], 0.3), 0, 1), 4)
    metric = lookup(name)
    widths = []
    for units in (np.arange(80), np.repeat(np.arange(20), 4)):
        counts = draw_counts(units.tolist(), labels.tolist(), resamples=200, digest="sha256:a")
        data, sample = (
            DatasetData(labels, scores),
            Sample(counts, units, 0.95, units, np.zeros(len(units), np.intp)),
        )
        parameters = metric.parse({})
        found = dataset_interval(metric, metric.score(data, parameters), data, parameters, sample)[2]
        assert found.method == "wilson"
        widths.append(found.high - found.low)
    assert widths[1] > 1.6 * widths[0]


def fair(stream, cases, apart):
    """A probe's test cases of two classes and two variables; the second sex has a lower AUROC by about `apart`."""
    labels = np.arange(cases) % 2
    sex = stream.choice(["f", "m"], cases)
    skill = np.where(sex == "m", 1.2 - 5 * apart, 1.2)
    score = stream.normal(size=cases) + skill * labels
    groups = {"sex": sex.tolist(), "age": stream.choice(["a", "b", "c"], cases).tolist()}
    rows = list(np.stack([-score, score], axis=1))
    return _probe_runs.Tested(tuple(map(str, range(cases))), labels, rows, ("0", "1"), groups, trained=True)


def test_intervals_of_fairness_hold_perfect_fairness_which_resamples_never_reach():
    stream, fairness = np.random.default_rng(7), lookup("fairness")
    metric = BoundMetric(fairness, GroupComparison(of="ovr_auroc"), "fairness")
    held = by_resamples = 0
    for run in range(40):
        tested = fair(stream, 120, 0)
        counts = draw_counts(range(120), tested.labels.tolist(), resamples=200, digest=f"sha256:{run}")
        sample = Sample(counts, np.arange(120), 0.95, np.arange(120), np.zeros(120, np.intp))
        data = tested.data(metric)
        found, value = joined_bounds(metric, [tested], sample), fairness.score(data, metric.parameters)
        assert found.low < value < found.high
        held += found.high == 1
        by_resamples += np.quantile(fairness.replicates(data, counts, metric.parameters), 0.975) == 1
    assert held >= 37
    assert by_resamples == 0


def test_intervals_of_fairness_exclude_what_the_groups_contradict():
    tested = fair(np.random.default_rng(8), 600, 0.24)
    counts = draw_counts(range(600), tested.labels.tolist(), resamples=200, digest="sha256:a")
    sample = Sample(counts, np.arange(600), 0.95, np.arange(600), np.zeros(600, np.intp))
    metric = BoundMetric(lookup("fairness"), GroupComparison(of="ovr_auroc"), "fairness")
    found = joined_bounds(metric, [tested], sample)
    assert found.high < 1
    further = joined_bounds(metric, [tested], sample, moved=0.3)
    assert further.low < found.low < found.high < further.high


def drawn_by_site(root, sites):
    labels = [0, 1] * 12
    dataset = numbers(root, "task1", labels, np.linspace(0, 0.5, 24) + np.array(labels) * 0.2, sites=sites)
    content = dataset.challenge.model_dump(mode="json")
    content["boards"]["task1"]["bootstrap"] = {"unit": "site"}
    dataset.challenge = parse_challenge(content)
    return dataset


def test_whole_sites_may_be_drawn(tmp_path):
    dataset = drawn_by_site(tmp_path, "ABCDEF")
    found = score_board(dataset.challenge, "task1", dataset.save(), dataset.references, dataset.predictions)
    auroc = found.metrics["auroc"]
    assert len(auroc.influence) == 6
    assert auroc.interval_method == "logit"
    assert (found.extras.bootstrap.unit, found.extras.bootstrap.strata, found.extras.draws) == (
        "site",
        (),
        DRAWS,
    )


@pytest.mark.parametrize(
    ("sites", "said", "bounded"),
    [
        ("A", "Whole sites are drawn and all cases are of one, so there is no interval", False),
        ("AB", "Whole sites are drawn and there are only 2, which tell little of how far sites differ", True),
        ("ABCD", "Whole sites are drawn and there are only 4,", True),
        ("ABCDE", None, True),
    ],
)
def test_few_whole_sites_are_said_to_be_few(tmp_path, sites, said, bounded):
    dataset = drawn_by_site(tmp_path, sites)
    found = score_board(dataset.challenge, "task1", dataset.save(), dataset.references, dataset.predictions)
    auroc = found.metrics["auroc"]
    assert (auroc.low is not None) is bounded
    assert said in auroc.interval_note if said else "sites are drawn" not in (auroc.interval_note or "")


def test_sites_are_not_drawn_where_a_case_has_none(tmp_path):
    dataset = drawn_by_site(tmp_path, ["A", ""])
    with pytest.raises(
        ManifestError, match=r"references.csv:\d+: the case has no site, and the board's bootstrap"
    ):
        score_board(dataset.challenge, "task1", dataset.save(), dataset.references, dataset.predictions)


def test_sites_that_are_drawn_whole_lie_in_no_strata():
    with pytest.raises(ValueError, match="strata: whole sites are drawn"):
        Bootstrap.model_validate({"unit": "site", "strata": ["class"]})
    assert Bootstrap.model_validate(Bootstrap(unit="site").model_dump(mode="json")).strata == ()
