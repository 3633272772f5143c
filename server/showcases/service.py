"""Importing published results: a challenge file and a file of values become a board that anybody can browse."""

from dataclasses import asdict

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from contract.problems import ErrorCode
from evaluator.spec import Challenge as Spec
from server.accounts.principals import Admin
from server.amendments.service import amend
from server.challenges.models import Challenge
from server.challenges.service import find_challenge, is_sealed
from server.clock import now
from server.datasets.models import Dataset
from server.errors import Conflict, Unprocessable
from server.evaluations.models import Evaluation
from server.plans.service import apply_planned, plan
from server.published.models import PublishedResults
from server.published.reading import WrongResults, read_results
from server.published.service import keep
from server.settings import Settings

_MOST_MISTAKES = 1000
"""As many are told of a file that is wrong throughout."""


def import_results(
    session: Session,
    admin: Admin,
    spec: Spec,
    text: str,
    *,
    phase: str | None,
    source: str | None,
    replace: bool,
    why: str | None,
    settings: Settings,
) -> tuple[PublishedResults, bool]:
    """Makes the results in `text` what a phase of `spec` shows, and the challenge where there is none yet.

    phase: None for the only one with a leaderboard. Returns the results in force, and whether they are new.

    Raises:
        Unprocessable: the file has mistakes, each named with its line and column; nothing was imported.
        Conflict: the challenge's present file is another, other results are imported, or the phase cannot show any: it
            is not over, not everybody sees its leaderboard, or it has cases or evaluations of its own.
    """
    phase = _meant(spec, phase)
    try:
        content = read_results(text, spec)
    except WrongResults as wrong:
        raise _refused(wrong) from None
    if replace and why is None:
        detail = "Results in the place of others take a reason, which everybody reads."
        raise Unprocessable(ErrorCode.INVALID_REQUEST, detail)
    challenge = _challenge(session, admin, spec, settings)
    _require_fit(session, challenge, phase)
    results, changed, replaced = keep(
        session, challenge, phase, content, source=source, replace=replace, actor=admin.actor
    )
    if replaced:
        what = "The published results of the leaderboard were replaced"
        amend(session, challenge, what=what, why=why, by=admin.actor, phase=phase)
    return results, changed


def _refused(wrong: WrongResults) -> Unprocessable:
    told, more = wrong.mistakes[:_MOST_MISTAKES], len(wrong.mistakes) - _MOST_MISTAKES
    rest = f"\nAnd {more:,} more." if more > 0 else ""
    return Unprocessable(
        ErrorCode.RESULTS_FILE,
        "\n".join(map(str, told)) + rest,
        problems=[asdict(mistake) for mistake in told],
    )


def _meant(spec: Spec, phase: str | None) -> str:
    shown = [name for name, found in spec.phases.items() if found.board != "none"]
    if phase is None and len(shown) == 1:
        return shown[0]
    if phase in shown:
        return phase
    listed = ", ".join(shown) or "none"
    detail = f"Name a phase of {spec.challenge} that has a leaderboard: {listed}."
    raise Unprocessable(ErrorCode.UNKNOWN_PHASE, detail)


def _challenge(session: Session, admin: Admin, spec: Spec, settings: Settings) -> Challenge:
    """The challenge with `spec` as its present file; made where there is none of its name."""
    challenge = find_challenge(session, spec.challenge)
    if challenge is None:
        apply_planned(
            session, spec, plan(session, spec, settings=settings), actor=admin.actor, confirmed=True
        )
        challenge = find_challenge(session, spec.challenge)
    if challenge is None or challenge.spec.digest != spec.digest:
        detail = (
            f"{spec.challenge} has another file than this one as its present version: apply this one first, or import "
            "with the present one."
        )
        raise Conflict(ErrorCode.CHALLENGE_CHANGED, detail)
    return challenge


def _require_fit(session: Session, challenge: Challenge, phase: str) -> None:
    """Refuses a phase that is not over, that not everybody sees, or that has anything of its own."""
    found, at = challenge.spec.phases[phase], now(session)
    name = f"Phase {phase!r} of {challenge.slug}"
    if found.opens is not None and (found.closes is None or found.closes > at):
        raise _unfit(f"{name} is not over: published results are of a phase that takes nothing any more.")
    if is_sealed(challenge, phase):
        raise _unfit(
            f"The leaderboard of {name[0].lower()}{name[1:]} is sealed: make it public, or release it first."
        )
    for kind, what in ((Evaluation, "evaluations"), (Dataset, "cases")):
        if session.scalar(select(exists().where(kind.challenge_id == challenge.id, kind.phase == phase))):
            raise _unfit(f"{name} has {what} of its own, and published results do not mix with these.")


def _unfit(detail: str) -> Conflict:
    return Conflict(ErrorCode.RESULTS_PHASE, detail)
