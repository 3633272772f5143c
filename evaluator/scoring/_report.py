"""What scoring makes of an evaluation, as it is stored and published."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class MetricReport(_Model):
    """One metric. `value` None means not scored, and `reason` says why in a sentence for the participant.

    low and high bound the percentile interval. replicates: the value in each resample of the dataset, None
    where it is undefined; the same entry belongs to the same resample in every submission.

    fault: set where a metric that is not built in failed, which is never the participant's doing.

    influence: how much each resampling unit (subject) moves the value, units in the order in which they first
    occur among the scored cases. Σψ² estimates the value's variance, and Σ(ψ_a − ψ_b)² that of the difference
    of two submissions. None where the metric has none. It holds no label.
    """

    value: float | None
    reason: str | None = None
    low: float | None = None
    high: float | None = None
    replicates: tuple[float | None, ...] = ()
    influence: tuple[float, ...] | None = None
    fault: Literal["scorer_failed"] | None = None


class ProbeReport(_Model):
    """How the probe was trained. validation: macro AUROC per learning rate, None where it is undefined."""

    classes: tuple[str, ...]
    width: int
    train: int
    val: int
    test: int
    learning_rate: float | None
    learning_rates: tuple[float, ...]
    validation: tuple[float | None, ...]


class GroupReport(_Model):
    """One group of a fairness variable: its number of test cases and, per metric, what is compared."""

    size: int
    values: dict[str, float | None]


class Extras(_Model):
    """Facts that help to read the values.

    dataset: digest of the inputs manifest. missing: cases without a valid output. wrong_shape: outputs that
    do not fit the reference, scored like missing ones. spacing_mm: per case, as the metrics used it. groups:
    by variable and group; a case whose value is unknown is in none.
    """

    dataset: str
    missing: int = 0
    wrong_shape: int = 0
    spacing_mm: tuple[tuple[float, ...], ...] | None = None
    probe: ProbeReport | None = None
    groups: dict[str, dict[str, GroupReport]] | None = None


class Report(_Model):
    """The scores of one board. `rejected` is a sentence for the participant when the run itself is invalid.

    cases: the manifest's, in its order. per_case: for metrics of single cases, one value per case.
    """

    board: str
    cases: tuple[str, ...]
    per_case: dict[str, tuple[float | None, ...]]
    metrics: dict[str, MetricReport]
    rejected: str | None = None
    extras: Extras
