"""What can go wrong between us and a container engine, in three kinds that no client library names."""

from http import HTTPStatus

from sandbox.faults import shortened


class EngineTrouble(Exception):
    """The engine did not do what it was asked."""


class EngineRefused(EngineTrouble):
    """It answered and said no.

    `status` is that of HTTP which an engine answers with. `said` are its own words, which differ from version to
    version: they are for people to read, never to decide whose fault it is.
    """

    def __init__(self, status: int, said: str) -> None:
        self.status, self.said = status, shortened(said)
        super().__init__(f"{status}: {self.said}")

    @property
    def is_missing(self) -> bool:
        """Whether what was asked for is not there."""
        return self.status == HTTPStatus.NOT_FOUND

    @property
    def is_conflict(self) -> bool:
        """Whether something else stands in the way: a container of an image, another one of this name."""
        return self.status == HTTPStatus.CONFLICT


class EngineSilent(EngineTrouble):
    """It did not answer, or not in a way that can be understood."""


class EngineSlow(EngineSilent):
    """It took longer than its answers may take."""
