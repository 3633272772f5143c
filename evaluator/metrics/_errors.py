"""Why a metric has no value."""


class NotScored(Exception):
    """The metric is undefined for this data; `reason` is one sentence for the participant."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class MetricFailed(Exception):
    """A metric that is not built in did not keep to its declaration: the organisers' fault, never a participant's.

    `why` is a sentence part such as "it raised ValueError"; it holds nothing of the data.
    """

    def __init__(self, metric: str, why: str) -> None:
        self.metric, self.why = metric, why
        super().__init__(f"The metric {metric} failed: {why}.")
