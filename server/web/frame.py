"""What stands around pages: the parts of a challenge, of its control room, and of the administration."""

from collections.abc import Sequence
from dataclasses import dataclass

from server.challenges.models import Challenge

Link = tuple[str, str]
"""An address, or nothing for a heading, and its text."""


@dataclass(frozen=True)
class Frame:
    """A challenge as the head of its pages names it, and the pages beside this one."""

    slug: str
    title: str
    tabs: Sequence[Link] = ()
    rail: Sequence[Link] = ()


def challenge_frame(challenge: Challenge, *, takes_part: bool) -> Frame:
    """Around what anybody may see; `takes_part`: with the pages of those who are signed in."""
    here, spec = f"/challenges/{challenge.slug}", challenge.spec
    boards = [
        (f"{here}/leaderboards/{name}", f"{phase.title} board")
        for name, phase in spec.phases.items()
        if phase.board == "public" or name in challenge.released
    ]
    own = [
        (f"{here}/submit", "Submit"),
        (f"{here}/mine", "My submissions"),
        (f"{here}/team", "Team"),
    ]
    tabs = [(here, "Overview"), *boards, (f"{here}/questions", "Questions"), *(own if takes_part else ())]
    return Frame(challenge.slug, spec.title, tabs=tabs)


def organizer_frame(challenge: Challenge, *, decides: bool) -> Frame:
    """Around the control room of a challenge; `decides`: with what is for organizers alone, and not for observers."""
    here = f"/organize/{challenge.slug}"
    rail = [
        (here, "Overview"),
        (f"{here}/submissions", "Submissions"),
        (f"{here}/teams", "Teams"),
        (f"{here}/questions", "Questions"),
        ("", "Scoring"),
        (f"{here}/reevaluations", "Re-evaluation"),
        (f"{here}/datasets", "Cases"),
        (f"{here}/check", "Readiness"),
        ("", "Rules"),
        (f"{here}/phases", "Phases and release"),
        (f"{here}/documents", "Documents"),
        (f"{here}/people", "Organizers"),
        ("", "Records"),
        (f"{here}/exports", "Exports"),
        *([(f"{here}/webhooks", "Webhooks")] if decides else ()),
    ]
    return Frame(challenge.slug, challenge.spec.title, rail=rail)


ADMIN_RAIL: Sequence[Link] = (
    ("/admin", "Overview"),
    ("/admin/queue", "Queue"),
    ("/admin/workers", "Workers"),
    ("/admin/evaluations", "Evaluations"),
    ("/admin/errors", "Errors"),
    ("/admin/challenges", "Challenges"),
    ("/admin/people", "People"),
    ("/admin/storage", "Storage"),
    ("/admin/events", "Audit"),
    ("/admin/find", "Find"),
    ("/admin/webhooks", "Webhooks"),
)
