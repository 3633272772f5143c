"""Anything by a name, the beginning of an id, or the beginning of a digest."""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, union_all
from sqlalchemy.orm import Session

from contract.events import Subject
from contract.finding import FoundOut, SearchOut
from contract.ids import ChallengeId
from contract.problems import ErrorCode
from server.admin.kinds import KINDS, Wanted
from server.challenges.models import Challenge
from server.errors import BadRequest, Conflict, NotFound
from server.ids import ids_between

_LEAST_TEXT, _LEAST_ID, _LEAST_DIGEST = 2, 4, 6
_NAMED = 5
_ORDER = {kind.subject: number for number, kind in reversed(list(enumerate(KINDS)))}
Within = Collection[ChallengeId] | None


@dataclass(frozen=True)
class Found:
    """One thing; `origin`: the submission that it came of."""

    kind: Subject
    id: UUID
    challenge: ChallengeId | None
    origin: UUID | None
    title: str
    at: datetime


def search(session: Session, text: str, *, within: Within, most: int) -> SearchOut:
    """What has `text` in its name, or an id or a digest that begins so; `most` of each kind.

    Raises:
        BadRequest: too little to look for.
    """
    wanted = _wanted(text, within, most)
    if wanted.id is None and wanted.digest is None and wanted.text is None:
        raise BadRequest(
            ErrorCode.NOTHING_TO_FIND,
            f"{text!r} is too little: {_LEAST_TEXT} letters of a name or address, {_LEAST_ID} digits of an id, or "
            f" {_LEAST_DIGEST} of a sha256.",
        )
    found = look(session, wanted)
    counts = Counter(thing.kind for thing in found)
    kept, listed = Counter[Subject](), []
    for thing in found:
        kept[thing.kind] += 1
        if kept[thing.kind] <= most:
            listed.append(thing)
    more = [kind for kind, count in counts.items() if count > most]
    return SearchOut(items=found_out(session, listed), sentence=_narrow(more, most))


def _narrow(more: Sequence[Subject], most: int) -> str | None:
    if not more:
        return None
    kinds = " and ".join(f"{kind}s".replace("_", " ") for kind in more)
    return (
        f"There are more {kinds} than the {most} newest that are listed: give more of the name, id or digest."
    )


def _wanted(text: str, within: Within, most: int) -> Wanted:
    given = text.strip()
    digits = given.lower().removeprefix("sha256:").replace("-", "")
    hexadecimal = re.fullmatch("[0-9a-f]+", digits) is not None
    named = given.lower().startswith("sha256:")
    is_id = hexadecimal and not named and _LEAST_ID <= len(digits) <= 32
    is_digest = hexadecimal and "-" not in given and _LEAST_DIGEST <= len(digits) <= 64
    is_text = len(given) >= _LEAST_TEXT and not named
    return Wanted(
        digits if is_id else None,
        digits if is_digest else None,
        given if is_text else None,
        within,
        most,
    )


def look(session: Session, wanted: Wanted) -> list[Found]:
    """What is wanted, by kind and the newest first, one more of each kind than `wanted.most`; one statement."""
    queries = [found for kind in KINDS if (found := kind.found(wanted)) is not None]
    if not queries:
        return []
    rows = session.execute(union_all(*(select(query) for query in queries)))
    things = {
        (row.kind, row.id): Found(
            Subject(row.kind), row.id, row.challenge, row.origin, row.title or "", row.at
        )
        for row in rows
    }
    return sorted(
        things.values(), key=lambda thing: (_ORDER[thing.kind], -thing.at.timestamp(), -thing.id.int)
    )


def there(session: Session, ids: Collection[UUID], *, within: Within) -> set[UUID]:
    """Those of `ids` that have a page of their own; of some kinds there is none, and what was removed has none."""
    if not ids:
        return set()
    return {
        found.id for found in look(session, Wanted(None, None, None, within, len(ids), ids=frozenset(ids)))
    }


def one(session: Session, prefix: str, *, within: Within) -> Found:
    """The one thing whose id begins so; where it is several of one submission, that submission.

    Raises:
        BadRequest, NotFound, Conflict: no beginning of an id; none begins so; several do.
    """
    ids_between(prefix)
    digits = prefix.strip().replace("-", "").lower()
    found = look(session, Wanted(digits, None, None, within, _NAMED))
    if not found:
        detail = f"Nothing that you may see begins with {prefix}; 'proctor-admin find' looks for names and digests too."
        raise NotFound(ErrorCode.UNKNOWN_ID, detail)
    # Ids of one moment begin alike, also those of a submission, its evaluations and their cases.
    if len(found) == 1:
        return found[0]
    if len(origins := {thing.origin for thing in found}) == 1 and None not in origins:
        evaluations = [thing for thing in found if thing.kind is Subject.EVALUATION]
        whole = any(thing.kind is Subject.SUBMISSION for thing in found) or len(evaluations) != 1
        return one(session, str(origins.pop()), within=within) if whole else evaluations[0]
    named = ", ".join(f"{thing.kind} {thing.id}" for thing in found[:_NAMED])
    more = ", …" if len(found) > _NAMED else ""
    raise Conflict(ErrorCode.AMBIGUOUS_ID, f"Several begin with {prefix}: {named}{more}. Give more of it.")


def found_out(session: Session, things: Sequence[Found]) -> list[FoundOut]:
    """With the names of their challenges."""
    ids = {thing.challenge for thing in things if thing.challenge is not None}
    slugs = dict(session.execute(select(Challenge.id, Challenge.slug).where(Challenge.id.in_(ids))).all())
    return [
        FoundOut.of(thing, challenge=None if thing.challenge is None else slugs.get(thing.challenge))
        for thing in things
    ]
