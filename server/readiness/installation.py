"""What stands behind the challenge: workers, room, time, keys, clocks, backups."""

import ctypes
from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import exists, select

from contract.readiness import ReadinessCheck
from evaluator.version import evaluator_version
from server.accounts.models import Account
from server.backups import last_backup
from server.disk import Share, gib
from server.evaluations.models import Evaluation
from server.evaluations.receipt_keys import is_own_key
from server.images.models import Image
from server.queue.forecast import forecast
from server.queue.slots import Needs, fits, needs, present_slots
from server.readiness.world import World, doubtful, fine, wrong
from server.teams.models import Team

_APART = timedelta(seconds=2)
_LONG_AGO = timedelta(days=2)
_LATELY = timedelta(days=7)
_UNSYNCHRONIZED = 5  # TIME_ERROR of adjtimex(2)
_TIMEX_BYTES = 256  # struct timex has 208 on 64-bit Linux; all zero it asks and sets nothing


def workers(world: World) -> Iterator[ReadinessCheck]:
    """Whether a slot that is there now offers what each task asks for."""
    slots = present_slots(world.session)
    for task in world.spec.tasks:
        wanted = Needs.of(world.spec.limits_of(task))
        fitting = sum(fits(wanted, slot) for slot in slots)
        if fitting:
            yield fine("workers", f"{fitting} of {len(slots)} slots can run it", task=task)
        else:
            there = (
                f"none of the {len(slots)} slots that are there offers" if slots else "no slot is there for"
            )
            todo = "Start a run worker that does (proctor-admin slots shows what there is), or ask for less in limits."
            yield wrong("workers", f"{there} {needs(wanted)}", todo, task=task)


def time(world: World) -> Iterator[ReadinessCheck]:
    """Whether each phase is long enough for one submission of every team, by the limits and the slots of now."""
    slots = present_slots(world.session)
    teams = world.teams * len(world.spec.tracks)
    for name, phase in world.phases.items():
        if phase.closes is None or phase.opens is None or not slots:
            continue
        seconds = sum(_seconds(world, name, task) for task in world.spec.tasks) * teams / len(slots)
        left = (phase.closes - max(phase.opens, world.at)).total_seconds()
        found = (
            f"one submission of every team and track, {teams} now, takes at most {_hours(seconds)} "
            f"on {len(slots)} slots, and the phase has {_hours(max(left, 0))}"
        )
        if seconds > left:
            yield doubtful("time", found, "Add slots, let it close later, or ask for less.", phase=name)
        else:
            yield fine("time", found, phase=name)


def _seconds(world: World, phase: str, task: str) -> float:
    dataset = world.cases.get((phase, task))
    return len(dataset.cases) * world.spec.limits_of(task).seconds_per_case if dataset else 0.0


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:,.1f} h"


def queue(world: World) -> Iterator[ReadinessCheck]:
    """Whether what waits already will have run when its phase closes."""
    found = [
        phase
        for phase in forecast(world.session).phases
        if phase.challenge == world.challenge.slug and phase.phase in world.phases
    ]
    for phase in found:
        if phase.ends is None:
            todo = "proctor-admin forecast says what no worker offers."
            yield doubtful("queue", f"{phase.cases} cases wait, some for ever", todo, phase=phase.phase)
        elif phase.in_time is False:
            when = f"{phase.cases} cases wait until {phase.ends:%Y-%m-%d %H:%M} UTC, after the phase closes"
            yield doubtful("queue", when, "proctor-admin forecast says what would help.", phase=phase.phase)
    if not found:
        yield fine("queue", "nothing of it waits")


def disk(world: World) -> Iterator[ReadinessCheck]:
    """Whether an image of every team and task, as large as it may be, has room."""
    settings = world.settings
    each = sum(world.spec.limits_of(task).image for task in world.spec.tasks)
    most = world.teams * min(each, settings.team_storage)
    left = settings.room(Share.UPLOADS).left()
    found = (
        f"images of every team, {world.teams} now, may take {gib(most)}, and {gib(left)} are free for them"
    )
    if left == 0:
        yield wrong("disk", found, "Make room: proctor-admin storage says what takes it.")
    elif most > left:
        todo = "Most images are smaller; watch proctor-admin storage, or lower limits.image or PROCTOR_TEAM_STORAGE."
        yield doubtful("disk", found, todo)
    else:
        yield fine("disk", found)


def secrets(world: World) -> Iterator[ReadinessCheck]:
    """Whether receipts can be signed with the installation's own key, and no setup token makes anybody an admin."""
    if not is_own_key(world.session, world.settings):
        todo = "Give the secret key of this installation back; 'proctor-admin up' says how."
        yield wrong("secret_key", "it is not the one that receipts were signed with", todo)
    else:
        yield fine("secret_key", "receipts verify with it")
    admins = exists().where(Account.is_admin, Account.closed_at.is_(None))
    if world.session.scalar(select(admins)):
        yield fine("setup_token", "used up: there is an admin")
    elif _has_setup_token(world):
        todo = "Make an admin before anybody else does: proctor-admin create-admin MAIL."
        yield wrong("setup_token", "there is no admin yet, so whoever knows the token becomes one", todo)
    else:
        todo = "Make one: proctor-admin create-admin MAIL, or PROCTOR_SETUP_TOKEN and a registration with it."
        yield doubtful("setup_token", "there is no admin's account, and no token that makes one", todo)


def _has_setup_token(world: World) -> bool:
    """Whether the server has one; 'up' keeps it in a file, which a command's environment does not tell."""
    settings = world.settings
    return settings.setup_token is not None or (settings.data / "secrets" / "setup_token").is_file()


def clocks(world: World) -> Iterator[ReadinessCheck]:
    """Whether the database's clock, which decides what is in time, is this machine's, and that is kept right."""
    synchronized = _synchronized()
    if world.apart > _APART:
        found = f"the database's clock is {world.apart.total_seconds():.0f} s away from this machine's"
        yield wrong("clock", found, "Let both be set by NTP: the database's clock decides what is in time.")
    elif synchronized is False:
        todo = "Have it set by chrony or systemd-timesyncd; deadlines go by it."
        yield doubtful("clock", "the kernel says that nothing keeps this machine's clock right", todo)
    else:
        kept = "kept right by NTP" if synchronized else "whether NTP keeps it right is not known"
        yield fine("clock", f"the database's is this machine's; {kept}")


def _synchronized() -> bool | None:
    """What the kernel knows of its clock; None where it cannot be asked."""
    try:
        state: int = ctypes.CDLL(None).ntp_adjtime(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _UNSYNCHRONIZED


def backup(world: World) -> Iterator[ReadinessCheck]:
    """When the last whole backup was made."""
    data = world.settings.data
    todo = "Run 'proctor-admin backup DIR' every day, onto another disk."
    made = last_backup(data)
    if made is None:
        yield doubtful("backup", "none was made", todo)
        return
    age = world.at - made
    found = f"the last one is {age.days} days old" if age.days else "the last one is of today or yesterday"
    yield doubtful("backup", found, todo) if age > _LONG_AGO else fine("backup", found)


def scorers(world: World) -> Iterator[ReadinessCheck]:
    """Whether whatever scored lately has the evaluator of this process."""
    rows = world.session.scalars(
        select(Evaluation.evaluator_version)
        .where(Evaluation.evaluator_version.is_not(None), Evaluation.finished_at > world.at - _LATELY)
        .distinct()
    )
    found = sorted({version for version in rows if version is not None} - {evaluator_version()})
    if found:
        what = f"of the last week's scores some are of {', '.join(found)}, and this is {evaluator_version()}"
        yield doubtful("scorers", what, "Update every host, and start its score workers anew.")
    else:
        yield fine(
            "scorers", f"evaluator {evaluator_version()} wherever something was scored in the last week"
        )


def baseline(world: World) -> Iterator[ReadinessCheck]:
    """Whether somebody has tried to submit: a baseline with an image. It may well be left out."""
    has_image = exists().where(Image.team_id == Team.id, Image.removed_at.is_(None))
    query = select(Team.name).where(Team.challenge_id == world.challenge.id, Team.is_baseline, has_image)
    teams = world.session.scalars(query.order_by(Team.name)).all()
    if teams:
        yield fine("baseline", f"{', '.join(teams)} has an image")
    else:
        slug = world.challenge.slug
        todo = (
            "Submit an image of yours as a team and mark it, so that participants see what to beat: "
            f"proctor-admin decide {slug} TEAM baseline --why REASON."
        )
        yield doubtful("baseline", "no baseline has an image", todo)
