"""The one exception of this package for trouble that is not the container's doing."""

from evaluator.verdicts import PlatformFault


class EngineFault(Exception):  # noqa: N818 - a fault, as the verdicts call it
    """The platform failed: the case goes back to the queue and nobody's attempt is spent.

    `fault` says which part failed; `detail` is for administrators and may hold the engine's own words.
    """

    def __init__(self, fault: PlatformFault, detail: str) -> None:
        super().__init__(f"{fault}: {detail}")
        self.fault = fault
        self.detail = detail
