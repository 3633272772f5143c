"""What decides scores and ranks of a phase: recorded whenever it changes, so that its state at the opening is known.

It is one digest over the tasks as they run, the boards as they are scored, the ranking rule with its prizes, the
attempts and the versions of the cases. Titles, dates and what only lets an evaluation end or not are not in it, nor is
the code of metrics, which receipts name. Who changes any of it calls `note` before and after.
"""

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from evaluator.bases import run_base, scoring_base
from evaluator.spec import Challenge as Spec
from evaluator.spec import Phase
from server.amendments.models import PhasePlan
from server.challenges.models import Challenge
from server.datasets.models import IN_FORCE, Dataset

_SALT_BYTES = 32


@dataclass(frozen=True)
class Recorded:
    """The plan of a phase that has opened: as it was then, and as it is. `late`: it was not recorded before."""

    frozen: PhasePlan
    now: PhasePlan
    late: bool


def note(session: Session, challenge: Challenge) -> dict[str, tuple[str | None, str]]:
    """Records the plan of each phase where it is another than the last one.

    The caller holds the challenge's lock. Returns by phase the old digest, None for a phase without one, and the new.
    """
    session.flush()
    rows = session.scalars(
        select(Dataset).where(IN_FORCE, Dataset.challenge_id == challenge.id).order_by(Dataset.task)
    ).all()
    known = _plans(session, challenge)
    changed: dict[str, tuple[str | None, str]] = {}
    for phase in challenge.spec.phases:
        last = known[phase][-1] if phase in known else None
        salt = secrets.token_hex(_SALT_BYTES) if last is None else last.salt
        datasets = {dataset.task: dataset.digest for dataset in rows if dataset.phase == phase}
        content = content_of(challenge.spec, phase, datasets, salt)
        digest = digest_of(content)
        if last is not None and last.digest == digest:
            continue
        session.add(
            PhasePlan(challenge_id=challenge.id, phase=phase, salt=salt, digest=digest, content=content)
        )
        changed[phase] = None if last is None else last.digest, digest
    session.flush()
    return changed


def _recorded(phase: Phase, plans: list[PhasePlan] | None) -> Recorded | None:
    if phase.opens is None or not plans:
        return None
    before = [plan for plan in plans if plan.created_at < phase.opens]
    return Recorded(frozen=before[-1] if before else plans[0], now=plans[-1], late=not before)


def opened_plans(session: Session, challenge: Challenge, *, at: datetime) -> dict[str, Recorded]:
    """The plans of every phase that has opened, by phase."""
    plans = _plans(session, challenge)
    return {
        name: found
        for name, phase in challenge.spec.phases.items()
        if phase.has_opened(at) and (found := _recorded(phase, plans.get(name))) is not None
    }


def content_of(spec: Spec, phase: str, datasets: Mapping[str, str], salt: str) -> dict[str, Any]:
    """What the digest is made of, as JSON."""
    boards = {}
    for name, board in spec.boards.items():
        base = scoring_base(spec, name)
        metrics = {
            key: {"metric": metric["metric"], "parameters": metric["parameters"]}
            for key, metric in base["metrics"].items()
        }
        set_up = {key: value for key, value in base.items() if key not in ("draws", "metrics")}
        boards[name] = set_up | {"task": board.task, "primary": board.primary, "metrics": metrics}
    return {
        "challenge": spec.challenge,
        "phase": phase,
        "tracks": list(spec.tracks),
        "tasks": {task: run_base(spec, task) for task in spec.tasks},
        "boards": boards,
        "ranking": spec.ranking.model_dump(mode="json"),
        "attempts": spec.phases[phase].attempts.model_dump(mode="json"),
        "datasets": dict(datasets),
        "salt": salt,
    }


def words(old: str | None, new: str) -> str:
    """Another plan of a phase, by its digests."""
    return f"what decides its scores and ranks was {old or 'not recorded'} and is {new}"


def digest_of(content: Mapping[str, Any]) -> str:
    """sha256 over canonical JSON: keys sorted, no blanks, characters beyond ASCII escaped."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


def _plans(session: Session, challenge: Challenge) -> dict[str, list[PhasePlan]]:
    """Every recorded plan by phase, the oldest first."""
    query = select(PhasePlan).where(PhasePlan.challenge_id == challenge.id)
    found: dict[str, list[PhasePlan]] = {}
    for plan in session.scalars(query.order_by(PhasePlan.created_at, PhasePlan.id)):
        found.setdefault(plan.phase, []).append(plan)
    return found
