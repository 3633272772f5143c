"""What there is of a case: its images, its reference where this process may read it, and what evaluations answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from contract.events import Subject
from contract.ids import CaseId, DatasetId, EvaluationId
from contract.problems import ErrorCode
from evaluator.outputs import NotCanonical, decode
from evaluator.spec import Maps, Task
from server.accounts.principals import User
from server.audit.looks import Look, looked
from server.challenges.models import Challenge
from server.challenges.service import get_challenge
from server.datasets.difference import rows_of
from server.datasets.models import Case, Dataset, DatasetState
from server.errors import Conflict, NotFound, Unprocessable
from server.evaluations.models import COUNTS, CaseRun, Evaluation
from server.organizers.access import observer_of
from server.settings import Settings
from server.teams.models import Team
from server.versions.making import case_of, version_of
from server.viewer.volumes import CannotDraw, Memory, Volume, read_volume, volume_of

MOST = 200
"""Cases that one page of a list may have."""
ELSEWHERE = (
    "The labels of these cases lie where this server has no way to, so that whoever breaks into it finds none. The "
    "operator can give it one: mount the references read-only into the server, see docs/operations.md."
)
_MOST_TEXT = 2_000
_MEMORY = Memory()


@dataclass(frozen=True, eq=False)
class Opened:
    """A case that somebody looks at, which is recorded; `task` is None where the challenge file has it no more."""

    challenge: Challenge
    dataset: Dataset
    case: Case
    task: Task | None

    def image(self, settings: Settings, key: str) -> Volume:
        """The input `key` as it is drawn.

        Raises:
            CannotDraw, OSError: see `server.viewer.volumes.read_volume`.
        """
        path = settings.inputs / self.case.files[key]["path"]
        return _MEMORY.get(str(path), lambda: read_volume(path))


@dataclass(frozen=True, eq=False)
class Said:
    """What a reference or an output says: a label map, a text, or why there is neither."""

    labels: Volume | None = None
    text: str | None = None
    note: str | None = None


def listed(session: Session, dataset: Dataset, *, after: CaseId | None, limit: int) -> Sequence[Case]:
    """Up to `limit` cases of a version in their order, those after the case `after` where it is given."""
    query = select(Case).where(Case.dataset_id == dataset.id).order_by(Case.ordinal).limit(min(limit, MOST))
    if after is not None:
        before = select(Case.ordinal).where(Case.id == after, Case.dataset_id == dataset.id)
        query = query.where(Case.ordinal > before.scalar_subquery())
    return session.scalars(query).all()


def case_before(session: Session, dataset: Dataset, ordinal: int) -> CaseId | None:
    """The case behind which a page begins that starts at this place; None where the version is shorter."""
    at = Case.ordinal == ordinal - 1
    return session.scalar(select(Case.id).where(Case.dataset_id == dataset.id, at))


def opened(session: Session, user: User, slug: str, dataset_id: DatasetId, case_id: CaseId) -> Opened:
    """A case of a challenge that the user may see everything of; that they look at it is recorded.

    Raises:
        NotFound, Forbidden: there is none; they may not.
    """
    challenge = get_challenge(session, slug)
    observer_of(session, user, challenge)
    dataset = version_of(session, challenge, dataset_id)
    case = case_of(session, dataset, case_id)
    looked(session, Subject.CASE, case.id, Look.LABELS, actor=user.actor)
    return Opened(challenge, dataset, case, challenge.spec.tasks.get(dataset.task))


def neighbours(session: Session, case: Case) -> tuple[CaseId | None, CaseId | None]:
    """The cases before and after it in its version."""
    near = select(Case.id).where(Case.dataset_id == case.dataset_id).limit(1)
    before = near.where(Case.ordinal < case.ordinal).order_by(Case.ordinal.desc())
    after = near.where(Case.ordinal > case.ordinal).order_by(Case.ordinal)
    return session.scalar(before), session.scalar(after)


def chosen(case: Case, wanted: str | None) -> str:
    """The input that is drawn: the one that is wanted, else the first.

    Raises:
        NotFound: the case has no such input.
    """
    if wanted is None:
        return next(iter(case.files))
    if wanted not in case.files:
        detail = f"This case has no input {wanted}; it has {', '.join(case.files)}."
        raise NotFound(ErrorCode.UNKNOWN_CASE, detail)
    return wanted


def require_files(dataset: Dataset) -> None:
    """Raises Conflict where the files of a version are gone."""
    if dataset.state == DatasetState.DROPPED:
        raise Conflict(
            ErrorCode.DATASET_DROPPED,
            "The files of this version were dropped; there is nothing left to draw.",
        )


def reference(one: Opened, settings: Settings) -> Said:
    """What the reference of a case says, where this process can read it."""
    folder = settings.references / one.dataset.folder
    if one.dataset.state == DatasetState.DROPPED:
        return Said(note="The files of this version were dropped.")
    if not folder.is_dir():
        return Said(note=ELSEWHERE)
    if one.task is not None and isinstance(one.task.kind.labels, Maps):
        return _map(folder / f"{one.case.name}.nii.gz")
    label = rows_of(folder).get(one.case.name, {}).get("label")
    if label:
        return Said(text=label)
    return _file(folder, one.case.name)


def groups(one: Opened, settings: Settings) -> dict[str, str]:
    """The groups of a case, where this process can read them."""
    row = rows_of(settings.references / one.dataset.folder).get(one.case.name, {})
    return {column: value for column, value in row.items() if value and column not in ("case", "label")}


def _map(path: Path) -> Said:
    try:
        return Said(labels=_MEMORY.get(str(path), lambda: read_volume(path)))
    except CannotDraw as error:
        return Said(note=str(error))
    except OSError:
        return Said(note="The label map of this case cannot be read.")


def _file(folder: Path, name: str) -> Said:
    path = next((path for path in folder.glob(f"{name}.*")), None)
    if path is None:
        return Said(note="This case has no label: what is compared is in its groups.")
    with path.open("rb") as file:
        text = file.read(_MOST_TEXT + 1).decode("utf-8", "replace")
    return Said(text=text if len(text) <= _MOST_TEXT else f"{text[:_MOST_TEXT]} …")


@dataclass(frozen=True, eq=False)
class Answered:
    """What an evaluation came to in a case."""

    evaluation: EvaluationId
    team: str
    verdict: str | None
    said: Said


def answered(
    session: Session, user: User, one: Opened, evaluation_id: EvaluationId, settings: Settings
) -> Answered:
    """What an evaluation of the same challenge answered to the case; that somebody looks at it is recorded.

    Raises:
        NotFound: there is no such evaluation, or it did not run on this case.
    """
    row = session.execute(
        select(CaseRun.output, CaseRun.verdict, Team.name)
        .join(Evaluation, Evaluation.id == CaseRun.evaluation_id)
        .join(Team, Team.id == Evaluation.team_id)
        .where(CaseRun.evaluation_id == evaluation_id, CaseRun.case_id == one.case.id)
        .where(Evaluation.challenge_id == one.challenge.id)
    ).one_or_none()
    if row is None:
        raise NotFound(ErrorCode.UNKNOWN_CASE, "There is no such evaluation on this case.")
    looked(session, Subject.EVALUATION, evaluation_id, Look.CASES, actor=user.actor)
    return Answered(evaluation_id, row.name, row.verdict, _said(one, row.output, settings))


def evaluation_id(text: str) -> EvaluationId:
    """The id of an evaluation as an address has it.

    Raises:
        NotFound: it is none.
    """
    try:
        return EvaluationId(UUID(text))
    except ValueError:
        raise NotFound(ErrorCode.UNKNOWN_EVALUATION, "There is no such evaluation.") from None


@dataclass(frozen=True)
class Ran:
    """An evaluation that has an output of a case, its team, and when it was submitted."""

    id: EvaluationId
    team: str
    at: datetime


def ran_on(session: Session, one: Opened) -> list[Ran]:
    """The evaluations that count and have an output of this case, newest first."""
    query = (
        select(Evaluation.id, Team.name, Evaluation.created_at)
        .join(CaseRun, CaseRun.evaluation_id == Evaluation.id)
        .join(Team, Team.id == Evaluation.team_id)
        .where(COUNTS, CaseRun.case_id == one.case.id, CaseRun.output.is_not(None))
        .order_by(Evaluation.created_at.desc(), Evaluation.id)
    )
    return [Ran(id_, team, at) for id_, team, at in session.execute(query.limit(MOST))]


def midst(one: Opened, key: str, settings: Settings) -> tuple[int, int, int] | None:
    """Where the planes meet at first: each in the slice that has most of the reference's labels. None without these."""
    labels = reference(one, settings).labels
    if labels is None or not labels.same_place(drawable(one, key, settings)):
        return None
    there = labels.voxels != 0
    counts = [there.sum(axis=axes) for axes in ((1, 2), (0, 2), (0, 1))]
    if not counts[0].any():
        return None
    return int(counts[0].argmax()), int(counts[1].argmax()), int(counts[2].argmax())


def value_at(one: Opened, key: str, place: tuple[int, int, int], settings: Settings) -> float:
    """What the image says at a place that is in it."""
    return drawable(one, key, settings).value(place)


def _said(one: Opened, output: str | None, settings: Settings) -> Said:
    if output is None:
        return Said(note="There is no valid output of this case.")
    if one.task is None:
        return Said(note="The challenge file has this task no more.")
    task = one.task
    try:
        if not isinstance(task.kind.labels, Maps):
            with settings.blobs.open(output) as file:
                return Said(text=file.read(_MOST_TEXT).decode("utf-8", "replace"))
        return Said(labels=_MEMORY.get(f"{output} {task.output}", lambda: _decoded(task, output, settings)))
    except FileNotFoundError:
        return Said(note="The output of this case is not stored any more.")
    except (NotCanonical, CannotDraw) as error:
        return Said(note=f"The output cannot be drawn: {error}.")


def _decoded(task: Task, output: str, settings: Settings) -> Volume:
    with settings.blobs.open(output) as file:
        found = decode(task, file.read())
    return volume_of(found.array, found.affine)


def drawable(one: Opened, key: str, settings: Settings) -> Volume:
    """The image as it is drawn.

    Raises:
        Conflict: the files were dropped.
        Unprocessable: it is not drawn; the detail says why.
    """
    require_files(one.dataset)
    try:
        return one.image(settings, key)
    except CannotDraw as error:
        raise Unprocessable(ErrorCode.CANNOT_DRAW, str(error)) from None
    except OSError:
        raise Unprocessable(ErrorCode.CANNOT_DRAW, "The image of this case cannot be read here.") from None
