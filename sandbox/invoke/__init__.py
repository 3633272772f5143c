"""Serving several cases of one evaluation with one container, where the challenge and the image allow it."""

from sandbox.invoke._session import LABEL, NotServed, Session, offered

__all__ = ["LABEL", "NotServed", "Session", "offered"]
