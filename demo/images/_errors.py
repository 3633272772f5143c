"""What can go wrong when images are made."""


class BaseUnavailableError(RuntimeError):
    """No base image can be made on this machine; the message says what a person can do."""
