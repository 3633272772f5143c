"""Whether a fault of the platform is the doing of what met it: the same case, or image, again, where others run well.

Others run well on a host if, since the first of these faults, cases of theirs ended there, and at least ten for each
that met a fault there too and ended well later: a platform that is disturbed harms everybody. Without others there is
nothing to compare with, and nobody is to blame.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, exists, func, or_, select
from sqlalchemy.orm import Session

from contract.ids import EvaluationId, ImageId, TeamId, TokenId
from contract.statuses import CaseStatus, EvaluationStatus
from evaluator.verdicts import Fault, PlatformFault
from server.clock import now
from server.evaluations.models import CaseRun, Evaluation, Trouble
from server.evaluations.status import ACTIVE

FAULTS = 3
"""Faults on hosts that ran other images well meanwhile, that end an evaluation as ERRORED."""
FAULTS_BESIDE_ITS_OWN = 6
"""The same where only other cases of its own image ran well there."""
OF_AN_IMAGE = frozenset({PlatformFault.ENGINE_UNAVAILABLE, PlatformFault.IMAGE_MISSING})
"""Faults that an image can bring about: the engine does not load it, or makes no container of it."""
_WELL_PER_DISTURBED = 10
_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 600.0
_REMEMBERED = timedelta(days=1)
_BEFORE = timedelta(minutes=1)  # one restart of an engine is told by its cases at different times


def pause_after(faults: int) -> float:
    """Seconds for which something that met so many faults is parked: they double from 5 s, up to 10 minutes."""
    return float(min(_FIRST_PAUSE * 2 ** min(faults - 1, 20), _LONGEST_PAUSE))


@dataclass(frozen=True)
class Blame:
    """What is held against a case, for admins.

    `image`: no container of its image was ever made, on any host, while containers of others were.
    """

    said: str
    image: bool


def of_case(session: Session, evaluation: Evaluation, run: CaseRun) -> Blame | None:
    """What is held against a case that has just met a fault, or against its image; None if nothing is."""
    other_images = Evaluation.image_id != evaluation.image_id
    own = _troubles(session, Trouble.case_run_id == run.id)
    if own.count >= FAULTS and own.on(_sound_hosts(session, own, run, other_images)) >= FAULTS:
        said = f"{_case(evaluation, run)} met {own}, where cases of other images ended well meanwhile."
        return Blame(said, _is_the_images(session, evaluation, run))
    if own.count >= FAULTS_BESIDE_ITS_OWN:
        others = CaseRun.id != run.id
        if own.on(_sound_hosts(session, own, run, others)) >= FAULTS_BESIDE_ITS_OWN:
            return Blame(
                f"{_case(evaluation, run)} met {own}, where other cases ended well meanwhile.", False
            )
    if _has_run(session, evaluation.image_id, evaluation.team_id):
        return None
    image = _of_image(session, evaluation.image_id)
    if image.rounds >= FAULTS and image.rounds_on(_sound_hosts(session, image, run, other_images)) >= FAULTS:
        said = (
            f"No case of its image has ever ended; in {image.evaluations} evaluations since "
            f"{image.since:%Y-%m-%d %H:%M} UTC they met {image}, where cases of other images ended well meanwhile."
        )
        return Blame(said, _is_the_images(session, evaluation, run))
    return None


def may_be_the_images(session: Session, evaluation: Evaluation, fault: PlatformFault) -> bool:
    """Whether a fault is one that an image can bring about, of an image no case of which has ever ended."""
    return fault in OF_AN_IMAGE and not _has_run(session, evaluation.image_id, evaluation.team_id)


def _is_the_images(session: Session, evaluation: Evaluation, run: CaseRun) -> bool:
    """Whether the image itself is to blame for its faults: it met one again after others had run well at every place.

    On each host where it met a fault, a container of another image began after that, and ended well before the fault
    that the image has just met. What ran already when a disturbance began is no proof.
    """
    image = _of_image(session, evaluation.image_id)
    if (
        not image.codes
        or not image.codes <= OF_AN_IMAGE
        or _has_run(session, evaluation.image_id, evaluation.team_id)
    ):
        return False
    other_images = Evaluation.image_id != evaluation.image_id
    proved = (
        exists()
        .where(CaseRun.evaluation_id == Evaluation.id, other_images)
        .where(or_(Evaluation.status.in_(ACTIVE), Evaluation.finished_at > image.since))
        .where(CaseRun.status == CaseStatus.DONE, CaseRun.verdict != Fault.NO_START)
    )
    return image.hosts <= _sound_hosts(session, image, run, other_images) and all(
        session.scalar(select(proved.where(CaseRun.worker_id == host, CaseRun.started_at > since)))
        for host, since in image.first.items()
    )


def of_scoring(session: Session, evaluation: Evaluation) -> str | None:
    """The same of an evaluation whose scoring was disturbed once more, held against others that were scored."""
    since, count = session.execute(
        select(func.min(Trouble.created_at), func.count()).where(
            Trouble.evaluation_id == evaluation.id, Trouble.case_run_id.is_(None), Trouble.counts
        )
    ).one()
    if count < FAULTS:
        return None
    others = Evaluation.id != evaluation.id, Evaluation.status == EvaluationStatus.SCORED
    well = session.scalar(select(func.count()).where(*others, Evaluation.finished_at > since)) or 0
    disturbed = session.scalar(
        select(func.count())
        .select_from(Trouble)
        .join(Evaluation, Evaluation.id == Trouble.evaluation_id)
        .where(*others, Trouble.case_run_id.is_(None), Trouble.created_at > since - _BEFORE)
    )
    if not well or well < _WELL_PER_DISTURBED * (disturbed or 0):
        return None
    return f"Its scoring ended {count} times before it was through, while {well} others were scored."


def pause_of_image(session: Session, image_id: ImageId, team_id: TeamId) -> float:
    """Seconds for which the first cases of a new evaluation are parked; 0 as a rule.

    Above it where no case of the image ever ended and they met faults in several rounds lately, so that an image that
    is submitted again and again does not hold the slots.
    """
    image = _of_image(session, image_id)
    if image.rounds < FAULTS or _has_run(session, image_id, team_id):
        return 0.0
    passed = (now(session) - image.until).total_seconds()
    return max(0.0, pause_after(image.rounds) - passed)


class _Troubles:
    """Faults of one case, or of the cases of one image, by evaluation, case and host; `first` is each host's first."""

    def __init__(self, found: Sequence[Trouble]) -> None:
        self.count = len(found)
        self.hosts = {trouble.worker_id for trouble in found if trouble.worker_id is not None}
        self.evaluations = len({trouble.evaluation_id for trouble in found})
        if found:
            self.since, self.until = found[0].created_at, found[-1].created_at
        self.first: dict[TokenId, datetime] = {}
        for trouble in found:
            if trouble.worker_id is not None:
                self.first.setdefault(trouble.worker_id, trouble.created_at)
        self._codes = Counter(trouble.code for trouble in found)
        self._workers = sorted({trouble.worker for trouble in found if trouble.worker})
        self._found = found

    def __str__(self) -> str:
        codes = ", ".join(f"{code} ({count})" for code, count in self._codes.most_common())
        return f"{self.count} faults ({codes}) on {', '.join(self._workers) or 'no worker'}"

    @property
    def codes(self) -> set[str]:
        """The faults themselves."""
        return set(self._codes)

    def on(self, hosts: Collection[TokenId]) -> int:
        """How many of them were met on these hosts."""
        return sum(trouble.worker_id in hosts for trouble in self._found)

    @property
    def rounds(self) -> int:
        """How often the image was tried in vain: first cases that fail beside one another are one try."""
        return self.rounds_on(self.hosts)

    def rounds_on(self, hosts: Collection[TokenId]) -> int:
        """The same of tries on these hosts."""
        cases = Counter(
            (trouble.evaluation_id, trouble.case_run_id)
            for trouble in self._found
            if trouble.worker_id in hosts
        )
        most: dict[EvaluationId, int] = {}
        for (evaluation, _), count in cases.items():
            most[evaluation] = max(most.get(evaluation, 0), count)
        return sum(most.values())


def _troubles(session: Session, *which: ColumnElement[bool]) -> _Troubles:
    query = select(Trouble).where(Trouble.counts, *which).order_by(Trouble.created_at, Trouble.id)
    return _Troubles(session.scalars(query).all())


def _of_image(session: Session, image_id: ImageId) -> _Troubles:
    lately = Trouble.created_at > func.now() - _REMEMBERED
    return _troubles(session, Trouble.image_id == image_id, Trouble.case_run_id.is_not(None), lately)


def _has_run(session: Session, image_id: ImageId, team_id: TeamId) -> bool:
    """Whether any case of the image has ended, well or not: then it is not the image that hosts cannot stand."""
    ended = (
        exists()
        .where(CaseRun.evaluation_id == Evaluation.id, CaseRun.status == CaseStatus.DONE)
        .where(Evaluation.team_id == team_id, Evaluation.image_id == image_id)
    )
    return bool(session.scalar(select(ended)))


def _sound_hosts(session: Session, own: _Troubles, run: CaseRun, others: ColumnElement[bool]) -> set[TokenId]:
    """Of the hosts where these faults were met those that ran others well since the first of them."""
    # Only evaluations that can have such cases are looked into: case runs have no index by time.
    well = _by_host(
        session,
        select(CaseRun.worker_id, func.count())
        .join(Evaluation, Evaluation.id == CaseRun.evaluation_id)
        .where(or_(Evaluation.status.in_(ACTIVE), Evaluation.finished_at > own.since))
        .where(CaseRun.status == CaseStatus.DONE, CaseRun.finished_at > own.since, others)
        .where(CaseRun.copy_of.is_(None))
        .where(CaseRun.worker_id.in_(own.hosts))
        .group_by(CaseRun.worker_id),
    )
    disturbed = _by_host(
        session,
        select(Trouble.worker_id, func.count())
        .join(CaseRun, CaseRun.id == Trouble.case_run_id)
        .where(Trouble.worker_id.in_(own.hosts), Trouble.created_at > own.since - _BEFORE)
        .where(CaseRun.status == CaseStatus.DONE, CaseRun.id != run.id)
        .group_by(Trouble.worker_id),
    )
    return {host for host, count in well.items() if count >= _WELL_PER_DISTURBED * disturbed.get(host, 0)}


def _by_host(session: Session, query: Select[TokenId | None, int]) -> dict[TokenId, int]:
    return {host: count for host, count in session.execute(query) if host is not None}


def _case(evaluation: Evaluation, run: CaseRun) -> str:
    return f"{run.pseudonym} (case {run.position + 1} of {len(evaluation.runs)})"
