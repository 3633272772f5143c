"""The ways in which intervals are made, for code and for people."""

from typing import Literal

Method = Literal["logit", "log", "fisher", "bca", "groups", "wilson", "deviations", "exact", "percentile"]
"""How the interval in a report was made; "percentile" is in reports from before it was chosen by metric."""

CALLED: dict[Method, str] = {
    "logit": "logit t",
    "log": "log t",
    "fisher": "Fisher t",
    "bca": "BCa",
    "wilson": "Wilson",
    "deviations": "deviations",
    "groups": "joined groups",
    "exact": "exact",
    "percentile": "percentile",
}
"""What people call them."""

REASONS: dict[Method, str] = {
    "logit": "Student's t on the logit scale: near 1 the spread shrinks, and its own estimate with it",
    "log": "Student's t on the log scale: a few large errors raise the mean and its spread together",
    "fisher": "Student's t on Fisher's scale, where the spread of a correlation hardly depends on the correlation",
    "bca": "bias-corrected and accelerated resamples, which follow whatever shape the values have",
    "wilson": "Wilson's intervals of shares: where all or none of a few cases count, nothing would vary in resamples",
    "deviations": "how far the bins' sums lie from their own in resamples, all of which have too large errors",
    "groups": "the groups' own intervals, joined: differences of groups are too large in resamples",
    "exact": "a bound from the number of independent pairs, for no resample differs",
    "percentile": "the central part of the resamples, as it was made before",
}
"""Why an interval is made so, in words that may follow its name."""
