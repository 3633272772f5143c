"""Making a bundle: read at one moment, completed by a process of its own, signed, packed, and sent as it is then.

No transaction stays open while figures are drawn or bytes leave, and nothing stays on the disk: the archive is a file
without a name when its first byte is sent.
"""

import errno
import math
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from contract.problems import ErrorCode
from evaluator.bundle import MADE, json_text, statement_of
from server import events
from server.accounts.principals import User
from server.audit.looks import require_meant
from server.audit.service import seal
from server.bundles import material, tables
from server.bundles.archive import pack
from server.bundles.state import PhaseState
from server.challenges.models import Challenge
from server.challenges.service import get_challenge
from server.clock import now
from server.database import SessionFactory, unit_of_work
from server.disk import Room, Share, closed, gib, storage_full
from server.errors import Busy, Conflict, Problem
from server.evaluations.models import CaseRun
from server.evaluations.receipts import public_key, sign
from server.evaluations.result_models import Score
from server.leaderboard.service import require_visible
from server.organizers.access import observer_of, organizer_of
from server.published.service import results_of
from server.settings import Settings

MADE_EVENT = "bundle made"
_SECONDS = 540.0  # that a bundle may take to be completed
_TEXT = 2.7  # bytes of a number as text, by those of the number; with them, and once more packed
_PER_RUN = 6000  # bytes of a case run in receipts and tables
_LEAST = 32 * 2**20  # figures, texts and what else is in every bundle

_log = structlog.get_logger()


@dataclass(frozen=True)
class Asked:
    """Which bundle is wanted, by whom; named: with the cases' own names."""

    user: User
    challenge: str
    phase: str
    named: bool


@dataclass(frozen=True)
class Packed:
    """An archive that is open and has no name any more: who closes it frees its room."""

    file: BinaryIO
    name: str
    size: int


def make(sessions: SessionFactory, asked: Asked, *, settings: Settings) -> Packed:
    """The bundle of a phase's results.

    Raises:
        NotFound: there is no such challenge, phase or board.
        Forbidden: the user may not see everything of it, or not decide in it where names are asked for.
        Conflict: the phase shows published results, which have no cases.
        DataMissing: a report of a result that counts is not stored whole.
        StorageFull: the disk has no room for it; nothing of it stays.
        Busy: it took too long.
        Problem: it could not be completed.
    """
    with _folder(settings) as folder:
        try:
            content, root = folder / "content", f"{asked.challenge}-{asked.phase}"
            content.mkdir()
            with unit_of_work(sessions) as session:
                _read(session, asked, content, settings)
            _complete(content)
            with unit_of_work(sessions) as session:
                _sign(session, asked, content, settings)
            archive = folder / "bundle.zip"
            pack(content, archive, root=root)
            return Packed(archive.open("rb"), f"{root}.zip", archive.stat().st_size)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise _no_room(_size(folder), _room(settings).left()) from None


@contextmanager
def _folder(settings: Settings) -> Iterator[Path]:
    """A folder that goes with the block; what a killed server leaves there, the sweep of uploads removes."""
    with TemporaryDirectory(
        prefix="bundle-", dir=closed(settings.uploads), ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)


def _read(session: Session, asked: Asked, folder: Path, settings: Settings) -> None:
    """Everything that comes from the database, as it was at one moment."""
    session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    challenge = _allowed(session, asked)
    state = PhaseState.of(session, challenge, asked.phase, folder, settings=settings, named=asked.named)
    needed, left = _needed(state), _room(settings).left()
    if needed > left:
        raise _no_room(needed, left)
    material.write(state)


def _allowed(session: Session, asked: Asked) -> Challenge:
    """The challenge, if whoever asks may have this bundle of it."""
    challenge = get_challenge(session, asked.challenge)
    observer_of(session, asked.user, challenge)
    require_meant()  # that it was made is an event of theirs, and it takes minutes of this machine
    if asked.named:
        organizer_of(session, asked.user, challenge)
    require_visible(session, challenge, asked.phase, asked.user)
    if results_of(session, challenge.id, asked.phase) is not None:
        detail = (
            f"Phase {asked.phase!r} shows published results. A bundle is made of single cases, and none were "
            "published: the leaderboard as CSV has all that there is."
        )
        raise Conflict(ErrorCode.RESULTS_PUBLISHED, detail)
    return challenge


def _room(settings: Settings) -> Room:
    return settings.room(Share.NEW_WORK, settings.uploads)


def _needed(state: PhaseState) -> int:
    """Bytes that the files and the archive may take together, from what the database holds of them."""
    evaluations = list(tables.counting(state))
    drawn = func.coalesce(
        func.sum(func.length(Score.replicates) + func.coalesce(func.length(Score.influence), 0)), 0
    )
    numbers = state.session.scalar(select(drawn).where(Score.evaluation_id.in_(evaluations))) or 0
    every = tables.of_phase(state).order_by(None).subquery()
    runs = state.session.scalar(
        select(func.count()).select_from(CaseRun).join(every, every.c.id == CaseRun.evaluation_id)
    )
    return _LEAST + math.ceil(_TEXT * numbers * 2) + _PER_RUN * (runs or 0)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _no_room(needed: int, left: int) -> Problem:
    return storage_full(
        f"A bundle of this phase needs {gib(needed)} or more on the server's disk while it is made, and there is room "
        f"for {gib(left)}. Nothing of it was kept; free some and ask again."
    )


def _complete(folder: Path) -> None:
    """Has figures, tables, texts and checksums added, in a process whose memory and time are bounded."""
    command = [sys.executable, "-m", "evaluator.bundle", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise Busy(
            ErrorCode.BUNDLE_FAILED,
            f"The bundle was not complete after {_SECONDS:.0f} s, so it was given up; ask again when less goes on.",
        ) from None
    if done.returncode == errno.ENOSPC:
        raise OSError(errno.ENOSPC, "no space left", str(folder))
    if done.returncode:
        _log.error("bundle not completed", code=done.returncode, said=done.stderr[-2000:])
        raise Problem(
            ErrorCode.BUNDLE_FAILED,
            "The bundle could not be completed, and nothing of it was kept. The server's log says why, in the line "
            "“bundle not completed”; `proctor-admin doctor` says what of the installation is not well.",
        )


def _sign(session: Session, asked: Asked, folder: Path, settings: Settings) -> None:
    """Records that it was made, and signs the checksums with the moment and the head of the audit log."""
    challenge = get_challenge(session, asked.challenge)
    what = f"{MADE_EVENT}: {asked.phase}" + (", with the names of cases" if asked.named else "")
    events.record(session, "challenge", challenge.id, actor=asked.user.actor, what=what)
    statement = statement_of(folder, now(session).isoformat(), str(seal(session)))
    signed = {
        "statement": statement,
        "signature": sign(statement, settings),
        "key": public_key(settings),
    }
    (folder / MADE).write_text(json_text(signed), encoding="utf-8")
