"""What a change of the challenge file amends: dates of phases, and what decides scores that people already work for."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from contract.challenges import Change
from contract.notices import NoticeKind
from evaluator.spec import Challenge as Spec
from evaluator.spec import Phase
from server.amendments import frozen
from server.amendments.service import amend
from server.challenges.models import Challenge
from server.plans.diff import DATES, span
from server.words import moment

_SCORES = ("tracks", "limits", "tasks", "boards", "ranking")
_WORDS = ("title", "decimals", *DATES)
_MOST = 6
"""Fields that a sentence names; the versions of the file have all."""


def amend_phases(
    session: Session,
    challenge: Challenge,
    old: Spec,
    *,
    changes: Sequence[Change],
    at: datetime,
    by: str,
    why: str | None,
    act_on: str | None = None,
) -> None:
    """An amendment for each phase that had opened at `at` and is another now; for `act_on` in any case.

    old: the content of the file before the change, before which `frozen.note` was called. changes: every field that
    differs. act_on: the phase whose dates somebody set by an act of their own.
    """
    plans = frozen.note(session, challenge)
    for name, before in old.phases.items():
        if name != act_on and not before.has_opened(at):
            continue
        parts = list(_parts(name, before, challenge.spec, changes))
        if name in plans and plans[name][0] is not None and before.has_opened(at):
            parts.append(_plan_changed(plans[name], changes))
        if parts:
            version = challenge.current_version_id if name == act_on else None
            what = f"{before.title}: {'; '.join(parts)}"
            after = challenge.spec.phases.get(name)
            moved = after is not None and any(getattr(before, at) != getattr(after, at) for at in DATES)
            kind = NoticeKind.PHASE_MOVED if moved else NoticeKind.CHALLENGE_AMENDED
            amend(session, challenge, what=what, why=why, by=by, phase=name, version=version, kind=kind)


def _parts(name: str, before: Phase, spec: Spec, changes: Sequence[Change]) -> Iterator[str]:
    after = spec.phases.get(name)
    if after is None:
        yield "it is taken out of the challenge"
        return
    for field in DATES:
        was, is_ = getattr(before, field), getattr(after, field)
        if was != is_:
            yield date_words(field, was, is_)
    others = [change for change in changes if _is_of_phase(change, name)]
    if others:
        yield _listed(others)


def date_words(field: str, was: datetime | None, is_: datetime | None) -> str:
    """Such as "closes 2 days later, 2026-09-05 22:00 UTC instead of 2026-09-03 22:00 UTC"."""
    if is_ is None:
        return f"{field} at no date any more" if field != "closes" else "has no end any more"
    if was is None:
        return f"{field} {moment(is_)}, which had no date"
    how = f"{span(abs(is_ - was))} {'later' if is_ > was else 'earlier'}"
    return f"{field} {how}, {moment(is_)} instead of {moment(was)}"


def _is_of_phase(change: Change, phase: str) -> bool:
    path = change.field.split(".")
    return path[:2] == ["phases", phase] and len(path) > 2 and path[2] not in _WORDS


def _plan_changed(digests: tuple[str | None, str], changes: Sequence[Change]) -> str:
    scores = [
        change
        for change in changes
        if change.field.split(".")[0] in _SCORES and not change.field.endswith(".title")
    ]
    said = f" ({_listed(scores)})" if scores else ""
    return f"{frozen.words(*digests)}{said}"


def _listed(changes: Sequence[Change]) -> str:
    told = [f"{change.field} {change.old or 'none'} → {change.new or 'none'}" for change in changes[:_MOST]]
    more = f" and {len(changes) - _MOST:,} more" if len(changes) > _MOST else ""
    return ", ".join(told) + more
