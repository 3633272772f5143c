"""What the server would refuse, seen before gigabytes are saved and sent. The server's own word still decides."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from client.errors import ArchiveRefused, Local, Problem, WrongUsage
from client.show import status_word
from contract.agreements import AgreementOut
from contract.challenges import ChallengeOut, PhaseOut
from contract.problems import ErrorCode
from contract.statuses import ENDED, EvaluationStatus
from contract.submissions import QuotaOut, SubmissionOut
from sandbox.archive import ArchiveInvalid, glance

GIVEN_BACK = ENDED - {EvaluationStatus.SCORED}
"""Statuses in which an evaluation counts for nothing, and its attempt is the team's again."""


@dataclass(frozen=True)
class Aim:
    """Where a submission goes: the challenge's slug, the team's id, a track, a phase and the tasks."""

    slug: str
    team: str
    track: str
    phase: str
    tasks: tuple[str, ...]


def require_tasks(names: Iterable[str], spec: Mapping[str, Any]) -> None:
    """Raises WrongUsage unless all `names` are tasks of the challenge; a board's name gets told its task."""
    for name in names:
        if name in spec["tasks"]:
            continue
        if name in spec["boards"]:
            board = spec["boards"][name]
            task = board.get("task") if isinstance(board, Mapping) else None
            raise WrongUsage(f"{name} is a board of {task or 'another task'}: submit {task or 'that one'}.")
        raise WrongUsage(f"There is no task {name!r}.", f"Tasks: {', '.join(spec['tasks'])}.")


def require_phase(challenge: ChallengeOut, name: str) -> PhaseOut:
    """The phase called `name`.

    Raises:
        Problem: the challenge has none of this name.
    """
    found = next((phase for phase in challenge.phases if phase.name == name), None)
    if found is None:
        names = ", ".join(phase.name for phase in challenge.phases)
        raise Problem(404, "unknown_phase", "Not found", f"There is no phase {name!r}. Phases: {names}.")
    return found


def require_accepted(documents: Iterable[AgreementOut]) -> None:
    """Raises Problem unless the one who asks has accepted every document that is needed."""
    missing = [document for document in documents if document.before and document.accepted_at is None]
    if missing:
        named = " and ".join(f"“{document.title}” (version {document.number})" for document in missing)
        detail = f"You have not accepted {named}: proctor agree. Nothing was uploaded."
        raise Problem(403, ErrorCode.CONSENT_MISSING, "Not allowed", detail)


def require_open(phase: PhaseOut) -> None:
    """Raises Problem unless the server lists the phase as open, or may take what was uploaded when it ended."""
    if phase.open or _is_in_grace(phase):
        return
    if phase.opens is None:
        when = "has no opening date yet"
    elif phase.closes is not None and has_closed(phase):
        when = f"closed {_moment(phase.closes)}"
    else:
        when = f"opens {_moment(phase.opens)}"
    detail = f"Phase {phase.name!r} {when}; it takes no submissions now."
    raise Problem(409, "phase_closed", "Conflict", detail)


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _is_in_grace(phase: PhaseOut) -> bool:
    if phase.closes is None or phase.grace_seconds is None:
        return False
    return timedelta(0) <= datetime.now(UTC) - phase.closes < timedelta(seconds=phase.grace_seconds)


def has_closed(phase: PhaseOut) -> bool:
    """Whether its last day is over, by this machine's clock."""
    return phase.closes is not None and phase.closes <= datetime.now(UTC)


def require_cases(phase: PhaseOut, tasks: Iterable[str]) -> None:
    """Raises Problem unless all `tasks` have cases in the phase."""
    lacking = [task for task in tasks if phase.tasks is not None and task not in phase.tasks]
    if lacking:
        ready = f" Tasks with cases: {', '.join(phase.tasks)}." if phase.tasks else ""
        detail = (
            f"Phase {phase.name!r} has no cases for {', '.join(lacking)} yet; the organizers have to import "
            f"them first.{ready} Nothing was uploaded."
        )
        raise Problem(404, "no_dataset", "Not found", detail)


def require_attempts(quotas: Iterable[QuotaOut], aim: Aim, spec: Mapping[str, Any]) -> None:
    """Raises Problem unless the team has an attempt left on every task of `aim`, and may fail there."""
    rows = {(quota.task, quota.track, quota.phase): quota for quota in quotas}
    shared = _shares_attempts(spec, aim.phase)
    for number, task in enumerate(aim.tasks):
        quota = rows.get((task, aim.track, aim.phase))
        if quota is not None and quota.left is not None and quota.left <= (number if shared else 0):
            raise _spent(quota)
        if quota is not None and quota.rejected_left == 0:
            raise _too_many_rejected(quota)


def _shares_attempts(spec: Mapping[str, Any], phase: str) -> bool:
    """Whether every task takes one of the same attempts; a server that does not say it decides by itself."""
    try:
        return "task" not in spec["phases"][phase]["attempts"]["per"]
    except (KeyError, TypeError):
        return False


def _spent(quota: QuotaOut) -> Problem:
    detail = (
        f"All {quota.valid} valid attempts on {quota.task}, track {quota.track}, phase {quota.phase} are taken: "
        f"{quota.spent} scored, {quota.reserved} under way. One under way that fails is given back."
    )
    return Problem(429, ErrorCode.QUOTA_SPENT, "No attempts left", detail)


def _too_many_rejected(quota: QuotaOut) -> Problem:
    at = quota.rejected_next_at
    when = f"{at:%Y-%m-%d %H:%M} UTC" if at else "when one that is under way is scored"
    detail = (
        f"Of the evaluations on {quota.task}, phase {quota.phase}, {quota.rejected_per_week} may be rejected in seven "
        f"days: {quota.rejected} were, and the others are under way. One more can be submitted: {when}. Nothing was "
        "uploaded. 'proctor try' has no such limit."
    )
    return Problem(429, "too_many_rejected", "No attempts left", detail)


def require_image_file(path: Path) -> None:
    """Raises ArchiveRefused where the server would certainly refuse the file: no gigabyte of it has to be sent then."""
    try:
        glance(path)
    except ArchiveInvalid as error:
        raise ArchiveRefused(error.code, error.message) from None
    except OSError as error:
        raise Local(f"{path} cannot be read: {error.strerror}.") from None


def repeats(submissions: Sequence[SubmissionOut], aim: Aim, images: Mapping[str, str]) -> dict[str, str]:
    """A sentence per task whose very image is under way or scored on this track and phase already."""
    sentences: dict[str, str] = {}
    for submission in submissions:
        if (submission.track, submission.phase) != (aim.track, aim.phase):
            continue
        for evaluation in submission.evaluations:
            if images.get(evaluation.task) == evaluation.image and evaluation.status not in GIVEN_BACK:
                sentence = (
                    f"{evaluation.task} has this very image already, "
                    f"{status_word(evaluation)} in {submission.id}."
                )
                sentences.setdefault(evaluation.task, sentence)
    return sentences
