"""The exceptions of this package: trouble that is not the container's doing, and an image that nothing can run."""

from evaluator.verdicts import PlatformFault

_MOST_SAID = 4000


def shortened(said: str) -> str:
    """What an engine says, with the middle left out where it is long: an image may have names of a million letters."""
    half = _MOST_SAID // 2
    return said if len(said) <= _MOST_SAID else f"{said[:half]} … {said[-half:]}"


class EngineFault(Exception):
    """The platform failed: the case goes back to the queue and nobody's attempt is spent.

    `fault` says which part failed; `detail` is for administrators and may hold the engine's own words.
    """

    def __init__(self, fault: PlatformFault, detail: str) -> None:
        detail = shortened(detail)
        super().__init__(f"{fault}: {detail}")
        self.fault = fault
        self.detail = detail


class ImageRefused(Exception):
    """The engine cannot make anything of a verified image: its config or its layers do not fit together."""
