"""Boards that everybody may see, kept as they were made for as long as nothing that they show has changed.

What a board is made of, and how a change of it is met:

- scored evaluations, scores, teams, which cases are in force, the challenge file, what is released, and what the check
  found of an image's checkpoint: the database tells;
- the clock: a board is kept until its phase opens or closes, it freezes, or an end that was held back is shown;
- the metrics that are installed, by their files, and what stands around a board on its pages: `MOST_SECONDS`;
- templates and this code: they end with the process.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy.orm import Session

from contract.leaderboard import LeaderboardHead, LeaderboardOut
from evaluator.spec import Challenge as Spec
from server.challenges.models import Challenge
from server.leaderboard.around import NOTHING, Around, Surroundings, nothing
from server.leaderboard.bases import next_shown
from server.leaderboard.changes import Changes
from server.leaderboard.made import MadeBoards
from server.leaderboard.negotiation import Rendered
from server.leaderboard.service import require_visible
from server.leaderboard.views import made_boards

MOST_SECONDS = 30.0
_MOST_BOARDS = 64

Key = tuple[str, str]
"""A challenge's name and a phase."""


@dataclass(frozen=True)
class Board:
    """The leaderboards of a phase and what is needed to show them."""

    made: MadeBoards
    spec: Spec
    around: Around = NOTHING

    @property
    def out(self) -> LeaderboardOut:
        """With all entries, which takes time when it is asked for first."""
        return self.made.out


@dataclass(frozen=True)
class _Kept:
    """A board that was made of what was there at `began`, after `count` changes; `until` ends by the clock alone."""

    board: Board
    challenge: str
    count: int
    began: float
    until: float
    rendered: dict[str, Rendered] = field(default_factory=dict)


class Memory:
    """Public boards and what they look like in each form. One at a time is made; who waits for it gets the same."""

    def __init__(self, changes: Changes, around: Surroundings = nothing) -> None:
        self.changes, self.around = changes, around
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()
        self._making = threading.Lock()

    def find(self, slug: str, phase: str, form: str, *, asked: float) -> Rendered | None:
        """A board's form if it shows all that was there at `asked`, on the monotonic clock; never a sealed board's."""
        kept = self._valid((slug, phase), asked)
        return None if kept is None else kept.rendered.get(form)

    def show(
        self,
        session: Session,
        challenge: Challenge,
        phase: str,
        form: str,
        *,
        asked: float,
        render: Callable[[Board], Rendered],
    ) -> Rendered:
        """The board of a phase in one form, made anew only where what is kept may be old.

        Raises:
            NotFound, Forbidden: there is none that everybody may see.
        """
        key = (challenge.slug, phase)
        if (found := self.find(*key, form, asked=asked)) is not None:
            return found
        with self._making:
            kept = self._present(session, challenge, phase, asked)
            if form not in kept.rendered:
                kept.rendered[form] = render(kept.board)
            return kept.rendered[form]

    def board(self, session: Session, challenge: Challenge, phase: str, *, asked: float) -> Board:
        """The board of a phase that everybody may see, for whoever shows it in a form that is not kept.

        Raises:
            NotFound, Forbidden: there is none that everybody may see.
        """
        kept = self._valid((challenge.slug, phase), asked)
        if kept is None:
            with self._making:
                kept = self._present(session, challenge, phase, asked)
        return kept.board

    def _present(self, session: Session, challenge: Challenge, phase: str, asked: float) -> _Kept:
        key = (challenge.slug, phase)
        kept = self._valid(key, asked) or self._made(session, challenge, phase)
        self._kept[key] = kept
        self._kept.move_to_end(key)
        while len(self._kept) > _MOST_BOARDS:
            self._kept.popitem(last=False)
        return kept

    def _valid(self, key: Key, asked: float) -> _Kept | None:
        kept = self._kept.get(key)
        if kept is None or time.monotonic() >= kept.until:
            return None
        known = self.changes.hearing.fresh and not self.changes.since(kept.challenge, key[1], kept.count)
        return kept if known or kept.began >= asked else None

    def _made(self, session: Session, challenge: Challenge, phase: str) -> _Kept:
        began, count = time.monotonic(), self.changes.count
        session.expire_all()  # what was read before is older than `count` says
        require_visible(session, challenge, phase, None)
        made = made_boards(session, challenge, phase)
        board = Board(made, challenge.spec, self.around(session, challenge, phase))
        until = began + min(MOST_SECONDS, _seconds_left(made.head, next_shown(session, challenge, phase)))
        rendered: dict[str, Rendered] = {}
        before = self._kept.get((challenge.slug, phase))
        if before is not None and _same(before.board, board):
            # It says the same: so does its entity tag, and whoever knows it need not fetch it again.
            board, rendered = replace(before.board, around=board.around), before.rendered
        return _Kept(board, str(challenge.id), count, began, until, rendered)


def _same(before: Board, after: Board) -> bool:
    """Whether two boards say the same to everybody, whenever they were made.

    That entries are evaluated again is for organizers: a board that was made anew for it would tell by its time.
    """
    if replace(before.around, again=after.around.again) != after.around:
        return False
    head = before.made.head.model_copy(update={"at": after.made.head.at})
    return head == after.made.head and before.out.tracks == after.out.tracks


def _seconds_left(head: LeaderboardHead, shown: datetime | None) -> float:
    """Until the clock alone changes what the board says."""
    ahead = [
        (moment - head.at).total_seconds()
        for moment in (head.opens, head.closes, head.freezes, shown)
        if moment is not None
    ]
    return min((seconds for seconds in ahead if seconds > 0), default=MOST_SECONDS)
