"""What the tests of the queue's commands have in common."""

from collections.abc import Callable

from click.testing import Result

SECONDS = 20.0
"""How long every simulated case takes."""

Admin = Callable[..., Result]
"""Runs a command of `proctor-admin` on the queue's database, as somebody without a terminal."""
