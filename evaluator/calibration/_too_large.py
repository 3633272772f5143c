"""Numbers that cannot be simulated."""

from evaluator.scoring import MetricReport

TOO_LARGE = "its numbers are over 1e100, and squares of such are none that a computer has"
_LARGEST = 1e100


def too_large(metric: MetricReport) -> bool:
    """Whether squares of its value, or of what it moves by, overflow."""
    numbers = (metric.value, *(metric.influence or ()), *metric.replicates)
    return any(abs(number) > _LARGEST for number in numbers if number is not None)
