"""What scoring makes of an evaluation, as it is stored and published."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from evaluator.frozen import Model
from evaluator.interval_methods import Method
from evaluator.spec import Bootstrap


class MetricReport(Model):
    """One metric. `value` None means not scored, and `reason` says why in a sentence for the participant.

    low and high bound an interval that is made as the metric's row says, and interval_method names the way; an AUROC
    that is the same in every resample has the exact bounds of `evaluator.metrics.delong.unvarying_interval`, and any
    other such value none. interval_note: what the interval does not tell, or why there is none, in a sentence.
    replicates: the value in each resample of the dataset, None where it is undefined; the same entry belongs to the
    same resample in every submission.

    fault: set where a metric that is not built in failed, which is never the participant's doing.

    influence: how much each resampling unit (subject) moves the value, units in the order in which they first
    occur among the scored cases. Σψ² estimates the value's variance, and Σ(ψ_a − ψ_b)² that of the difference
    of two submissions. None where the metric has none. It holds no label.

    lacks: of a score that was stored before all of this was kept, what it lacks and how to get it, in a sentence.
    """

    value: float | None
    reason: str | None = None
    low: float | None = None
    high: float | None = None
    interval_method: Method | None = None
    interval_note: str | None = None
    replicates: tuple[float | None, ...] = ()
    influence: tuple[float, ...] | None = None
    fault: Literal["scorer_failed"] | None = None
    lacks: str | None = None

    @model_validator(mode="after")
    def _both_bounds(self) -> Self:
        if (self.low is None) != (self.high is None):
            raise ValueError("low: an interval has both bounds or none")
        return self


class SeedReport(Model):
    """One metric with every published seed: mean, standard deviation (n − 1), lowest and highest value.

    values: in the order of the seeds, None where it is undefined; the figures are over the others.
    """

    values: tuple[float | None, ...]
    mean: float | None
    sd: float | None
    low: float | None
    high: float | None


class ProbeReport(Model):
    """How the probe was trained. validation: macro AUROC per learning rate, None where it is undefined.

    learning_rate and validation are those of `seed`. score: whether values are those of `seed`, or means over
    `seeds`. by_seed: per metric, what each of `seeds` gives on the same split. reference: per metric, what a convex
    fit gives, an L2 logistic regression with `reference_penalty` that depends on no seed.
    """

    classes: tuple[str, ...]
    width: int
    train: int
    val: int
    test: int
    learning_rate: float | None
    learning_rates: tuple[float, ...]
    validation: tuple[float | None, ...]
    seed: int
    seeds: tuple[int, ...]
    score: Literal["seed", "mean"] = "seed"
    by_seed: dict[str, SeedReport]
    reference: dict[str, float | None]
    reference_penalty: float | None


class GroupReport(Model):
    """One group of a fairness variable.

    size: test cases. subjects: how many they are of. enough: whether the challenge deems so many
    subjects enough to say something. values: per metric, what is compared, a mean over seeds where the metric's
    value is one; intervals, interval_methods and interval_notes: as low, high, interval_method and interval_note
    of a metric.
    """

    size: int
    subjects: int
    enough: bool
    values: dict[str, float | None]
    intervals: dict[str, tuple[float, float] | None]
    interval_methods: dict[str, Method] = Field(default={})
    interval_notes: dict[str, str] = Field(default={})


class VariableReport(Model):
    """One variable of a fairness metric.

    disparity: largest minus smallest value over groups, None where no group has one. expected and
    expected_high: mean and 95th percentile of the disparity when group membership is shuffled among subjects
    of one class, that is under equal performance; a disparity below expected_high is what chance gives.
    p_value: share of shuffles with at least this disparity. worst and worst_value: the group with the worst
    value. enough: whether every group with a value has enough subjects.
    """

    disparity: float | None = None
    expected: float | None = None
    expected_high: float | None = None
    p_value: float | None = None
    worst: str | None = None
    worst_value: float | None = None
    enough: bool


class FairnessReport(Model):
    """What stands behind a fairness value, as means over seeds where that is one.

    of: the compared metric; value, low, high: that metric over all test cases. chance: its mean when the labels
    are shuffled. uninformative: its interval does not beat chance, so groups may be equal because nothing was
    learnt about anybody.
    """

    of: str
    value: float | None
    low: float | None
    high: float | None
    chance: float | None
    uninformative: bool
    variables: dict[str, VariableReport]


class Extras(Model):
    """Facts that help to read the values.

    dataset: digest of the inputs manifest, on which alone every draw depends. bootstrap: how the cases were drawn,
    and the level of every interval; None in reports from before it was kept. missing: cases without a valid output.
    wrong_shape: outputs that do not fit the reference, scored like missing ones. other_affine: cases whose
    output has another affine than the reference; voxels are compared in the order in which they are stored all the
    same. spacing_mm: per case, as the metrics used it. groups: by variable and group; a case whose value is unknown
    is in none. fairness: per fairness metric. sampling: what the replicates draw. draws: the version of how cases are
    drawn; replicates of two versions are not paired. settings: what of the challenge file the values depend on, as
    `settings_of` tells it; None in reports from before it was kept.
    """

    dataset: str
    bootstrap: Bootstrap | None = None
    missing: int = 0
    wrong_shape: int = 0
    other_affine: tuple[str, ...] = ()
    spacing_mm: tuple[tuple[float, ...], ...] | None = None
    probe: ProbeReport | None = None
    groups: dict[str, dict[str, GroupReport]] | None = None
    fairness: dict[str, FairnessReport] | None = None
    sampling: str = "test-case sampling only"
    draws: int = 1
    settings: dict[str, Any] | None = None


class Report(Model):
    """The scores of one board. `rejected` is a sentence for the participant when the run itself is invalid.

    cases: the manifest's, in its order. per_case: for metrics of single cases, one value per case.
    """

    board: str
    cases: tuple[str, ...]
    per_case: dict[str, tuple[float | None, ...]]
    metrics: dict[str, MetricReport]
    rejected: str | None = None
    extras: Extras
