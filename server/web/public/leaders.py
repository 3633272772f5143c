"""Who leads a track, by how much, and whether the data tell the leaders apart: a sentence of what everybody may see."""

import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from fastapi import Request
from sqlalchemy.orm import Session

from contract.leaderboard import UnifiedOut
from contract.texts import listed
from server.challenges.models import Challenge
from server.leaderboard.made import MadeTrack
from server.leaderboard.memory import Memory
from server.pages import plural
from server.web.public.moments import Stage, When

_NAMED = 5
"""Teams that a sentence names; more are counted."""


class Lead(NamedTuple):
    """What is said of the leaders of one track: `words`. title: of its phase. board: the page that shows it."""

    title: str
    track: str
    words: str
    board: str
    frozen: bool


def said_of(track: MadeTrack) -> str | None:
    """Who leads, by how much, and whether that may be luck; None where nobody is ranked."""
    ranked = [one for one in track.unified if one.placement is not None and not _apart(one)]
    if not ranked:
        return None
    best = ranked[0].placement
    leaders = [one for one in ranked if one.placement == best]
    without = [one.team for one in leaders if not one.eligible]
    words = [_ahead(leaders, ranked[len(leaders) :])]
    words += [f"{_names(without)} may win no prize."] if without else []
    return " ".join([*words, *_sure(track, ranked)])


def leads_of(request: Request, session: Session, challenge: Challenge, stages: Sequence[Stage]) -> list[Lead]:
    """The leaders on the newest board that everybody may see and that has any; of that board each track.

    It is what everybody sees, whoever asks. The session reads anew afterwards.
    """
    memory: Memory = request.app.state.boards
    shown = [one for one in stages if one.board and (one.when is not When.COMING or one.published)]
    for stage in shown[:-3:-1]:
        board = memory.board(session, challenge, stage.name, asked=time.monotonic())
        found = [
            Lead(stage.phase.title, track.track, words, stage.board or "", board.made.head.frozen)
            for track in board.made.tracks
            if (words := said_of(track)) is not None
        ]
        if found:
            return found
    return []


def _apart(one: UnifiedOut) -> bool:
    return one.baseline or one.disqualified


def _names(teams: Sequence[str]) -> str:
    """Names as a sentence has them; of many the first ones."""
    if len(teams) <= _NAMED:
        return listed(teams)
    return f"{', '.join(teams[: _NAMED - 1])} and {len(teams) - _NAMED + 1} more"


def _ahead(leaders: Sequence[UnifiedOut], others: Sequence[UnifiedOut]) -> str:
    """Who is first, and how far the next is."""
    names = _names([one.team for one in leaders])
    mean = leaders[0].overall
    of = "" if mean is None else f", mean rank {mean:.2f}"
    if not others and len(leaders) == 1:
        return f"{names} is the only team ranked so far."
    if not others:
        return f"{names} share the first place{of}."
    second = others[0]
    against = (
        "" if second.overall is None or mean is None else f" against {second.overall:.2f} (lower is better)"
    )
    next_ones = _names([one.team for one in others if one.placement == second.placement])
    if len(leaders) > 1:
        return f"{names} share the first place ahead of {next_ones}{of}{against}."
    return f"{names} leads {next_ones}{of}{against}."


def _sure(track: MadeTrack, ranked: Sequence[UnifiedOut]) -> Iterator[str]:
    """Whether the data tell who is best. A team that is not ranked for a prize may be the best, too."""
    if len(ranked) < 2:
        return
    certain = track.certainty
    if certain is None:
        if track.certainty_pending:
            yield "Whether the data tell them apart is being worked out."
        return
    level = f"{certain.level * 100:g} % confidence"
    if len(certain.winners) == 1:
        yield f"The data single {certain.winners[0]} out as the best, with {level}."
    elif certain.winners:
        yield (
            f"The data do not tell which of {plural(len(certain.winners), 'team')} is the best: "
            f"{_names(certain.winners)} are not told apart, with {level}."
        )
