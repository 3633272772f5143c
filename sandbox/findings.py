"""What a look at a host's bounds finds."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class BoundFinding:
    """One bound: whether it holds, in words, and what helps where it does not."""

    name: str
    level: Level
    message: str
    remedy: str = ""
