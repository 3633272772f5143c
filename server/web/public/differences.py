"""How places differ from an earlier release, without a board, under another rule, and on another track."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, Response
from sqlalchemy.orm import Session

from contract.sureness import SurenessOut
from contract.texts import Name
from evaluator.charts import MovedTeam, slope
from server.accounts.principals import User
from server.challenges.models import Challenge
from server.challenges.service import get_challenge, require_track
from server.comparisons.sight import seen
from server.comparisons.sureness import sureness_out
from server.deps import SessionDep
from server.editions.models import Edition
from server.editions.service import editions_of, get_edition
from server.editions.views import edition_out
from server.leaderboard.answers import board_for
from server.leaderboard.made import MadeTrack
from server.leaderboard.memory import Board
from server.leaderboard.service import require_visible
from server.pages import page, plural
from server.web.frame import challenge_frame
from server.web.looking import VisitorDep
from server.web.opening import opening_track
from server.web.public.since import far, since_page, since_rows
from server.web.queries import address
from server.words import for_spreadsheet

router = APIRouter(include_in_schema=False)

_AT = "/challenges/{slug}/leaderboards/{phase}/differences"
_TRACK, _WITHOUT, _EDITION = "track ", "without ", "edition-"
_MOST = 500
"""Teams that the table has, the first ones."""
_OTHERS = ("others", "another rule, board or track")
_EDITIONS = 50
"""Editions that can be chosen, the newest ones."""


class _Moved(NamedTuple):
    """A team: where it is, where it would be, and how far that is, in words."""

    team: str
    before: int
    after: int | None
    words: str


class _Choice(NamedTuple):
    """What the places are set beside: as the address says it, in words, and with the places there."""

    key: str
    words: str
    places: Mapping[str, int]


@dataclass(frozen=True)
class _Look:
    """A track as somebody sees it, and what it can be set beside.

    key: of what is chosen. edition: the one that is; then nothing is known of other rules, which take long to read.
    """

    challenge: Challenge
    board: Board
    track: MadeTrack
    pending: bool
    editions: Sequence[tuple[str, str]]
    rules: Sequence[_Choice]
    key: str
    chosen: _Choice | None
    edition: Edition | None

    @property
    def choices(self) -> list[tuple[str, str]]:
        """Keys and words, earlier releases first."""
        others = [(one.key, _named(self.track, one)) for one in self.rules]
        return [*self.editions, *(others if self.edition is None else [_OTHERS])]

    @property
    def here(self) -> str:
        """The board's own page."""
        return f"/challenges/{self.challenge.slug}/leaderboards/{self.board.made.head.phase}"

    def asked(self, rest: str = "") -> str:
        """The address of this look, or of another form of it."""
        return address(f"{self.here}/differences{rest}", {"track": self.track.track, "against": self.key})


def get_look(
    request: Request,
    session: SessionDep,
    visitor: VisitorDep,
    slug: Name,
    phase: Name,
    track: Annotated[str, Query(max_length=60)] = "",
    against: Annotated[str, Query(max_length=100)] = "",
) -> _Look:
    """What the address asks for, as whoever asks sees it.

    Raises:
        NotFound, Forbidden: there is no board that they may see, or no such edition.
        Unprocessable: there is no such track.
    """
    challenge, viewer = get_challenge(session, slug), visitor.user
    require_visible(session, challenge, phase, viewer)
    if track:
        require_track(challenge.spec, track)
    board = board_for(request, session, challenge, phase, viewer)
    own = opening_track(board, track)
    number = _number(against)
    rules, pending = _rules(session, challenge, phase, board, own, viewer) if number is None else ([], False)
    chosen = next((one for one in rules if one.key == against), _first(own, rules))
    found = [edition_out(one) for one in editions_of(session, challenge, phase, viewer, limit=_EDITIONS)]
    return _Look(
        challenge=challenge,
        board=board,
        track=own,
        pending=pending,
        editions=[(f"{_EDITION}{one.number}", f"{one.title} (edition {one.number})") for one in found],
        rules=rules,
        key=against if chosen is None else chosen.key,
        chosen=chosen,
        edition=None if number is None else get_edition(session, challenge, phase, number, viewer),
    )


LookDep = Annotated[_Look, Depends(get_look)]


def _rules(
    session: Session, challenge: Challenge, phase: str, board: Board, own: MadeTrack, viewer: User | None
) -> tuple[list[_Choice], bool]:
    """What is kept of other rules, and whether it is being worked out."""
    sure = sureness_out(session, seen(session, challenge, phase, own.track, viewer))
    return _choices(own, sure, [one for one in board.made.tracks if one is not own]), sure.pending


def _number(against: str) -> int | None:
    """The number of the edition that is asked for; None where something else is."""
    digits = against.removeprefix(_EDITION)
    return (
        int(digits)
        if digits != against and digits.isascii() and digits.isdigit() and len(digits) < 8
        else None
    )


@router.get(_AT, response_class=HTMLResponse)
def differences(
    request: Request,
    session: SessionDep,
    visitor: VisitorDep,
    look: LookDep,
    offset: Annotated[int, Query(ge=0, le=10_000)] = 0,
) -> HTMLResponse:
    """The places of a track beside those of an earlier release, of another rule, or of the teams on another track."""
    common: dict[str, Any] = {
        "frame": challenge_frame(look.challenge, takes_part=visitor.user is not None),
        "path": look.here,
        "here": look.here,
        "board": look.board.made.head,
        "tracks": look.board.made.tracks,
        "track": look.track,
        "choices": look.choices,
        "chosen": look.key,
        "csv": look.asked(".csv"),
    }
    if look.edition is not None:
        now = look.board.out, look.track.out
        content = since_page(session, look.challenge, look.edition, *now, offset=offset)
        return page(request, "boards/since.html", base=look.asked(), **common, **content)
    moved = [] if look.chosen is None else _moved(look.track, look.chosen.places)[:_MOST]
    drawn = [MovedTeam(one.team, one.before, one.after) for one in moved]
    return page(
        request,
        "boards/differences.html",
        **common,
        pending=look.pending,
        any_moves=any(_moving(look.track, one.places) for one in look.rules),
        words=None if look.chosen is None else look.chosen.words,
        moved=moved,
        picture=slope(drawn, after="There") if any(one.before != one.after for one in moved) else None,
    )


@router.get(f"{_AT}.csv", response_class=Response)
def csv_of_differences(session: SessionDep, look: LookDep) -> Response:
    """The table of the page with the same query, with all its teams."""
    rows: Iterable[Sequence[object]]
    if look.edition is not None:
        rows = since_rows(session, look.challenge, look.edition, look.board.out, look.track.out)
    else:
        moved = () if look.chosen is None else _moved(look.track, look.chosen.places)
        rows = [("team", "place now", "place there", "moves"), *moved]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for row in rows:
        writer.writerow([for_spreadsheet(cell) if isinstance(cell, str) else cell for cell in row])
    of = f"{look.challenge.slug}-{look.board.made.head.phase}-{look.track.track}"
    headers = {
        "Content-Disposition": f'attachment; filename="{of}-differences.csv"',
        "Cache-Control": "no-cache",
    }
    return Response(out.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _choices(own: MadeTrack, sure: SurenessOut, others: list[MadeTrack]) -> list[_Choice]:
    """Everything that is kept of the track, worked out when its scores changed; and the other tracks."""
    if not own.unified:
        return []
    rules = [_Choice(rule.change, rule.sentence, rule.places) for rule in sure.rules]
    boards = [
        _Choice(f"{_WITHOUT}{one.board}", f"{one.title} has no weight", one.places)
        for one in sure.without_boards
    ]
    tracks = [
        _Choice(
            f"{_TRACK}{one.track}",
            f"the {one.track} track",
            {entry.team: entry.placement for entry in one.unified if entry.placement is not None},
        )
        for one in others
        if one.unified
    ]
    return [*rules, *boards, *tracks]


def _first(own: MadeTrack, choices: Sequence[_Choice]) -> _Choice | None:
    """The first one under which a place changes, else the first."""
    return next((one for one in choices if _moving(own, one.places)), choices[0] if choices else None)


def _moving(own: MadeTrack, places: Mapping[str, int]) -> int:
    """How many teams would stand elsewhere."""
    return sum(
        entry.placement is not None and places.get(entry.team, entry.placement) != entry.placement
        for entry in own.unified
    )


def _named(own: MadeTrack, choice: _Choice) -> str:
    """A choice with what it comes to, so that nobody has to try all of them."""
    moving = _moving(own, choice.places)
    return f"{choice.words}: {plural(moving, 'team') + ' elsewhere' if moving else 'no place changes'}"


def _moved(track: MadeTrack, after: Mapping[str, int]) -> list[_Moved]:
    return [
        _Moved(
            entry.team, entry.placement, there, "not there" if there is None else far(entry.placement, there)
        )
        for entry in track.unified
        if entry.placement is not None
        for there in [after.get(entry.team)]
    ]
