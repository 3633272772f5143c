"""What applying a challenge file would change, and what of it somebody has to mean: asked before it is done."""

from collections.abc import Collection, Iterator
from dataclasses import asdict
from datetime import datetime
from difflib import get_close_matches

from pydantic import PrivateAttr
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from contract.challenges import Change, Plan
from contract.changes import Shifts
from contract.problems import ErrorCode
from contract.statuses import EvaluationStatus
from evaluator.spec import Challenge as Spec
from evaluator.spec import Phase, SpecError, read_challenge
from server.amendments import frozen
from server.amendments.service import last_act
from server.challenges import service as challenges
from server.challenges.acts import BoardAct, note_act
from server.challenges.models import Challenge
from server.clock import now
from server.datasets import fit, said
from server.datasets.current import lock
from server.datasets.models import Dataset
from server.datasets.overlap import newly_public
from server.errors import Conflict, Unprocessable
from server.evaluations.models import COUNTS, Evaluation
from server.leaderboard.bases import hidden_by
from server.leaderboard.supposed import Supposed
from server.leaderboard.whatif import compare
from server.plans.amending import amend_phases
from server.plans.diff import SECTIONS, differences, gone, is_earlier, span, state
from server.settings import Settings
from server.words import moment

_NAMED = 5  # changes of places that a question tells


class Planned(Plan):
    """A plan with what was looked at for it."""

    _looked_at: list[fit.Fit] = PrivateAttr(default_factory=list)


def plan(
    session: Session, spec: Spec, *, settings: Settings, boards: bool = True, act_on: str | None = None
) -> Planned:
    """What `apply` would change. References of cases are looked at where `settings` says and they can be read.

    boards: whether what becomes of places, prizes and evaluations that count is told, too. act_on: the phase whose
    dates somebody is setting by an act, and so means to.
    """
    at = now(session)
    challenge = challenges.find_challenge(session, spec.challenge)
    if challenge is None or challenge.current_version is None:
        return Planned(
            challenge=spec.challenge,
            version=spec.digest,
            present=None,
            changes=_all_of(spec, at),
            notes=_similar(session, spec),
            questions=[],
            shifts=None,
        )
    old = challenge.spec
    shifts = compare(session, challenge, Supposed(spec)) if boards and spec.digest != old.digest else None
    vanishing = list(_vanishing(session, challenge, spec))
    looked_at = list(fit.looked_at(session, challenge, spec, settings))
    planned = Planned(
        challenge=spec.challenge,
        version=spec.digest,
        present=challenge.current_version.digest,
        changes=differences(old, spec, at=at),
        notes=[text for text, asks in vanishing if not asks],
        questions=[
            *(text for text, asks in vanishing if asks),
            *_of_phases(session, challenge, spec, at, act_on),
            *newly_public(session, challenge, spec),
            *_naming(session, challenge, spec),
            *(fit.misfit for fit in looked_at if fit.misfit is not None),
            *(_hidden(session, challenge, spec) if boards else ()),
            *_of_places(shifts),
        ],
        shifts=shifts,
    )
    planned._looked_at = looked_at
    return planned


def _naming(session: Session, challenge: Challenge, spec: Spec) -> Iterator[str]:
    """A question where the file names hidden cases that it did not name before: everybody reads it."""
    before = said.named(session, challenge.id, challenge.spec.model_dump_json())
    names = [name for name in said.named(session, challenge.id, spec.model_dump_json()) if name not in before]
    if names:
        yield (
            f"Everybody reads the challenge file, and {', '.join(names[:_NAMED])} in it "
            f"{'is the name of a hidden case' if len(names) == 1 else 'are names of hidden cases'}."
        )


def read(file: str, overlay: str | None, *, settings: Settings, code: Collection[str] | None) -> Spec:
    """The challenge in the text of a file, with an overlay's merged over it.

    code: what it may name as `package.module:object`, see `server.plans.access.code_of`; None: whatever is installed.

    Raises:
        Unprocessable: with every problem, each with its file, line and field.
    """
    try:
        return read_challenge(file, overlay, longest_case=settings.longest_case_seconds, code=code)
    except SpecError as error:
        problems = [asdict(problem) for problem in error.problems]
        raise Unprocessable(ErrorCode.CHALLENGE_FILE, str(error), problems=problems) from None


def apply_planned(
    session: Session,
    spec: Spec,
    planned: Planned,
    *,
    actor: str,
    confirmed: bool,
    why: str | None = None,
    act_on: str | None = None,
) -> bool:
    """Makes `spec` the present version as `planned`; returns whether anything changed.

    What of a phase that has opened becomes another is an amendment, with `why` as its reason; of the phase `act_on`,
    whose dates somebody set by an act of their own, in any case.

    Raises:
        Conflict: there are questions and nobody said yes, or the challenge changed since the plan was made.
    """
    if planned.questions and not confirmed:
        raise Conflict(ErrorCode.NEEDS_CONFIRMATION, " ".join(planned.questions), questions=planned.questions)
    at, challenge = now(session), challenges.find_challenge(session, spec.challenge)
    before, old = None, None
    if challenge is not None and challenge.current_version is not None:
        lock(session, challenge.id)
        before, old = challenge.current_version_id, challenge.spec
        frozen.note(session, challenge)
    challenge, changed = challenges.apply(session, spec, actor=actor, instead_of=planned.present)
    fit.note(session, challenge, before, planned._looked_at)
    if old is None:
        frozen.note(session, challenge)
    elif changed:
        # Whatever of the file is no amendment, decimals or titles, may show on a board too.
        note_act(session, challenge.id, BoardAct(None, None, "the challenge file was changed"))
        amend_phases(
            session, challenge, old, changes=planned.changes, at=at, by=actor, why=why, act_on=act_on
        )
    return changed


def _all_of(spec: Spec, at: datetime) -> list[Change]:
    """What a new challenge brings."""
    found = [
        Change(field=section, old=None, new=", ".join(getattr(spec, section)), words=None)
        for section in SECTIONS[:3]
    ]
    for name, phase in spec.phases.items():
        found.append(Change(field=f"phases.{name}", old=None, new=phase.title, words=state(phase, at)))
    return found


def _similar(session: Session, spec: Spec) -> list[str]:
    """A hint where the name of a new challenge is nearly that of another: everybody sees it at once."""
    known = [challenge.slug for challenge in challenges.list_challenges(session)]
    close = get_close_matches(spec.challenge, known, n=1, cutoff=0.8)
    return [f"{spec.challenge} is a new challenge; is {close[0]} meant?"] if close else []


def _vanishing(session: Session, challenge: Challenge, spec: Spec) -> Iterator[tuple[str, bool]]:
    """A sentence for each phase, task, board and track that vanishes, and whether it has to be asked."""
    for section in SECTIONS:
        for name, meant in gone(challenge.spec, spec, section).items():
            holds = _held(session, challenge, section, name)
            text = f"{section[:-1]} {name}{f' with {holds}' if holds else ''} would disappear"
            hint = f"; did you mean {name} by {meant!r}, which is new?" if meant else "."
            yield text + hint, section != "phases" or bool(holds or meant)


def _held(session: Session, challenge: Challenge, section: str, name: str) -> str:
    """What belongs to a phase, task or track, counted in words; nothing for a board, which is made of a task's."""
    own: dict[str, tuple[ColumnElement[bool], ColumnElement[bool] | None]] = {
        "phases": (Evaluation.phase == name, Dataset.phase == name),
        "tasks": (Evaluation.task == name, Dataset.task == name),
        "tracks": (Evaluation.track == name, None),
    }
    if section not in own:
        return ""
    evaluations, datasets = own[section]
    scored = Evaluation.status == EvaluationStatus.SCORED
    of = select(func.count()).where(COUNTS, Evaluation.challenge_id == challenge.id, evaluations)
    counts = [
        (session.scalar(of.where(scored)) or 0, "scored evaluation"),
        (session.scalar(of.where(~scored)) or 0, "other evaluation"),
    ]
    if datasets is not None:
        imported = select(func.count()).where(Dataset.challenge_id == challenge.id, datasets)
        counts.append((session.scalar(imported) or 0, "dataset"))
    parts = [f"{count:,} {what}{'s' if count > 1 else ''}" for count, what in counts if count]
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _of_phases(
    session: Session, challenge: Challenge, spec: Spec, at: datetime, act_on: str | None
) -> Iterator[str]:
    for name, old in challenge.spec.phases.items():
        if name in spec.phases:
            new = spec.phases[name]
            yield from _of_dates(name, old, new, at)
            if name != act_on and (old.opens, old.closes) != (new.opens, new.closes):
                yield from _of_act(session, challenge, name, new)
            yield from _of_secrets(name, old, new, released=name in challenge.released)


def _of_act(session: Session, challenge: Challenge, name: str, new: Phase) -> Iterator[str]:
    """Dates that an act has set, which a file that was written before it does not know."""
    act = last_act(session, challenge, name)
    if act is None:
        return
    reason = f", because: {act.why}" if act.why else ""
    dates = f"opens {_date(new.opens)}, closes {_date(new.closes)}"
    yield (
        f"phase {name} has its dates by an act of {moment(act.created_at)} ({act.what}{reason}), and this file has "
        f"others: {dates}. Is the file older than that?"
    )


def _of_dates(name: str, old: Phase, new: Phase, at: datetime) -> Iterator[str]:
    """What opens or closes at once, and dates that move back: an older overlay looks just like that."""
    if old.is_open(at) != new.is_open(at):
        what = "open" if new.is_open(at) else "be closed"
        yield f"phase {name} {state(old, at)}. It would {what} at once: then it {state(new, at)}."
        return
    for field in ("opens", "closes"):
        before, after = getattr(old, field), getattr(new, field)
        if is_earlier(old, new, field):
            how = f"to {moment(after)}, {span(before - after)} earlier" if after else "to no date at all"
            yield f"phase {name}: {field} would move from {moment(before)} {how}."
        elif field == "closes" and before is None and after is not None and new.is_open(at):
            yield f"phase {name} is open without an end; it would close {moment(after)}."


def _date(at: datetime | None) -> str:
    return "at no date" if at is None else moment(at)


def _of_secrets(name: str, old: Phase, new: Phase, *, released: bool) -> Iterator[str]:
    if old.hidden and not new.hidden:
        yield f"phase {name} is hidden; its cases, verdicts and logs would be shown to participants."
    if old.board == "sealed" and new.board == "public" and not released:
        yield f"the leaderboard of phase {name} is sealed; everybody would see it."


def _hidden(session: Session, challenge: Challenge, spec: Spec) -> Iterator[str]:
    """How many scored evaluations the leaderboards would no longer rank; phases without one lose nothing."""
    old = challenge.spec.phases
    lost = {
        phase: counts
        for phase, counts in hidden_by(session, challenge, spec).items()
        if phase in spec.phases and old[phase].board != "none"
    }
    if lost:
        listed = "; ".join(
            f"{phase}: {', '.join(f'{task} {count}' for task, count in counts.items())}"
            for phase, counts in sorted(lost.items())
        )
        yield (
            "this file runs or scores some tasks otherwise than the present one. Scored evaluations that its "
            f"leaderboards will no longer rank: {listed}. "
            f"'proctor-admin reevaluate {challenge.slug} --file FILE' makes them anew under it first (--mode rescore, "
            "or rerun where a task runs otherwise), and lets file and boards change together."
        )


def _of_places(shifts: Shifts | None) -> Iterator[str]:
    """What another ranking rule makes of the places and prizes; the first of them are named."""
    if shifts is None or not shifts.sentences or not any(phase.rule for phase in shifts.phases):
        return
    more = len(shifts.sentences) - _NAMED
    listed = [*shifts.sentences[:_NAMED], *([f"And {more:,} more."] if more > 0 else [])]
    yield f"places or prizes on the leaderboards would change at once. {' '.join(listed)}"
