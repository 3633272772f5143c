"""A whole challenge: tracks, tasks, boards, phases and the ranking, with the rules that join them."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from evaluator.frozen import Model
from evaluator.spec._base import Bytes, EachOnce, Key
from evaluator.spec._boards import Board, Ranking
from evaluator.spec._tasks import Limits, Task
from evaluator.spec._words import SLUG

REJECTED_PER_WEEK = 10
"""Where a file says nothing: enough to find a mistake, and a bound on what failures tell of hidden cases."""


class Attempts(Model):
    """How many valid attempts there are, spent only by SCORED evaluations, and how many may fail.

    rejected_per_week: evaluations of a team on one task, whatever the track, that may be rejected in any seven days,
    or be cancelled after they began; None is without limit, which is the default where the cases are public.
    """

    per: Annotated[tuple[Literal["team", "task", "track"], ...], EachOnce] = ("team", "task", "track")
    valid: Annotated[int, Field(gt=0, le=1_000_000)] | None = None
    rejected_per_week: Annotated[int, Field(gt=0, le=1_000_000)] | None = REJECTED_PER_WEEK


MOST_GRACE_SECONDS = 7 * 86_400
"""An upload that is not complete after a week ends."""


def _absent(value: object) -> bool:
    return value is None


class Phase(Model):
    """A period with its own hidden or public cases. In time means `opens` ≤ arrival < `closes`.

    A phase without `opens` has no date yet and takes nothing; one without `closes` stays open. What was still being
    uploaded at its end may be submitted for `grace_seconds` more. From `freezes` on a public board stays for everybody
    but organizers as it was then, until it is released. Files without these two keep the digest that they always had.
    """

    title: str
    opens: AwareDatetime | None = None
    closes: AwareDatetime | None = None
    grace_seconds: Annotated[int | None, Field(gt=0, le=MOST_GRACE_SECONDS, exclude_if=_absent)] = None
    freezes: Annotated[AwareDatetime | None, Field(exclude_if=_absent)] = None
    hidden: bool = True
    attempts: Attempts = Attempts()
    board: Literal["public", "sealed", "none"] = "public"
    decimals: Annotated[int, Field(ge=0, le=12)] = 3

    @model_validator(mode="before")
    @classmethod
    def _public_cases_tell_nothing(cls, content: Any) -> Any:
        """Without a word of its own a phase of public cases bounds no failures."""
        if not isinstance(content, Mapping) or content.get("hidden") is not False:
            return content
        attempts = content.get("attempts", {})
        if not isinstance(attempts, Mapping):
            return content
        return {**content, "attempts": {"rejected_per_week": None, **attempts}}

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.opens and self.closes and self.closes <= self.opens:
            raise ValueError(
                f"closes ({self.closes.isoformat()}) has to be later than opens ({self.opens.isoformat()})"
            )
        return self

    @model_validator(mode="after")
    def _freezes_what_is_seen(self) -> Self:
        if self.freezes is None:
            return self
        if self.board != "public":
            raise ValueError(
                f"freezes is for a public board, and this one is {self.board}: leave one of them out"
            )
        if self.opens is None or self.freezes < self.opens:
            when = (
                "the phase has no opening date"
                if self.opens is None
                else f"it opens {self.opens.isoformat()}"
            )
            raise ValueError(
                f"freezes ({self.freezes.isoformat()}) has to be after the phase opens, and {when}"
            )
        return self

    def is_open(self, at: datetime) -> bool:
        """Whether a submission that arrived at `at` is in time."""
        return self.has_opened(at) and (self.closes is None or at < self.closes)

    def has_opened(self, at: datetime) -> bool:
        """Whether it is open at `at`, or has been."""
        return self.opens is not None and self.opens <= at

    def ended_in_grace(self, at: datetime) -> datetime | None:
        """When it ended, if what was being uploaded then may still be submitted at `at`."""
        if self.closes is None or self.grace_seconds is None:
            return None
        return (
            self.closes if self.closes <= at < self.closes + timedelta(seconds=self.grace_seconds) else None
        )


class Teams(Model):
    """Who may take part. registration: anybody founds a team, it waits until an organizer approves it, or none is new.

    most_members: people in a team; None: as many as the server takes.
    """

    registration: Literal["open", "approval", "closed"] = "open"
    most_members: Annotated[int, Field(gt=0, le=100)] | None = None


class Challenge(Model):
    """One challenge file. Its version is the digest of this parsed content.

    team_storage: bytes that a team may store, where that is less than the installation lets it. checkpoint: whether
    boards show that a team's tasks share one pretrained checkpoint, or submissions need one; files without a word of it
    keep the digest that they always had.
    """

    challenge: Annotated[str, Field(pattern=SLUG, max_length=40)]
    title: str
    description: str = ""
    url: str | None = None
    team_storage: Bytes | None = None
    tracks: Annotated[tuple[Key, ...], Field(min_length=1), EachOnce]
    limits: Limits
    tasks: Annotated[dict[Key, Task], Field(min_length=1)]
    boards: Annotated[dict[Key, Board], Field(min_length=1)]
    phases: Annotated[dict[Key, Phase], Field(min_length=1)]
    ranking: Ranking
    teams: Teams = Teams()
    checkpoint: Annotated[Literal["required", "shown"] | None, Field(exclude_if=_absent)] = None

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        # Late, for metrics load numpy: whoever reads no challenge file, as a list of commands, does not wait for it.
        from evaluator.spec._mistakes import wrong_names

        mistakes = list(wrong_names(self.model_dump(include={"tasks", "boards", "ranking"})))
        if mistakes:
            raise ValueError(
                "\n".join(f"{'.'.join(map(str, mistake.path))}: {mistake.message}" for mistake in mistakes)
            )
        return self

    @property
    def digest(self) -> str:
        """sha256 of the parsed content in canonical JSON: the version of this challenge.

        Sections that are newer than the first versions are no part of it where they say nothing.
        """
        content = self.model_dump(mode="json")
        if self.teams == Teams():
            del content["teams"]
        return _digest(content)

    def limits_of(self, task: str) -> Limits:
        """The limits of one task: its own, or the challenge's."""
        return self.tasks[task].limits or self.limits

    def boards_of(self, task: str) -> dict[str, Board]:
        """The boards that are made of one task's outputs."""
        return {name: board for name, board in self.boards.items() if board.task == task}


def _digest(content: Any) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()
