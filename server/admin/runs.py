"""What one screen says of a submission, an evaluation and a case, with the names of cases, which nobody else reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from contract.admin import EvaluationShown
from contract.events import Subject
from contract.ids import CaseRunId, EvaluationId, SubmissionId
from contract.statuses import EvaluationStatus
from server.admin import participant
from server.admin.evaluations import shown
from server.admin.sheets import Sheet, size
from server.challenges.models import Challenge
from server.challenges.service import spec_of_phase
from server.evaluations.models import COUNTS, SHOWN, CaseRun, Evaluation
from server.submissions.models import Submission
from server.submissions.quota import quota_of
from server.teams.models import Team

_LATELY = timedelta(days=1)
_RETRY, _EXCUSE, _CANCELLED = EvaluationStatus.ERRORED, EvaluationStatus.REJECTED, EvaluationStatus.CANCELLED


@dataclass(frozen=True)
class RunSheet:
    """The sheet, what belongs beside it, and whose events tell its story."""

    sheet: Sheet
    participant: str | None
    events_of: Sequence[UUID]
    evaluation: EvaluationShown | None = None


def submission(session: Session, id_: SubmissionId) -> RunSheet:
    """A submission with all that was ever made of it, the re-evaluated ones too."""
    row = session.get_one(Submission, id_)
    of_it = select(Evaluation).where(Evaluation.submission_id == id_).order_by(Evaluation.task, Evaluation.id)
    evaluations = session.scalars(of_it).all()
    challenge = session.get_one(Challenge, row.challenge_id)
    sheet = Sheet(
        {
            "team": session.get_one(Team, row.team_id).name,
            "of": f"{challenge.slug} {row.phase} {row.track}",
            "submitted": row.created_at,
            "made of": _source(row),
            **{f"image of {task}": digest for task, digest in row.images.items()},
        }
    )
    sheet.relate(Subject.TEAM, [row.team_id])
    sheet.relate(Subject.USER, [row.created_by])
    sheet.relate(Subject.EVALUATION, [evaluation.id for evaluation in evaluations])
    return RunSheet(
        sheet, _told(session, row, row.evaluations), [id_, *(evaluation.id for evaluation in evaluations)]
    )


def evaluation(session: Session, id_: EvaluationId, *, reader: str) -> RunSheet:
    """An evaluation: its cases by name, what became of its attempt, and whether others met the same.

    That `reader` reads the names is recorded.
    """
    named = selectinload(Evaluation.runs).joinedload(CaseRun.case)
    row = session.get_one(Evaluation, id_, options=[named])
    challenge = session.get_one(Challenge, row.challenge_id)
    whole = shown(session, id_, names_to=reader)
    sheet = Sheet(
        {
            "team": whole.team,
            "of": f"{whole.challenge} {row.phase} {row.track} {row.task}",
            "status": f"{row.status}{f' {row.reason_code}' if row.reason_code else ''}",
            "standing": row.standing.replace("_", " "),
            "image": f"{whole.image}, {size(whole.image_bytes)}",
            "verdicts": ", ".join(f"{count} × {name}" for name, count in sorted(whole.verdicts.items())),
            "attempts": _attempts(session, challenge, row),
            "others": _others(session, row),
        },
        acts=_acts(row, whole.challenge),
    )
    sheet.relate(Subject.SUBMISSION, [row.submission_id])
    sheet.relate(Subject.IMAGE, [row.image_id])
    others = select(Evaluation.id).where(
        Evaluation.submission_id == row.submission_id, Evaluation.task == row.task, Evaluation.id != id_
    )
    sheet.relate(Subject.EVALUATION, session.scalars(others.order_by(Evaluation.id)))
    told = _told(session, session.get_one(Submission, row.submission_id), [row])
    return RunSheet(sheet, told, [row.submission_id, id_], whole)


def case(session: Session, id_: CaseRunId, *, reader: str) -> RunSheet:
    """One case: what came of it and where; that `reader` reads its name is recorded."""
    row = session.get_one(CaseRun, id_)
    of_it = evaluation(session, row.evaluation_id, reader=reader)
    sheet = Sheet(
        {
            "case": f"{row.case.name}, given as {row.pseudonym}",
            "verdict": row.verdict or row.status,
            "message": row.message,
            "on": row.worker,
            "ran": f"{row.started_at:%Y-%m-%d %H:%M:%S} UTC" if row.started_at else None,
            "took": None if row.seconds is None else f"{row.seconds:.2f} s",
            "memory": None if row.peak_memory_bytes is None else size(row.peak_memory_bytes),
            "claims": f"{row.claim_no}, {row.faults} ended by a fault of the platform",
            "output": row.output,
        },
        acts=[f"proctor-admin show {row.evaluation_id} --log {row.pseudonym}"],
    )
    sheet.relate(Subject.EVALUATION, [row.evaluation_id])
    return RunSheet(sheet, of_it.participant, [id_])


def _source(row: Submission) -> str | None:
    """What the team says that its images were made of."""
    if row.source_commit is None:
        return None
    trees = {True: ", its tree was clean", False: ", its tree was not clean", None: ""}
    return f"commit {row.source_commit}{trees[row.source_clean]}, as the team says"


def _told(session: Session, row: Submission, evaluations: Sequence[Evaluation]) -> str | None:
    """What its team may be told; of what re-evaluations made beside, nothing."""
    seen = set(session.scalars(select(Evaluation.id).where(Evaluation.submission_id == row.id, SHOWN)))
    own = [evaluation for evaluation in evaluations if evaluation.id in seen]
    return participant.text(session, row, own) if own else None


def _attempts(session: Session, challenge: Challenge, row: Evaluation) -> str:
    spec = spec_of_phase(challenge, row.phase, version=row.spec_version)
    quota = quota_of(session, spec, team_id=row.team_id, phase=row.phase, task=row.task, track=row.track)
    most = "without limit" if quota.valid is None else f"of {quota.valid}"
    return f"{quota.spent} spent {most}, {quota.reserved} held by what is under way"


def _others(session: Session, row: Evaluation) -> str | None:
    """Whether other teams' evaluations of the task ended alike within a day: the image is to blame, or the platform."""
    if row.reason_code is None or row.finished_at is None:
        return None
    near = Evaluation.finished_at.between(row.finished_at - _LATELY, row.finished_at + _LATELY)
    same = Evaluation.challenge_id == row.challenge_id, Evaluation.task == row.task, near, COUNTS
    alike = func.count(Evaluation.team_id.distinct()).filter(Evaluation.reason_code == row.reason_code)
    teams, every = session.execute(
        select(alike, func.count(Evaluation.team_id.distinct())).where(
            *same, Evaluation.team_id != row.team_id
        )
    ).one()
    if not every:
        return "no other team's evaluation of this task ended within a day"
    blame = "the image, not us" if not teams else "look at the platform first" if teams * 2 > every else ""
    return f"{teams} of {every} other teams ended with {row.reason_code} within a day" + (
        f": {blame}" if blame else ""
    )


def _acts(row: Evaluation, slug: str) -> list[str]:
    acts = [f"proctor-admin show {row.id} --log CASE", f"proctor-admin events {row.id}"]
    if row.status is _RETRY:
        acts.append(f"proctor-admin retry {row.id} --why …")
    if row.status in (_EXCUSE, _CANCELLED):
        acts.append(f"proctor-admin excuse {row.id} --why …")
    if row.status is EvaluationStatus.SCORED:
        acts.append(f"proctor-admin {'unvoid' if row.voided else 'void'} {slug} {row.id} --why …")
    acts.append(f"proctor-admin reevaluate {slug} --mode rerun --where evaluations={row.id} --why …")
    return acts
