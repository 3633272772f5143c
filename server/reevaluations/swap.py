"""Applying a re-evaluation, and the way back: which evaluations count is exchanged in one transaction, or not at all.

The caller's unit of work is that transaction. While it lasts no score lands in the challenge, see `scoring.settle`.
"""

from collections import Counter
from collections.abc import Sequence

from sqlalchemy import ColumnElement, insert, select, update
from sqlalchemy.orm import Session, aliased

from contract.ids import DatasetId, EvaluationId, SpecVersionId
from contract.problems import ErrorCode
from contract.statuses import EvaluationStanding, ReevaluationState
from server.accounts.principals import Organizer
from server.amendments.service import amend
from server.challenges.models import Challenge, SpecVersion
from server.datasets.current import in_force
from server.datasets.models import IN_FORCE, Dataset, DatasetState
from server.datasets.said import require_no_case
from server.errors import Conflict
from server.evaluations.models import Evaluation
from server.events import Event
from server.plans.service import Planned, apply_planned, plan
from server.reevaluations import telling
from server.reevaluations.models import Reevaluation, Swapped
from server.reevaluations.pairs import Pair, digest, pairs
from server.reevaluations.preview import file_plan
from server.reevaluations.service import locked, require_ready
from server.settings import Settings
from server.versions import service as versions

Places = set[tuple[str, str]]


def apply(
    session: Session,
    organizer: Organizer,
    reevaluation: Reevaluation,
    *,
    seen: str,
    why: str | None,
    settings: Settings,
) -> list[Pair]:
    """Brings into force what it found, with the cases and the file that come with it; the pairs that were exchanged.

    seen: the digest of the preview that was decided on. why: what everybody reads of it among the amendments.

    Raises:
        Conflict: it is not ready, was applied, or what counts is not what the preview showed; nothing is changed then.
    """
    challenge = locked(session, reevaluation)
    require_ready(session, reevaluation)
    found = pairs(session, reevaluation, hold=True)
    planned = file_plan(session, reevaluation, settings)
    before = digest(session, reevaluation, planned)
    if before != seen:
        raise Conflict(
            ErrorCode.BOARD_MOVED,
            "What counts in this challenge, or what this re-evaluation found, has changed since that preview was made. "
            "Nothing was changed: look at the preview again, and apply it with the digest that it has now.",
        )
    swapped = Swapped()
    if reevaluation.target_version is not None and planned is not None:
        swapped.version = _change_file(
            session, challenge, reevaluation.target_version, planned, organizer, why
        )
    for dataset_id in reevaluation.datasets:
        dataset = session.get_one(Dataset, dataset_id)
        old = in_force(session, challenge, dataset.phase, dataset.task)
        if old is dataset:  # somebody has brought it into force meanwhile
            continue
        versions.activate(session, dataset, settings=settings, actor=organizer.actor, why=why)
        swapped.datasets.append((None if old is None else old.id, dataset.id))
    coming = [pair for pair in found if pair.comes]
    _stand(session, [pair.old for pair in coming], EvaluationStanding.REPLACED)
    _take_places(session, [pair.new for pair in coming])
    _tell(session, reevaluation, coming, organizer, back=False)
    _amend(session, challenge, coming, organizer, "made anew count in place of those that did", why)
    require_no_case(session, challenge.id, why, reevaluation.why)
    telling.tell_teams(session, challenge, reevaluation, telling.told(reevaluation, coming, why))
    swapped.touched = _datasets_of(session, challenge, {(pair.phase, pair.task) for pair in coming})
    reevaluation.swapped, reevaluation.applied_digest = swapped, before
    reevaluation.move_to(session, ReevaluationState.APPLIED, actor=organizer.actor, why=why)
    session.flush()
    return coming


def revert(
    session: Session, organizer: Organizer, reevaluation: Reevaluation, *, why: str, settings: Settings
) -> list[Pair]:
    """Brings back into force what stood before it was applied; the pairs that were exchanged.

    Raises:
        Conflict: it is not applied, or what it brought into force was changed again since.
    """
    challenge = locked(session, reevaluation)
    if reevaluation.state is not ReevaluationState.APPLIED or reevaluation.swapped is None:
        detail = (
            f"Re-evaluation {reevaluation.id} is {reevaluation.state}; only one that is applied is reverted."
        )
        raise Conflict(ErrorCode.NOT_APPLIED, detail)
    came = [
        pair
        for pair in pairs(session, reevaluation, hold=True)
        if pair.new_standing is not EvaluationStanding.BESIDE
    ]
    _require_untouched(session, challenge, reevaluation.swapped, came)
    _stand(session, [pair.new for pair in came], EvaluationStanding.BESIDE)
    _stand(session, [pair.old for pair in came], EvaluationStanding.IN_FORCE)
    if reevaluation.swapped.version is not None:
        old_version = session.get_one(SpecVersion, reevaluation.swapped.version[0])
        planned = plan(session, old_version.spec, settings=settings, boards=False)
        _change_file(session, challenge, old_version, planned, organizer, why)
    for old, new in reevaluation.swapped.datasets:
        if old is not None:
            dataset = session.get_one(Dataset, old)
            versions.activate(session, dataset, settings=settings, actor=organizer.actor, why=why)
        else:
            session.get_one(Dataset, new).move_to(session, DatasetState.SUPERSEDED, actor=organizer.actor)
    _tell(session, reevaluation, came, organizer, back=True)
    _amend(session, challenge, came, organizer, "count again as they did before", why)
    require_no_case(session, challenge.id, why)
    telling.tell_teams(session, challenge, reevaluation, telling.taken_back(came, why))
    reevaluation.move_to(session, ReevaluationState.REVERTED, actor=organizer.actor, why=why)
    session.flush()
    return came


def _change_file(
    session: Session,
    challenge: Challenge,
    version: SpecVersion,
    planned: Planned,
    organizer: Organizer,
    why: str | None,
) -> tuple[SpecVersionId, SpecVersionId] | None:
    before = challenge.current_version_id
    apply_planned(session, version.spec, planned, actor=organizer.actor, confirmed=True, why=why)
    return None if before is None or before == version.id else (before, version.id)


def _stand(session: Session, evaluations: Sequence[EvaluationId], standing: EvaluationStanding) -> None:
    _update(session, Evaluation.id.in_(evaluations), standing=standing)


def _take_places(session: Session, evaluations: Sequence[EvaluationId]) -> None:
    """They count from now on, and their teams see the times of those whose places they take.

    When a hidden end is shown would be another moment else, and boards would be empty until then.
    """
    old = aliased(Evaluation)
    which = Evaluation.id.in_(evaluations) & (old.id == Evaluation.replaces_id)
    times = {"started_at": old.started_at, "finished_at": old.finished_at}
    _update(session, which, standing=EvaluationStanding.IN_FORCE, **times)


def _update(session: Session, which: ColumnElement[bool], **values: object) -> None:
    session.execute(
        update(Evaluation).where(which).values(values), execution_options={"synchronize_session": False}
    )


def _tell(
    session: Session,
    reevaluation: Reevaluation,
    exchanged: Sequence[Pair],
    organizer: Organizer,
    *,
    back: bool,
) -> None:
    """An event for each evaluation whose standing changed."""
    told = []
    for pair in exchanged:
        comes, goes = (pair.old, pair.new) if back else (pair.new, pair.old)
        told += [(comes, f"in force in place of {goes}"), (goes, f"{comes} is in force in its place")]
    rows = [
        {
            "subject": "evaluation",
            "subject_id": evaluation,
            "actor": organizer.actor,
            "what": what,
            "why": f"re-evaluation {reevaluation.id}",
        }
        for evaluation, what in told
    ]
    if rows:
        session.execute(insert(Event), rows)


def _amend(
    session: Session,
    challenge: Challenge,
    exchanged: Sequence[Pair],
    organizer: Organizer,
    how: str,
    why: str | None,
) -> None:
    """What everybody reads: how many evaluations of which tasks count otherwise in each phase."""
    for phase, count in sorted(Counter(pair.phase for pair in exchanged).items()):
        named = challenge.spec.tasks
        tasks = [
            named[task].title if task in named else task
            for task in sorted({pair.task for pair in exchanged if pair.phase == phase})
        ]
        found = challenge.spec.phases.get(phase)
        title = phase if found is None else found.title
        what = f"{title}, {', '.join(tasks)}: {count:,} evaluation{'s' if count > 1 else ''} {how}"
        amend(session, challenge, what=what, why=why, by=organizer.actor, phase=phase)


def _datasets_of(session: Session, challenge: Challenge, places: Places) -> list[DatasetId]:
    """The versions of the cases in force of these phases and tasks."""
    query = select(Dataset.phase, Dataset.task, Dataset.id).where(
        IN_FORCE, Dataset.challenge_id == challenge.id
    )
    return sorted(row.id for row in session.execute(query) if (row.phase, row.task) in places)


def _require_untouched(
    session: Session, challenge: Challenge, swapped: Swapped, came: Sequence[Pair]
) -> None:
    """Raises Conflict where an evaluation, the cases or the file that it brought into force is so no more."""
    places = {(pair.phase, pair.task) for pair in came}
    active = select(Dataset.id).where(IN_FORCE, Dataset.challenge_id == challenge.id)
    again = {new for _, new in swapped.datasets} - set(session.scalars(active))
    changed = []
    if any((pair.new_standing, pair.old_standing) != _EXCHANGED for pair in came):
        changed.append("evaluations of it were replaced or taken off the boards")
    if again or _datasets_of(session, challenge, places) != sorted(swapped.touched):
        changed.append("other cases came into force")
    if swapped.version is not None and challenge.current_version_id != swapped.version[1]:
        changed.append("another challenge file was applied")
    if changed:
        detail = f"It cannot be reverted, for since it was applied {', and '.join(changed)}. Undo that first."
        raise Conflict(ErrorCode.APPLIED_SINCE, detail)


_EXCHANGED = (EvaluationStanding.IN_FORCE, EvaluationStanding.REPLACED)
