"""Serving several cases of one evaluation with one container, where the challenge and the image allow it."""

from sandbox.invoke._session import NotServed, Session

__all__ = ["NotServed", "Session"]
