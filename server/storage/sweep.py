"""Removing what nothing refers to any more: blobs, uploads' files, and what killed workers were writing.

A blob is named by the images that teams have and by the outputs of evaluations that may still be scored or looked at.
It goes once no row names it and nobody has relied on it for as long as the caller says. Between a look at the rows
and the removal no row that names a blob is committed: whoever commits one calls `server.naming` first.
"""

import shutil
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import structlog
from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects.postgresql import TEXT, array
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from contract.ids import CaseRunId, ImageId
from contract.problems import ErrorCode
from contract.statuses import CaseStatus, EvaluationStatus, UploadStatus
from server.backups import NOTE
from server.blobs import LOCK, BlobsAway, BlobStore
from server.consignments import incoming
from server.consignments import service as consignments
from server.database import SessionFactory, unit_of_work
from server.datasets.models import Dataset, DatasetState
from server.errors import DataMissing
from server.evaluations.models import COUNTS, CaseRun, Evaluation
from server.evaluations.outputs import case_run_of
from server.evaluations.status import NOT_KEPT
from server.images.models import Image
from server.naming import naming, removing
from server.reference_submissions.service import is_held
from server.settings import Settings
from server.storage.trees import left_trees
from server.uploads.models import Upload

AGE = timedelta(days=1)
"""So long a blob that no row names stays after its last use."""
_MOMENT = 3600.0  # seconds in which a file may be there before the row that it belongs to
_AT_ONCE = 200

_log = structlog.get_logger()


@dataclass(frozen=True)
class Swept:
    """What was removed, or would be: how many, and their bytes together."""

    blobs: int = 0
    files: int = 0
    bytes: int = 0

    def __add__(self, other: "Swept") -> "Swept":
        """Both together."""
        return Swept(self.blobs + other.blobs, self.files + other.files, self.bytes + other.bytes)


def require_stored(session: Session, blobs: BlobStore, digests: Sequence[str]) -> None:
    """Returns if rows may name these blobs in this unit of work.

    Raises:
        DataMissing: one has been removed meanwhile.
    """
    naming(session)
    if not all(blobs.has(digest) for digest in digests):
        raise DataMissing(ErrorCode.DATA_MISSING, "A layer of this image is not stored any more.")


def discard(sessions: SessionFactory, blobs: BlobStore, digests: Sequence[str], *, before: float) -> Swept:
    """Removes those of these blobs that no row names and that nobody relied on since `before`.

    None while a backup is made: what its rows name is to be there when it comes to the files.
    """
    with blobs.removing() as may:
        if not may:
            return Swept()
        with unit_of_work(sessions) as session:
            removing(session)
            taken = blobs.take(set(digests) - named(session, digests), before=before)
        # Only now, for large files take seconds, and verdicts that name outputs would wait for them.
        sizes = [size for delete in taken if (size := delete()) is not None]
        return Swept(blobs=len(sizes), bytes=sum(sizes))


def discard_removed(sessions: SessionFactory, blobs: BlobStore, digests: Sequence[str]) -> None:
    """Removes what only an image needed whose removal is committed: now, or by a sweep where now it cannot be."""
    try:
        discard(sessions, blobs, digests, before=time.time())
    except OperationalError as error:
        _log.warning("blobs_left_to_the_sweep", error=type(error.orig).__name__)
    except BlobsAway as away:
        _log.warning("blobs_left_to_the_sweep", error=away.why)


def named(
    session: Session,
    digests: Sequence[str],
    *,
    but_images: Collection[ImageId] = (),
    but_runs: Collection[CaseRunId] = (),
) -> set[str]:
    """Those of the digests that a row names; `but` what these images and case runs name."""
    found: set[str] = set()
    for start in range(0, len(digests), _AT_ONCE):
        some = digests[start : start + _AT_ONCE]
        kept = select(Image.id, Image.facts).where(Image.removed_at.is_(None))
        has = or_(Image.digest.in_(some), Image.facts["layers"].has_any(array(some, type_=TEXT)))
        for image, facts in session.execute(kept.where(has)):
            if image not in but_images:
                found |= set(facts.blobs)
        outputs = select(CaseRun.id, CaseRun.output).where(CaseRun.output.in_(some))
        found |= {row.output for row in session.execute(outputs) if row.id not in but_runs}
    return found.intersection(digests)


def sweep(sessions: SessionFactory, settings: Settings, *, age: timedelta = AGE, dry: bool = False) -> Swept:
    """Removes everything that nothing refers to; with `dry` it only counts.

    age: so long a blob has to have been of no use to anybody; at least an hour, in which a check may rely on it.
    """
    age = max(age, timedelta(seconds=_MOMENT))
    before = time.time() - age.total_seconds()
    _tidy(sessions, settings.blobs)
    swept = _forget_outputs(sessions, settings.blobs, dry)
    for found in settings.blobs.stored(before=before):
        old = [*found.items()]
        for start in range(0, len(old), _AT_ONCE):
            swept += _blobs(sessions, settings.blobs, dict(old[start : start + _AT_ONCE]), age, dry)
    for path in _leftovers(sessions, settings):
        size = _size(path)
        if not dry:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        swept += Swept(files=1, bytes=size)
    return swept


def _tidy(sessions: SessionFactory, blobs: BlobStore) -> None:
    """What killed processes left half done in the store, and copies of inputs whose version was dropped elsewhere.

    A store that does not let us look is swept all the same.
    """
    try:
        blobs.tidy(AGE)
        if lenders := blobs.lenders():
            with unit_of_work(sessions) as session:
                dropped = session.scalars(
                    select(Dataset.folder).where(Dataset.state == DatasetState.DROPPED)
                ).all()
            for name in lenders.intersection(Path(folder).name for folder in dropped):
                blobs.forget_lent(name)
    except BlobsAway as away:
        _log.warning("blobs_not_tidied", why=away.why)


def _forget_outputs(sessions: SessionFactory, blobs: BlobStore, dry: bool) -> Swept:
    """Evaluations that ended for good an hour ago without scores name no outputs any more, which then go at once.

    What re-evaluations made or replaced keeps them, unless it was cancelled: it may come into force.
    """
    ended = Evaluation.finished_at < func.now() - timedelta(seconds=_MOMENT)
    over = select(CaseRun.id, CaseRun.output).join(Evaluation)
    over = over.where(CaseRun.output.is_not(None), Evaluation.status.in_(NOT_KEPT), ended)
    over = over.where(or_(COUNTS, Evaluation.status == EvaluationStatus.CANCELLED))
    swept = Swept()
    while True:
        with unit_of_work(sessions) as session:
            found = session.execute(over if dry else over.limit(_AT_ONCE)).all()
            if not dry:
                gone = CaseRun.id.in_([run.id for run in found])
                session.execute(update(CaseRun).where(gone).values(output=None))
        digests = {run.output for run in found}
        if dry or not found:
            sizes = blobs.sizes(digests)
            return swept + Swept(blobs=len(sizes), bytes=sum(sizes.values()))
        swept += discard(sessions, blobs, list(digests), before=time.time())


def _blobs(
    sessions: SessionFactory, blobs: BlobStore, sizes: dict[str, int], age: timedelta, dry: bool
) -> Swept:
    if not dry:
        before = time.time() - age.total_seconds()
        return discard(sessions, blobs, list(sizes), before=before)
    with unit_of_work(sessions) as session:
        unnamed = sizes.keys() - named(session, list(sizes))
    return Swept(blobs=len(unnamed), bytes=sum(sizes[digest] for digest in unnamed))


def _leftovers(sessions: SessionFactory, settings: Settings) -> Iterator[Path]:
    """Files of uploads that are over, what was set aside for leases that are, what killed workers were writing."""
    moment_ago = time.time() - _MOMENT
    with unit_of_work(sessions) as session:
        for path, (_, changed) in _files(settings.uploads):
            if changed < moment_ago and path.name != NOTE and not _is_open(session, path.name):
                yield path
        for path, (_, changed) in _files(settings.blobs.root / "incoming"):
            if path.name == LOCK:
                continue
            case_run = case_run_of(path.name)
            late = changed < moment_ago if case_run else changed < time.time() - AGE.total_seconds()
            if late and not (case_run and _runs(session, case_run)):
                yield path
        if settings.scratch.is_dir():
            yield from (path for path in settings.scratch.iterdir() if not _is_scored(session, path.name))
        yield from left_trees(session, settings)


def _is_open(session: Session, name: str) -> bool:
    known = _uuid(name.removeprefix(incoming.PREFIX))
    if known and name.startswith(incoming.PREFIX):
        return consignments.is_under_way(session, known)
    upload = session.get(Upload, known) if known else None
    return upload is not None and upload.status in (UploadStatus.RECEIVING, UploadStatus.CHECKING)


def _runs(session: Session, case_run: CaseRunId) -> bool:
    return session.scalar(select(CaseRun.status).where(CaseRun.id == case_run)) == CaseStatus.RUNNING


def _is_scored(session: Session, name: str) -> bool:
    """Whether a score worker has the claim that this folder is named after."""
    evaluation, _, claim = name.rpartition("-")
    known = _uuid(evaluation)
    if known is None or not claim.isdigit():
        return False
    if any(held(session, known, int(claim)) for held in (is_held, consignments.is_held)):
        return True
    held = select(Evaluation.id).where(
        Evaluation.id == known,
        Evaluation.status == EvaluationStatus.SCORING,
        Evaluation.scoring_claim_no == int(claim),
        Evaluation.scoring_lease_until > func.clock_timestamp(),
    )
    return session.scalar(held) is not None


def _files(folder: Path) -> Iterator[tuple[Path, tuple[int, float]]]:
    """Files in a folder with size and time of change; those that go meanwhile are left out."""
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        try:
            found = path.lstat()
        except FileNotFoundError:
            continue
        yield path, (found.st_size, found.st_mtime)


def _size(path: Path) -> int:
    inside = path.rglob("*") if path.is_dir() else (path,)
    return sum(path.lstat().st_size for path in inside if path.is_file())


def _uuid(name: str) -> UUID | None:
    try:
        return UUID(name)
    except ValueError:
        return None
