"""When things happen in a challenge: its phases with today among them, and what comes next."""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from contract.texts import listed
from evaluator.charts import Picture, TimelinePhase, timeline
from evaluator.spec import Challenge as Spec
from evaluator.spec import Phase
from server.challenges.models import Challenge


class When(StrEnum):
    """Where a challenge or a phase stands in time."""

    OPEN = "open"
    COMING = "coming"
    OVER = "over"


@dataclass(frozen=True)
class Stage:
    """A phase on the time line. board: the address of its leaderboard, where everybody may see it.

    published: it shows results of elsewhere, and takes nothing.
    """

    name: str
    phase: Phase
    when: When
    board: str | None
    sealed: bool
    frozen: bool
    published: bool

    @property
    def scored_attempts(self) -> str:
        """How often a team may be scored."""
        attempts = self.phase.attempts
        if attempts.valid is None:
            return "without limit"
        return f"{attempts.valid} per {listed(attempts.per)}"


@dataclass(frozen=True)
class Next:
    """What comes next: a sentence that a time follows."""

    what: str
    at: datetime


def stages(challenge: Challenge, at: datetime, published: Set[str] = frozenset()) -> list[Stage]:
    """The phases in the order in which they open; those without a date last."""
    listed = [
        _stage(challenge, name, phase, at, published=name in published)
        for name, phase in challenge.spec.phases.items()
    ]
    return sorted(listed, key=lambda stage: (stage.phase.opens is None, stage.phase.opens or at))


def _stage(challenge: Challenge, name: str, phase: Phase, at: datetime, *, published: bool) -> Stage:
    released = name in challenge.released
    public = phase.board == "public" or (phase.board == "sealed" and released)
    return Stage(
        name=name,
        phase=phase,
        when=When.OVER if published else _when(phase, at),
        board=f"/challenges/{challenge.slug}/leaderboards/{name}" if public else None,
        sealed=phase.board == "sealed" and not released,
        frozen=phase.freezes is not None and phase.freezes <= at and not released,
        published=published,
    )


def _when(phase: Phase, at: datetime) -> When:
    if phase.is_open(at):
        return When.OPEN
    return When.OVER if phase.has_opened(at) else When.COMING


def drawn(listed: Sequence[Stage], at: datetime) -> Picture | None:
    """The phases that have dates, with today among them; None where none has."""
    dated = [one.phase for one in listed if not one.published and (one.phase.opens or one.phase.closes)]
    rows = [TimelinePhase(one.title, one.opens, one.closes, one.freezes) for one in dated]
    return timeline(rows, now=at, title="Dates of the phases") if rows else None


def when(listed: Sequence[Stage]) -> When:
    """A challenge is open while a phase is, and over once every phase is."""
    found = {stage.when for stage in listed}
    if When.OPEN in found:
        return When.OPEN
    return When.OVER if found == {When.OVER} else When.COMING


def next_of(spec: Spec, at: datetime) -> Next | None:
    """The next date of a challenge; None where its file names none that is ahead."""
    return min(_ahead(spec.phases, at), key=lambda one: one.at, default=None)


def _ahead(phases: Mapping[str, Phase], at: datetime) -> Iterator[Next]:
    for phase in phases.values():
        for what, moment in (("opens", phase.opens), ("closes", phase.closes), ("freezes", phase.freezes)):
            if moment is not None and moment > at:
                yield Next(
                    f"{phase.title} {what}" if what != "freezes" else f"Board of {phase.title} freezes",
                    moment,
                )
