"""Evaluations that failed and single cases, as programs read them."""

from contract.evaluations import CaseAdminOut, CaseOut, FailedOut
from server.evaluations.cases import Shown
from server.evaluations.errors import Failed
from server.evaluations.models import CaseRun

_BEGINS_LATE = "Its image met faults in earlier evaluations, so its first cases begin after a pause."


def failed_out(failed: Failed) -> FailedOut:
    """An evaluation that met faults of the platform, with its names."""
    evaluation, last = failed.evaluation, failed.last
    told = last.detail if last is not None else _BEGINS_LATE if failed.parked else None
    return FailedOut.of(
        failed,
        evaluation,
        code=evaluation.reason_code or (last.code if last is not None else None),
        reason=evaluation.trouble or told,
        cases=failed.total,
        cases_done=failed.done,
        cases_parked=failed.parked,
        image=evaluation.image.digest,
        worker=last.worker if last is not None else None,
        ended_at=evaluation.finished_at,
    )


def case_out(shown: Shown, name: str) -> CaseOut:
    """A case under the name that its reader may know."""
    return CaseOut.of(shown, shown.run, case=name)


def case_for_admin_out(shown: Shown) -> CaseAdminOut:
    """The same for admins, under its pseudonym."""
    return CaseAdminOut.of(shown, shown.run, case=shown.run.pseudonym, slot=_slot_seconds(shown.run))


def _slot_seconds(run: CaseRun) -> float | None:
    """How long the case held its slot: from lease to verdict."""
    if run.started_at is None or run.finished_at is None:
        return None
    return (run.finished_at - run.started_at).total_seconds()
