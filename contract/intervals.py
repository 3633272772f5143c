"""What is answered of intervals."""

from contract.answers import Answer
from evaluator.interval_methods import CALLED

_SOURCES = {
    "test_cases": "the test cases",
    "test_cases_and_seeds": "the test cases and the probe's seeds",
    "test_cases_seeds_and_split": "the test cases, the probe's seeds and its split",
}


class BootstrapOut(Answer):
    """How intervals were made: the share of `resamples` that each holds, and what was drawn within which strata."""

    level: float
    resamples: int
    unit: str
    strata: list[str]
    sources: str

    @property
    def sentence(self) -> str:
        """What an interval is, for people."""
        drawn = _SOURCES.get(self.sources, self.sources)
        within = f" within {' and '.join(self.strata)}" if self.strata else ""
        level = f"{self.level * 100:g} %"
        return f"the {level} interval from {self.resamples:,} resamples of {drawn}, by {self.unit}{within}."


def named(method: str) -> str:
    """What people call a way to make an interval; a newer server may have others."""
    return next((called for known, called in CALLED.items() if known == method), method)
