"""What of a challenge would be deleted: the same plan is shown and carried out."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, select
from sqlalchemy.orm import Session

from contract.ids import CaseRunId, ImageId
from contract.retention import EVER, Deleted, DeletionKind, DeletionPlan, DeletionRules
from contract.statuses import EvaluationStanding
from server.challenges.models import Challenge
from server.clock import now
from server.datasets.models import Dataset
from server.datasets.trees import Trees
from server.evaluations.models import CaseRun, Evaluation
from server.evaluations.status import ACTIVE
from server.images.models import Image
from server.reevaluations.models import UNDER_WAY, Reevaluation
from server.settings import Settings
from server.storage.sweep import named
from server.teams.models import Team
from server.versions.service import unused
from server.words import counted


@dataclass
class Chosen:
    """What goes: rows by kind, and blobs that nothing names afterwards."""

    items: list[Deleted] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    logs: Sequence[CaseRunId] = ()
    outputs: set[CaseRunId] = field(default_factory=set)
    images: Sequence[Image] = ()
    datasets: Sequence[Dataset] = ()
    blobs: dict[str, int] = field(default_factory=dict)


def plan_out(challenge: Challenge, chosen: Chosen) -> DeletionPlan:
    """The plan as it is shown; its digest is of everything in it."""
    found = DeletionPlan(
        challenge=challenge.slug,
        items=chosen.items,
        blobs=len(chosen.blobs),
        bytes=sum(item.bytes for item in chosen.items),
        kept=chosen.kept,
        digest="",
    )
    told = found.model_dump_json() + "\n".join(sorted(chosen.blobs))
    return found.model_copy(update={"digest": "sha256:" + hashlib.sha256(told.encode()).hexdigest()})


def choose(session: Session, challenge: Challenge, rules: DeletionRules, settings: Settings) -> Chosen:
    """What the rules take of a challenge as it is now."""
    chosen = Chosen()
    wanted = [kind for kind in DeletionKind if kind in rules.kinds]
    if (over := _not_over(session, challenge)) and set(wanted) - set(EVER):
        last = ", ".join(kind for kind in wanted if kind not in EVER)
        chosen.kept.append(f"{last}: only once the challenge is over. {over}")
        wanted = [kind for kind in wanted if kind in EVER]
    for kind in wanted:
        _KINDS[kind](session, challenge, _before(session, rules.days), settings, chosen)
    chosen.items = [item for item in chosen.items if item.count]
    return chosen


def _not_over(session: Session, challenge: Challenge) -> str | None:
    """Why a challenge is not over; None if it is: its hidden phases have closed, and nothing is under way."""
    at = now(session)
    for name, phase in challenge.spec.phases.items():
        if phase.hidden and (phase.closes is None or phase.closes > at):
            return f"Phase {name!r} has not closed."
    mine = Evaluation.challenge_id == challenge.id
    if active := session.scalar(select(func.count()).where(mine, Evaluation.status.in_(ACTIVE))):
        return f"{counted(active, 'evaluation', 'evaluations')} under way."
    under_way = Reevaluation.challenge_id == challenge.id, Reevaluation.state.in_(UNDER_WAY)
    if session.scalar(select(func.count()).where(*under_way)):
        return "A re-evaluation is under way."
    return None


def _before(session: Session, days: int) -> ColumnElement[bool]:
    """Whether an evaluation has ended for so long."""
    return Evaluation.finished_at <= now(session) - timedelta(days=days)


def _logs(
    session: Session, challenge: Challenge, ended: ColumnElement[bool], settings: Settings, chosen: Chosen
) -> None:
    at = now(session)
    closed = [name for name, phase in challenge.spec.phases.items() if phase.closes and phase.closes <= at]
    query = _runs(challenge, ended, func.octet_length(CaseRun.log))
    rows = session.execute(
        query.where(Evaluation.phase.in_(closed), func.octet_length(CaseRun.log) > 0)
    ).all()
    chosen.logs = [row.id for row in rows]
    lost = f"what containers of {_evaluations(rows)} wrote cannot be read any more"
    chosen.items.append(_item(DeletionKind.LOGS, len(rows), sum(row[2] for row in rows), lost, _of(rows)))


def _replaced(
    session: Session, challenge: Challenge, ended: ColumnElement[bool], settings: Settings, chosen: Chosen
) -> None:
    replaced = ended & (Evaluation.standing == EvaluationStanding.REPLACED)
    lost = "{}, in whose place others stand, can come back with their re-evaluation, and not be scored again"
    _outputs(
        session, _runs(challenge, replaced, CaseRun.output), DeletionKind.REPLACED, lost, settings, chosen
    )


def _all_outputs(
    session: Session, challenge: Challenge, ended: ColumnElement[bool], settings: Settings, chosen: Chosen
) -> None:
    lost = "{} cannot be scored again, and only be run again while their images are there"
    _outputs(session, _runs(challenge, ended, CaseRun.output), DeletionKind.OUTPUTS, lost, settings, chosen)


def _outputs(
    session: Session,
    query: Select[Any],
    kind: DeletionKind,
    lost: str,
    settings: Settings,
    chosen: Chosen,
) -> None:
    rows = [
        row
        for row in session.execute(query.where(CaseRun.output.is_not(None)))
        if row.id not in chosen.outputs
    ]
    chosen.outputs |= {row.id for row in rows}
    size = _take_blobs(session, {row.output for row in rows}, settings, chosen)
    chosen.items.append(_item(kind, len(rows), size, lost.format(_evaluations(rows)), _of(rows)))


def _images(
    session: Session, challenge: Challenge, ended: ColumnElement[bool], settings: Settings, chosen: Chosen
) -> None:
    query = select(Image).join(Team, Team.id == Image.team_id).order_by(Image.id)
    young = select(Evaluation.id).where(Evaluation.image_id == Image.id, ~ended)
    chosen.images = session.scalars(
        query.where(Team.challenge_id == challenge.id, Image.removed_at.is_(None), ~young.exists())
    ).all()
    ran = Evaluation.image_id.in_([image.id for image in chosen.images])
    runs = session.scalar(select(func.count()).where(ran)) or 0
    blobs = {blob for image in chosen.images for blob in image.facts.blobs}
    size = _take_blobs(session, blobs, settings, chosen)
    lost = f"{counted(runs, 'evaluation', 'evaluations')} cannot be run again"
    digests = sorted(image.digest for image in chosen.images)
    chosen.items.append(_item(DeletionKind.IMAGES, len(chosen.images), size, lost, digests))


def _datasets(
    session: Session, challenge: Challenge, ended: ColumnElement[bool], settings: Settings, chosen: Chosen
) -> None:
    found = unused(session, challenge)
    if found and not _reaches_files(
        settings
    ):  # a certificate is of what is gone, not of what a sweep will remove
        told = f"datasets: the files of {counted(len(found), 'version', 'versions')} are not within this server's reach"
        chosen.kept.append(f"{told}; use 'proctor-admin drop-dataset --unused' where they were imported.")
        return
    chosen.datasets = found
    size = sum(Trees.of(settings, Path(dataset.folder)).size(own=True) for dataset in found)
    of = [f"{dataset.phase}/{dataset.task} {dataset.digest}" for dataset in found]
    chosen.items.append(
        _item(DeletionKind.DATASETS, len(found), size, "they have to be imported again to be used", of)
    )


def _reaches_files(settings: Settings) -> bool:
    return all(root.is_dir() and os.access(root, os.W_OK) for root in (settings.inputs, settings.references))


def _item(kind: DeletionKind, count: int, size: int, lost: str, things: list[str]) -> Deleted:
    return Deleted(kind=kind, count=count, bytes=size, lost=lost, things=things)


def _of(rows: Sequence[Row[Any]]) -> list[str]:
    """The evaluations of these case runs."""
    return sorted({str(row.evaluation_id) for row in rows})


def _evaluations(rows: Sequence[Row[Any]]) -> str:
    return counted(len({row.evaluation_id for row in rows}), "evaluation", "evaluations")


_KINDS = {
    DeletionKind.LOGS: _logs,
    DeletionKind.DATASETS: _datasets,
    DeletionKind.REPLACED: _replaced,
    DeletionKind.OUTPUTS: _all_outputs,
    DeletionKind.IMAGES: _images,
}


def _runs(challenge: Challenge, which: ColumnElement[bool], what: Any) -> Select[Any]:
    query = select(CaseRun.id, CaseRun.evaluation_id, what).join(Evaluation)
    return query.where(Evaluation.challenge_id == challenge.id, which).order_by(CaseRun.id)


def _take_blobs(session: Session, digests: set[str], settings: Settings, chosen: Chosen) -> int:
    """Adds the blobs that nothing names once all that is chosen is gone; their bytes."""
    fresh = sorted(digests - chosen.blobs.keys())
    images: list[ImageId] = [image.id for image in chosen.images]
    still = named(session, fresh, but_images=images, but_runs=chosen.outputs)
    sizes = settings.blobs.sizes([digest for digest in fresh if digest not in still])
    chosen.blobs |= sizes
    return sum(sizes.values())
