"""What is said of an interval."""

import numpy as np
import pytest
import scipy.special  # noqa: F401 - else its first use would be longer than an example may take
from hypothesis import given
from hypothesis import strategies as st

from evaluator.metrics.fairness import INTERVAL_NOTE
from evaluator.metrics.registry import lookup
from evaluator.scoring import score_outputs
from evaluator.scoring._intervals import OUTSIDE, interval_of, metric_report
from evaluator.scoring._values import Sample
from tests.evaluator.datasets import embeddings

COUNTS = np.array([[2.0, 0], [0, 2], [1, 1], [2, 0]])
NUMBER = st.floats(-5, 5)


def report(value, replicates, note=None, level=0.95):
    drawn, sample = np.array(replicates), Sample(COUNTS, np.array([0, 1]), level, np.array([0, 1]))
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
