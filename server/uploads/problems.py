"""Problems that only the tus protocol has."""

from server.errors import Problem


class VersionMismatch(Problem):
    """A tus version this server does not speak."""

    status, title = 412, "Precondition failed"


class UnsupportedMedia(Problem):
    """Bytes that are not announced as upload bytes."""

    status, title = 415, "Unsupported media type"


class Locked(Problem):
    """Somebody else is writing."""

    status, title = 423, "Locked"
