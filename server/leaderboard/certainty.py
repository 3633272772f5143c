"""How sure the places of a leaderboard are: what it follows from, and what is kept of it.

Nothing is worked out for a page that is asked for: `server.leaderboard.keeping` does it when scores have changed.
"""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import Select, select
from sqlalchemy.orm import Session, undefer

from evaluator.comparison import CertainPlaces
from evaluator.ranking import RankingError, installed
from evaluator.spec import Challenge as Spec
from evaluator.version import evaluator_version
from server.leaderboard.entrants import certain_of, entrants_of
from server.leaderboard.models import KeptCertainty
from server.leaderboard.service import Attempt

_MOST = 64
_KNOWN: OrderedDict[str, CertainPlaces | None] = OrderedDict()
"""What was worked out for who asked what would be: it is kept nowhere else."""

_log = structlog.get_logger()


@dataclass(frozen=True)
class Known:
    """How sure the places of each track are, as far as that is kept; `pending`: the tracks of which it is not yet."""

    certain: Mapping[str, CertainPlaces]
    pending: frozenset[str] = frozenset()


def ranked_attempts(spec: Spec, counted: Iterable[Attempt], track: str) -> list[Attempt]:
    """What the places of a track follow from; published values tell nothing of how sure they are."""
    boards = installed(spec.boards)
    ranked = (one for one in counted if one.track == track and one.who.ranked and one.published is None)
    return [one for one in ranked if one.board in boards]


def key_of(spec: Spec, counted: Iterable[Attempt], track: str) -> str | None:
    """The digest of all that the places of a track follow from; None where there is nothing to rank.

    That is the rule, the boards with the metrics and the code that are installed, and of each team that is ranked its
    evaluations: what an evaluation was scored with is never changed. Dates of a phase are none of it.
    """
    return _key(spec, ranked_attempts(spec, counted, track), track)


def _key(spec: Spec, mine: Sequence[Attempt], track: str) -> str | None:
    """The same of those that are ranked."""
    boards = installed(spec.boards)
    if not mine or not sum(spec.ranking.weights[name] for name in boards) > 0:
        return None
    rule = [
        spec.ranking.model_dump(mode="json"),
        {key: one.model_dump(mode="json") for key, one in boards.items()},
    ]
    entries = sorted(
        (one.who.key, one.board, one.who.eligible, one.draws, one.evaluation and one.evaluation.hex)
        for one in mine
    )
    told = json.dumps([evaluator_version(), rule, track, entries], separators=(",", ":"))
    return "sha256:" + hashlib.sha256(told.encode()).hexdigest()


def known(session: Session, spec: Spec, counted: Sequence[Attempt]) -> Known:
    """What is kept of the places of each track; teams go by their id. Tracks without anything to rank are left out."""
    keys = {track: key for track in spec.tracks if (key := _valued(spec, counted, track)) is not None}
    kept = {row.key: row for row in session.scalars(_query(keys.values()))} if keys else {}
    found = {track: kept[key].certain for track, key in keys.items() if key in kept}
    return Known(
        certain={track: certain for track, certain in found.items() if certain is not None},
        pending=frozenset(keys.keys() - found.keys()),
    )


def whole(session: Session, spec: Spec, counted: Sequence[Attempt], track: str) -> KeptCertainty | None:
    """All that is kept of the places of a track; None where there is nothing yet, or nothing to rank."""
    key = _valued(spec, counted, track)
    if key is None:
        return None
    return session.scalar(_query([key]).options(undefer(KeptCertainty.behind)))


def _valued(spec: Spec, counted: Sequence[Attempt], track: str) -> str | None:
    """The key of a track that has a value to rank."""
    mine = ranked_attempts(spec, counted, track)
    if all(score.value is None for one in mine for score in one.scores.values()):
        return None
    return _key(spec, mine, track)


def _query(keys: Iterable[str]) -> Select[KeptCertainty]:
    return select(KeptCertainty).where(KeptCertainty.key.in_(list(keys)))


def worked_out(
    session: Session,
    spec: Spec,
    counted: Sequence[Attempt],
    *,
    digests: Mapping[str, str],
    cases: Mapping[str, int],
) -> Known:
    """As `known`, but what is not kept is worked out: it takes long, and is for who asks what would be, or decides.

    Args:
        session: reads what the scores keep.
        spec: the version in force, or one that is supposed to be.
        counted: what counts.
        digests: by task, the digest of the dataset in force.
        cases: by task, how many it has.
    """
    found = known(session, spec, counted)
    certain = dict(found.certain)
    for track in found.pending:
        key = _valued(spec, counted, track) or ""
        if key not in _KNOWN:
            mine = ranked_attempts(spec, counted, track)
            try:
                entrants = entrants_of(session, spec, mine, digests=digests, cases=cases)
                _KNOWN[key] = certain_of(spec, entrants)
            except (
                RankingError
            ) as error:  # scores that were stored otherwise than today's; places need none of this
                _log.warning("places without sets", challenge=spec.challenge, reason=str(error))
                _KNOWN[key] = None
            while len(_KNOWN) > _MOST:
                _KNOWN.popitem(last=False)
        if (places := _KNOWN[key]) is not None:
            certain[track] = places
    return Known(certain)
