"""Why a metric has no value."""


class NotScored(Exception):  # noqa: N818 - an outcome that scoring reports, not a fault
    """The metric is undefined for this data; `reason` is one sentence for the participant."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)
