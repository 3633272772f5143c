"""What the challenge file says: dates, attempts, boards, prizes and metrics."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import combinations, pairwise

from contract.readiness import ReadinessCheck
from evaluator.ranking import direction_of
from evaluator.spec import Phase
from server.agreements.service import present
from server.challenges.service import is_sealed
from server.leaderboard.bases import stale
from server.readiness.world import World, doubtful, fine, wrong
from server.words import moment


def dates(world: World) -> Iterator[ReadinessCheck]:
    """When each phase opens and closes, in its own offset and in UTC."""
    for name, phase in world.phases.items():
        found, todo = _span(phase), _doubt(name, phase, world.at)
        yield doubtful("dates", found, todo, phase=name) if todo else fine("dates", found, phase=name)


def _span(phase: Phase) -> str:
    opens = "has no opening date" if phase.opens is None else f"opens {_moment(phase.opens)}"
    closes = "has no end" if phase.closes is None else f"closes {_moment(phase.closes)}"
    midnight = phase.closes is not None and not (phase.closes.hour or phase.closes.minute)
    return f"{opens}, {closes}{', as that day begins' if midnight else ''}"


def _moment(at: datetime) -> str:
    """A date in UTC, and as the challenge file has it where that is another clock."""
    return moment(at) + (f" ({at:%H:%M %z} in the file)" if at.utcoffset() else "")


def _doubt(name: str, phase: Phase, at: datetime) -> str:
    """What to do about a phase's own dates; nothing as a rule."""
    if phase.opens is None:
        return f"Nobody can submit before it has a date: give phases.{name}.opens."
    if phase.closes is not None and phase.closes <= at:
        return f"It is over: give phases.{name} dates that are to come."
    if phase.closes is None and phase.attempts.valid is not None:
        return f"Attempts are limited, and there is no end by which they are used: give phases.{name}.closes."
    return ""


def order(world: World) -> Iterator[ReadinessCheck]:
    """Whether phases come in the order of the file, one after the other, in one time zone."""
    phases, doubts = {name: phase for name, phase in world.spec.phases.items() if phase.opens}, []
    for (first, before), (second, after) in pairwise(phases.items()):
        if before.opens and after.opens and after.opens < before.opens:
            doubts.append(f"{second} opens before {first}, which stands before it in the file")
    ranked = [(name, phase) for name, phase in phases.items() if phase.hidden and phase.board != "none"]
    for (first, one), (second, other) in combinations(ranked, 2):
        if _overlap(one, other):
            doubts.append(f"{first} and {second} are open at the same time")
    offsets = {
        str(moment.utcoffset())
        for phase in phases.values()
        for moment in (phase.opens, phase.closes)
        if moment
    }
    if "0:00:00" in offsets and len(offsets) > 1:
        doubts.append("some dates are written in UTC and some with another offset")
    if doubts:
        yield doubtful("order", "; ".join(doubts), "Look whether phases.*.opens and closes are meant so.")
    else:
        yield fine(
            "order",
            f"{len(phases)} phases with dates, as the file lists them; none of hidden cases overlap",
        )


def _overlap(one: Phase, other: Phase) -> bool:
    ends = (phase.closes or datetime.max.replace(tzinfo=UTC) for phase in (one, other))
    starts = [phase.opens for phase in (one, other) if phase.opens is not None]
    return max(starts) < min(ends)


def attempts(world: World) -> Iterator[ReadinessCheck]:
    """Whether what scores of hidden cases tell is bounded."""
    for name, phase in world.ranked.items():
        bounds = phase.attempts
        place = f"phases.{name}.attempts"
        if bounds.valid is None:
            todo = f"Whoever may submit without limit fits the hidden cases: give {place}.valid."
            yield doubtful("attempts", "attempts have no limit", todo, phase=name)
        elif bounds.rejected_per_week is None:
            todo = f"Failures tell something of hidden cases, too: give {place}.rejected_per_week."
            yield doubtful("attempts", "rejected evaluations have no limit", todo, phase=name)
        else:
            found = f"{bounds.valid} valid per {', '.join(bounds.per)}; {bounds.rejected_per_week} rejected a week"
            yield fine("attempts", found, phase=name)


def sealed(world: World) -> Iterator[ReadinessCheck]:
    """Whether the board of the last hidden phase stays shut until it is released."""
    hidden = [
        (phase.opens, name)
        for name, phase in world.spec.phases.items()
        if phase.hidden and phase.board != "none" and phase.opens is not None
    ]
    if len(hidden) < 2:
        return
    last = max(hidden)[1]
    if last not in world.phases:
        return
    if is_sealed(world.challenge, last):
        yield fine("sealed", "the board is sealed until it is released", phase=last)
    else:
        todo = f"Its scores are seen while others may still submit: write phases.{last}.board: sealed."
        yield doubtful("sealed", "the board of the last phase is open to everybody", todo, phase=last)


def sanity(world: World) -> Iterator[ReadinessCheck]:
    """Whether participants can see a container fail on cases that are no secret."""
    public = [name for name, phase in world.spec.phases.items() if not phase.hidden]
    if public:
        yield fine("sanity", f"cases of {', '.join(public)} are public: everybody sees why a container fails")
    else:
        todo = "Add a phase with hidden: false, board: none and a few public cases of each task."
        yield doubtful("sanity", "every phase hides its cases, so nobody sees why a container fails", todo)


def prizes(world: World) -> Iterator[ReadinessCheck]:
    """Whether it is said who wins where chance decides."""
    rule = world.spec.ranking
    if not rule.prizes_of_places:
        yield fine("prizes", "none")
    elif rule.shares_within_winners:
        yield fine("prizes", f"{len(rule.prizes_of_places)} places, shared by all who may be first")
    else:
        found = f"{len(rule.prizes_of_places)} places, and no rule for teams that cannot be told apart"
        todo = "Write ranking.prizes as {places: […], share_within: winner_set}, or say elsewhere that rank decides."
        yield doubtful("prizes", found, todo)


def agreements(world: World) -> Iterator[ReadinessCheck]:
    """Whether members accept something before they take part."""
    asked = [agreement for agreement in present(world.session, world.challenge.id) if agreement.before]
    if asked:
        yield fine("agreements", f"to be accepted: {', '.join(agreement.title for agreement in asked)}")
    else:
        todo = "Publish your rules or the terms of the data: proctor-admin publish-agreement."
        yield doubtful("agreements", "members accept no document before they take part", todo)


def metrics(world: World) -> Iterator[ReadinessCheck]:
    """Whether every metric of every board can be computed here, and is the one that scored what boards hold."""
    lacking = [
        f"{metric.metric} of board {board}"
        for board, spec in world.spec.boards.items()
        for metric in spec.metrics.values()
        if direction_of(metric) is None
    ]
    if lacking:
        todo = "Install the package that has it where the server and the score workers run."
        yield wrong("metrics", f"not installed: {', '.join(lacking)}", todo)
        return
    changed = [found.metric or "how some were scored" for found in stale(world.session, only=world.challenge)]
    if changed:
        todo = (
            "What was scored before is listed as scored otherwise; score it again, or take the update back."
        )
        yield doubtful("metrics", f"other code than what boards were scored with: {', '.join(changed)}", todo)
    else:
        yield fine("metrics", "all installed")
