"""A board of 500 teams on seven boards: its page and what it is made of, against the page of before and a bound.

What counts is processor time. Before, a page had every team on every board of every track, and was one page.
"""

import gzip
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fastapi import Request
from jinja2 import Environment, FileSystemLoader

from benchmarks.support.boards import PHASE, SLUG, fill
from benchmarks.support.compare import Comparison, Side
from benchmarks.support.services import installation
from server.__main__ import spare_what_stays
from server.challenges.service import get_challenge
from server.database import SessionFactory, unit_of_work
from server.leaderboard.memory import Board
from server.leaderboard.views import made_boards
from server.pages import NOBODY, footnotes, page
from server.tables import open_database
from server.web.frame import Frame, challenge_frame
from server.web.public.around import around_of
from server.web.public.query import BoardQuery, View
from server.web.public.shown import board_page, unified_page
from server.words import moment

_TEAMS, _EVALUATIONS, _ROUNDS = 500, 3_000, 5
_COLD = 0.15
"""Seconds of processor in which a board is made and its page written, once it is known how sure its places are."""
_PACKED = 30_000
"""Bytes of the unified page, compressed."""
_HERE = f"/challenges/{SLUG}/leaderboards/{PHASE}"
_BEFORE = Path(__file__).parent / "support" / "before"


def run() -> list[Comparison]:
    """The unified page and one of a board against the page of before; and a board that nobody has asked for yet."""
    with installation() as settings:
        sessions = open_database(settings.database_url)
        with unit_of_work(sessions) as session:
            fill(session, teams=_TEAMS, evaluations=_EVALUATIONS)
        spare_what_stays()  # as the server does
        _made(sessions)  # how sure places are is worked out when scores change, not when a page is asked for
        board, frame = _made(sessions)
        pages = _Pages(board, frame)
        packed = len(gzip.compress(pages.unified(), compresslevel=6))
        if packed > _PACKED:
            raise RuntimeError(
                f"the unified page has {packed:,} bytes compressed, and {_PACKED:,} are promised"
            )
        before = _side("page of before", pages.before)
        return [
            Comparison(
                "board page, unified, processor", _side("100 teams", pages.unified), before, least=10.0
            ),
            Comparison(
                "board page, one board, processor", _side("100 teams", pages.task4), before, least=10.0
            ),
            Comparison(
                "board and page, not yet made, processor",
                _side("500 teams", lambda: _unified(*_made(sessions))),
                Side("the bound", (_COLD,)),
                least=1.0,
            ),
        ]


def _made(sessions: SessionFactory) -> tuple[Board, Frame]:
    with unit_of_work(sessions) as session:
        challenge = get_challenge(session, SLUG)
        made = made_boards(session, challenge, PHASE)
        board = Board(made, challenge.spec, around_of(session, challenge, PHASE))
        return board, challenge_frame(challenge, takes_part=False)


def _side(label: str, action: Callable[[], bytes]) -> Side:
    """Seconds of processor; the label says how large the outcome is."""
    content = action()
    seconds = []
    for _ in range(_ROUNDS):
        began = time.process_time()
        action()
        seconds.append(time.process_time() - began)
    return Side(
        f"{label}, {len(gzip.compress(content, compresslevel=6)) / 1000:.1f} kB packed", tuple(seconds)
    )


class _Pages:
    """The pages of a board, as they are now and as they were."""

    def __init__(self, board: Board, frame: Frame) -> None:
        self._board, self._frame = board, frame
        environment = Environment(
            loader=FileSystemLoader(_BEFORE), autoescape=True, trim_blocks=True, lstrip_blocks=True
        )
        environment.filters |= {"footnotes": footnotes, "moment": moment}
        self._before = environment.get_template("leaderboard.html")

    def unified(self) -> bytes:
        """A track over all boards."""
        return _unified(self._board, self._frame)

    def task4(self) -> bytes:
        """One board of a track."""
        track = self._board.made.tracks[0]
        view = View.of(f"{_HERE}/boards/task4", track.track, BoardQuery())
        return _page(
            self._frame, "boards/board.html", board_page(self._board, track, "task4", _HERE, view, None)
        )

    def before(self) -> bytes:
        """All tracks and boards on one page."""
        return self._before.render(board=self._board.out, spec=self._board.spec).encode()


def _unified(board: Board, frame: Frame) -> bytes:
    track = board.made.tracks[0]
    view = View.of(_HERE, track.track, BoardQuery())
    return _page(frame, "boards/unified.html", unified_page(board, track, view, None))


def _page(frame: Frame, template: str, content: Mapping[str, Any]) -> bytes:
    scope = {"type": "http", "method": "GET", "path": _HERE, "query_string": b"", "headers": []}
    beside = {"looking": NOBODY, "frame": frame, "path": _HERE, "observing": False}
    return bytes(page(Request(scope), template, **{**beside, **content}).body)
