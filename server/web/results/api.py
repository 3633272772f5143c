"""Pages of what stands behind a leaderboard. Each shows what the API shows to whoever asks."""

from collections.abc import Iterable
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response

from contract.leaderboard import MetricOut
from contract.problems import ErrorCode
from contract.sureness import ComparisonOut, DistributionOut
from contract.texts import Name
from evaluator.charts import Picture
from server.challenges.models import Challenge
from server.challenges.service import get_challenge
from server.comparisons import service
from server.comparisons.sight import note_look, seen
from server.comparisons.sureness import sureness_out
from server.deps import SessionDep
from server.errors import NotFound
from server.leaderboard.answers import board_for
from server.pages import page
from server.web.frame import challenge_frame
from server.web.looking import Visitor, VisitorDep
from server.web.opening import track_to_open
from server.web.queries import address
from server.web.results import drawings

router = APIRouter(include_in_schema=False, prefix="/challenges/{slug}/leaderboards/{phase}")

_Track = Annotated[str, Query(max_length=200)]
_Picture = Annotated[str, Query(max_length=200, description="A picture of the page, as a file")]
_As = Literal["svg", "csv"]
_GROUPED = 5  # entries whose groups are drawn beside each other
_PAGE = 25  # entries of a task's page; each has a drawing's row, groups and quantiles


@router.get("/certainty", response_class=HTMLResponse)
def how_sure(
    request: Request,
    session: SessionDep,
    visitor: VisitorDep,
    slug: Name,
    phase: Name,
    track: _Track = "",
    picture: _Picture = "",
    form: Annotated[_As, Query(alias="as")] = "svg",
) -> Response:
    """How sure the places of a track are, what decides, and what would change them."""
    challenge = get_challenge(session, slug)
    track = track_to_open(request, session, challenge, phase, track, visitor.user)
    sure = sureness_out(session, seen(session, challenge, phase, track, visitor.user))
    level = 0.95 if sure.certainty is None else sure.certainty.level
    overall = None
    if any(one.places is not None for one in sure.overall):
        overall = drawings.of_places(sure.overall, level=level, title="How sure each place is", name="places")
    weights = drawings.of_weights(sure)
    boards = [
        (
            board,
            drawings.of_board(board, level=level),
            [(metric, drawings.of_tests(board, metric, level=level)) for metric in board.metrics],
        )
        for board in sure.boards
    ]
    if picture:
        drawn = [overall, weights, *(one for _, one, _ in boards)]
        drawn += [one for _, _, metrics in boards for _, one in metrics]
        return _file(drawn, picture, form)
    return page(
        request,
        "results/sure.html",
        frame=_frame(challenge, visitor),
        phase_title=challenge.spec.phases[phase].title,
        here=f"/challenges/{slug}/leaderboards/{phase}",
        tracks=list(challenge.spec.tracks),
        sure=sure,
        overall=overall,
        weights=weights,
        boards=boards,
        level=level,
    )


@router.get("/comparison", response_class=HTMLResponse)
def compare(
    request: Request,
    session: SessionDep,
    visitor: VisitorDep,
    slug: Name,
    phase: Name,
    track: _Track = "",
    board: _Track = "",
    team: Annotated[list[Name], Query(max_length=5)] = [],  # noqa: B006 - FastAPI copies it
    picture: _Picture = "",
    form: Annotated[_As, Query(alias="as")] = "svg",
) -> Response:
    """Two to five entries of a board beside each other; with fewer, a form that asks for them."""
    challenge = get_challenge(session, slug)
    track = track_to_open(request, session, challenge, phase, track, visitor.user)
    sight = seen(session, challenge, phase, track, visitor.user)
    shown = board_for(request, session, challenge, phase, visitor.user).out
    boards = next(one for one in shown.tracks if one.track == sight.track).boards
    filled = [one for one in boards if one.entries]
    chosen = next((one for one in filled if one.board == board), filled[0] if filled else None)
    teams = list(dict.fromkeys(team))
    found = None
    pictures: list[tuple[str, list[Picture]]] = []
    groups: list[tuple[str, Picture]] = []
    if chosen is not None and len(teams) >= 2:
        note_look(session, sight, visitor.user)
        found = service.compare(session, sight, chosen.board, teams)
        pictures, groups = _pictures_of(found)
    if picture:
        return _file(
            [*(one for _, some in pictures for one in some), *(one for _, one in groups)], picture, form
        )
    return page(
        request,
        "results/compare.html",
        frame=_frame(challenge, visitor),
        phase_title=challenge.spec.phases[phase].title,
        here=f"/challenges/{slug}/leaderboards/{phase}",
        tracks=list(challenge.spec.tracks),
        track=sight.track,
        boards=filled,
        chosen=chosen,
        teams=teams,
        found=found,
        pictures=pictures,
        groups=groups,
    )


def _pictures_of(
    found: ComparisonOut,
) -> tuple[list[tuple[str, list[Picture]]], list[tuple[str, Picture]]]:
    """For the first entry against each other one its pictures; and those by group."""
    names = [one.team for one in found.entries]
    first, *others = names
    pairs = []
    for column, second in enumerate(others, start=1):
        drawn = [drawings.of_differences(found, first=first, second=second)]
        drawn += [
            drawings.of_cases(metric, first=first, second=second, at=(0, column)) for metric in found.metrics
        ]
        pairs.append((second, [one for one in drawn if one is not None]))
    entries = [(one.team, one.groups or []) for one in found.entries]
    variables = dict.fromkeys(one.variable for _, groups in entries for one in groups)
    grouped = [
        (variable, drawings.of_groups(metric, metric.metric, metric.title, entries, variable))
        for variable in variables
        for metric in found.metrics
    ]
    return pairs, [(variable, one) for variable, one in grouped if one is not None]


@router.get("/tasks/{task}", response_class=HTMLResponse)
def task_page(
    request: Request,
    session: SessionDep,
    visitor: VisitorDep,
    slug: Name,
    phase: Name,
    task: Name,
    track: _Track = "",
    offset: Annotated[int, Query(ge=0, le=10_000)] = 0,
    picture: _Picture = "",
    form: Annotated[_As, Query(alias="as")] = "svg",
) -> Response:
    """What single cases of a task gave each entry: how values spread, by group, and how long they took."""
    challenge = get_challenge(session, slug)
    spec = challenge.spec
    if task not in spec.tasks:
        named = ", ".join(spec.tasks)
        raise NotFound(ErrorCode.UNKNOWN_TASK, f"There is no task {task!r} in {spec.title}. Tasks: {named}.")
    track = track_to_open(request, session, challenge, phase, track, visitor.user)
    sight = seen(session, challenge, phase, track, visitor.user)
    note_look(session, sight, visitor.user)
    boards = [
        _drawn(service.distribution(session, sight, name, offset=offset, limit=_PAGE))
        for name in spec.boards_of(task)
    ]
    if picture:
        every = [one for _, drawn, grouped in boards for one in (*(one for _, one in drawn), *grouped)]
        return _file(every, picture, form)
    here = f"/challenges/{slug}/leaderboards/{phase}"
    return page(
        request,
        "results/task.html",
        frame=_frame(challenge, visitor),
        phase_title=spec.phases[phase].title,
        here=here,
        tracks=list(spec.tracks),
        track=sight.track,
        task=task,
        declared=spec.tasks[task],
        tasks=[(name, one.title) for name, one in spec.tasks.items()],
        boards=boards,
        offset=offset,
        step=_PAGE,
        base=address(f"{here}/tasks/{task}", {"track": sight.track}),
    )


def _drawn(
    found: DistributionOut,
) -> tuple[DistributionOut, list[tuple[MetricOut, Picture | None]], list[Picture]]:
    """A board's entries with the picture of each metric, and the pictures by group of the first ones."""
    drawn = [(metric, drawings.of_distribution(found, metric.name)) for metric in found.metrics]
    entries = [(one.team, one.groups or []) for one in found.entries[:_GROUPED]]
    variables = dict.fromkeys(one.variable for _, groups in entries for one in groups)
    grouped = [
        drawings.of_groups(None, metric.name, metric.title, entries, variable)
        for metric in found.metrics
        for variable in variables
    ]
    return found, drawn, [one for one in grouped if one is not None]


def _frame(challenge: Challenge, visitor: Visitor) -> object:
    return challenge_frame(challenge, takes_part=visitor.user is not None)


def _file(pictures: Iterable[Picture | None], name: str, form: _As) -> Response:
    """One picture as a file for a paper or a spreadsheet."""
    found = next((one for one in pictures if one is not None and one.name == name), None)
    if found is None:
        raise NotFound(ErrorCode.NOT_FOUND, f"There is no picture {name!r} on this page now.")
    kept = {"Content-Disposition": f'attachment; filename="{found.name}.{form}"'}
    if form == "csv":
        return Response(found.csv(), media_type="text/csv; charset=utf-8", headers=kept)
    return Response(found.svg_file(), media_type="image/svg+xml", headers=kept)
