"""What needs an organizer of a challenge: each look yields nothing where all is well."""

from collections.abc import Callable, Iterator
from datetime import timedelta

from sqlalchemy import select

from contract.overview import AttentionOut, Urgency
from contract.phases import CheckState
from contract.readiness import ReadinessCheck
from contract.statuses import ReevaluationState
from contract.texts import listed
from server.disk import Share
from server.overview.scene import Scene
from server.queue.slots import standstill
from server.readiness.service import at_a_glance
from server.reevaluations.models import Reevaluation
from server.teams.models import Team
from server.words import counted, moment

_SOON = timedelta(days=7)
_LATE_ANSWER = timedelta(days=2)
_NAMED = 5
"""So many teams, tasks or webhooks one sentence names."""

Looks = Iterator[AttentionOut]


def errored(scene: Scene) -> Looks:
    """Evaluations that ended by the platform's fault."""
    count, teams = scene.counts.errored, scene.counts.errored_teams
    if count:
        said = (
            f"{counted(count, 'evaluation', 'evaluations')} of {counted(teams, 'team', 'teams')} ended by a "
            "fault of the platform."
        )
        todo = "Look at what it met, and have it retried: it has spent no attempt."
        yield scene.needs("errored", Urgency.NOW, said, todo, "/submissions?status=errored")


def halted(scene: Scene) -> Looks:
    """What waits and no slot that is there can run."""
    for note, count in standstill(scene.session, scene.challenge.id):
        said = f"{counted(count, 'evaluation stands', 'evaluations stand')} still. {note}"
        todo = "Ask whoever runs this installation for a run worker that can run it."
        yield scene.needs("standstill", Urgency.NOW, said, todo, "/submissions?status=queued")


def late(scene: Scene) -> Looks:
    """Phases whose queue will not be empty when they close."""
    for found in scene.forecast.phases:
        if found.challenge != scene.challenge.slug or found.in_time is not False or found.ends is None:
            continue
        title = scene.spec.phases[found.phase].title if found.phase in scene.spec.phases else found.phase
        said = (
            f"{title}: {counted(found.cases, 'case waits', 'cases wait')} and will have run "
            f"{moment(found.ends)}, after the phase closes."
        )
        todo = "What was submitted in time is run all the same; more slots make it sooner."
        yield scene.needs("late", Urgency.SOON, said, todo, "#queue")


def disk(scene: Scene) -> Looks:
    """Whether the data disk takes what teams send and what comes of it."""
    for share, what in (
        (Share.RESULTS, "not even results any more: cases that run now are lost and run again"),
        (Share.NEW_WORK, "no new cases: what waits stays in the queue"),
        (Share.UPLOADS, "no uploads"),
    ):
        if scene.settings.room(share).left() == 0:
            todo = "Ask whoever runs this installation to make room; retention frees what nothing needs."
            said = f"The data disk is full: it takes {what}."
            yield scene.needs("disk", Urgency.NOW, said, todo, "/exports#retention")
            return


def parked(scene: Scene) -> Looks:
    """Cases that wait for the end of a pause after a fault."""
    count, evaluations = scene.counts.parked, scene.counts.parked_evaluations
    if count:
        said = (
            f"{counted(count, 'case', 'cases')} of {counted(evaluations, 'evaluation', 'evaluations')} "
            "met a fault of the platform, and wait to be tried again."
        )
        todo = "That happens by itself. If they stay, tell whoever runs this installation."
        yield scene.needs("parked", Urgency.SOON, said, todo, "/submissions?status=running")


def readiness(scene: Scene) -> Looks:
    """What the quick checks found, unless all phases are over."""
    if all(scene.is_over(phase) for phase in scene.spec.phases.values()):
        return
    checks = at_a_glance(scene.session, scene.challenge, scene.at, settings=scene.settings)
    is_open = any(phase.is_open(scene.at) for phase in scene.spec.phases.values())
    groups: dict[tuple[str, str], list[ReadinessCheck]] = {}
    for check in checks:
        if check.state is CheckState.ERROR:
            groups.setdefault((check.code, check.found), []).append(check)
    for (code, found), alike in groups.items():
        todo = alike[0].todo if len(alike) == 1 else "The readiness page says what to do for each."
        urgency = Urgency.NOW if is_open else Urgency.SOON
        said = f"{_where(alike)}{found[:1].upper()}{found[1:]}."
        yield scene.needs(f"readiness_{code}", urgency, said, todo, "/check")
    warnings = [check for check in checks if check.state is CheckState.WARNING]
    for check in warnings:
        if check.code == "backup":
            said = f"Backups: {check.found}."
            yield scene.needs("backup", Urgency.SOON, said, check.todo, "/check")
    if others := [check for check in warnings if check.code != "backup"]:
        said = f"The quick readiness checks have {counted(len(others), 'warning', 'warnings')}; all may have more."
        yield scene.needs(
            "readiness", Urgency.KNOW, said, "Read them, and mend what is not meant so.", "/check"
        )


def _where(checks: list[ReadinessCheck]) -> str:
    """Of which tasks and phases it is said."""
    parts = [
        listed(names) if len(names) <= _NAMED else f"{len(names)} {what}"
        for what, names in (
            ("phases", list(dict.fromkeys(check.phase for check in checks if check.phase))),
            ("tasks", list(dict.fromkeys(check.task for check in checks if check.task))),
        )
        if names
    ]
    return f"{', '.join(parts)}: " if parts else ""


def questions(scene: Scene) -> Looks:
    """Questions that nobody has answered."""
    counts = scene.counts
    if counts.oldest_question is None:
        return
    is_late = counts.oldest_question < scene.at - _LATE_ANSWER
    said = (
        f"{counted(counts.questions_open, 'question waits', 'questions wait')} for an answer, the oldest since "
        f"{moment(counts.oldest_question)}."
    )
    urgency = Urgency.NOW if is_late else Urgency.SOON
    yield scene.needs(
        "questions", urgency, said, "Answer to the team, or to everybody.", "/questions?show=open"
    )


def waiting_teams(scene: Scene) -> Looks:
    """Teams that an organizer has to approve."""
    count = scene.counts.teams_waiting
    if not count:
        return
    query = select(Team.id, Team.name).where(
        Team.challenge_id == scene.challenge.id, Team.waits, Team.merged_into.is_(None)
    )
    rows = scene.session.execute(query.order_by(Team.id).limit(_NAMED)).all()
    names = listed([name for _, name in rows])
    more = f" and {count - len(rows)} more" if count > len(rows) else ""
    page = f"/teams/{rows[0][0]}" if count == 1 else "/teams"
    verb = "waits" if count == 1 else "wait"
    said = f"{names}{more} {verb} for your approval: before it a team can neither upload nor submit."
    yield scene.needs("approval", Urgency.NOW, said, "Approve, or say why not.", page)


def phases(scene: Scene) -> Looks:
    """Phases that open or close soon, and boards that are to be released."""
    for name, phase in scene.spec.phases.items():
        page = f"/phases/{name}"
        if phase.opens is not None and scene.at < phase.opens <= scene.at + _SOON:
            said = f"{phase.title} opens {moment(phase.opens)}."
            yield scene.needs(
                "opens", Urgency.SOON, said, "Go through the readiness checks before.", "/check"
            )
        if phase.closes is not None and scene.at < phase.closes <= scene.at + _SOON:
            said = f"{phase.title} closes {moment(phase.closes)}."
            yield scene.needs("closes", Urgency.SOON, said, "It can be extended until then.", page)
        shut = "sealed" if phase.board == "sealed" else "frozen" if phase.freezes is not None else None
        if (
            shut
            and phase.closes is not None
            and scene.is_over(phase)
            and name not in scene.challenge.released
        ):
            said = f"{phase.title} is over since {moment(phase.closes)}, and its board is still {shut}."
            yield scene.needs("release", Urgency.SOON, said, "Go through the list, and release it.", page)


def reevaluations(scene: Scene) -> Looks:
    """Re-evaluations that have run and wait for a decision."""
    query = select(Reevaluation.id, Reevaluation.why).where(
        Reevaluation.challenge_id == scene.challenge.id, Reevaluation.state == ReevaluationState.READY
    )
    for id_, why in scene.session.execute(query.order_by(Reevaluation.id).limit(_NAMED)):
        said = f"A re-evaluation is ready: {why}"
        todo = "Look at what it would change, and apply or cancel it."
        yield scene.needs("reevaluation", Urgency.SOON, said, todo, f"/reevaluations/{id_}")


def receipts(scene: Scene) -> Looks:
    """Scores that no receipt vouches for."""
    if count := scene.counts.unsigned:
        said = f"{counted(count, 'scored evaluation has', 'scored evaluations have')} no receipt."
        todo = "A re-evaluation that scores them again signs one."
        yield scene.needs("receipts", Urgency.SOON, said, todo, "/submissions?status=scored")


def webhooks(scene: Scene) -> Looks:
    """Webhooks of the organizers to which nothing is sent any more."""
    if count := scene.counts.webhooks_off:
        said = f"{counted(count, 'webhook is', 'webhooks are')} switched off, for nothing was taken there."
        yield scene.needs("webhooks", Urgency.KNOW, said, "Mend its receiver, then enable it.", "/webhooks")


LOOKS: tuple[Callable[[Scene], Looks], ...] = (
    disk,
    halted,
    errored,
    waiting_teams,
    readiness,
    questions,
    phases,
    reevaluations,
    late,
    parked,
    receipts,
    webhooks,
)
_ORDER = (Urgency.NOW, Urgency.SOON, Urgency.KNOW)


def attention(scene: Scene) -> list[AttentionOut]:
    """What needs an organizer, the weightiest first."""
    found = [need for look in LOOKS for need in look(scene)]
    return sorted(found, key=lambda need: _ORDER.index(Urgency(need.urgency)))
