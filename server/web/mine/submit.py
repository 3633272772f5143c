"""Submitting from a browser: sending image archives, choosing what runs where, and what that will cost."""

import secrets
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from sqlalchemy.orm import Session

from contract.agreements import Before
from contract.challenges import PhaseOut
from contract.ids import TeamId
from contract.images import ImageOut
from contract.problems import ErrorCode
from contract.texts import Name
from contract.uploads import UploadOut
from evaluator.spec import Challenge as Spec
from server.agreements.service import asked_of
from server.catalog.api import get_challenge as challenge_out
from server.challenges.models import Challenge
from server.challenges.service import get_challenge, get_phase, require_task, require_track
from server.deps import SessionDep, SettingsDep
from server.errors import BadRequest
from server.pages import POLICY, lasting, page
from server.queue.places import places_of
from server.queue.slots import standstill
from server.storage.api import get_storage, list_images
from server.submissions import api
from server.teams.models import Team
from server.uploads.api import list_uploads
from server.uploads.views import warnings_on
from server.uploads.warnings import takes_gpu
from server.web.frame import challenge_frame
from server.web.looking import Reader, ReaderDep
from server.web.mine.choice import costs
from server.web.mine.room import team_of_page
from server.web.scripts import third_party
from server.words import moment

router = APIRouter(include_in_schema=False)

WITH_WORKER = f"{POLICY}; worker-src 'self'"
"""The policy of the page whose script computes digests of gigabytes beside what the reader does."""
_IMAGES, _UPLOADS, _EARLIER = 50, 20, 100
_TASK = "image."


@router.get("/challenges/{slug}/submit", response_class=HTMLResponse)
def submit(
    request: Request,
    session: SessionDep,
    settings: SettingsDep,
    reader: ReaderDep,
    slug: Name,
    team: TeamId | None = None,
    image: Annotated[str, Query(max_length=80)] = "",
) -> HTMLResponse:
    """Sends images, and chooses which of them run where. `image`: the one that is chosen at first."""
    challenge = get_challenge(session, slug)
    own = team_of_page(session, reader, challenge, team)
    images: list[ImageOut] = []
    uploads: list[UploadOut] = []
    if own is not None:
        images = list_images(own.id, session, reader.user, limit=_IMAGES)
        uploads = list_uploads(own.id, session, reader.user)[:_UPLOADS]
    detail = challenge_out(session, settings, slug)
    return page(
        request,
        "mine/submit.html",
        policy=WITH_WORKER,
        frame=challenge_frame(challenge, takes_part=True),
        team=own,
        stands=_stands_in_the_way(session, reader, challenge, own),
        spec=challenge.spec,
        phases=detail.phases,
        opened=[(phase.name, _named(phase)) for phase in detail.phases if phase.open],
        images=images,
        names=_named_by(uploads),
        uploads=[upload for upload in uploads if upload.status != "ready"],
        storage=None if own is None else get_storage(own.id, session, reader.user, settings),
        limit=settings.upload_limit,
        registry=settings.registry_host,
        address=settings.public_url or str(request.base_url).rstrip("/"),
        chosen=image,
        tus=third_party("tus-js-client"),
    )


@router.get("/challenges/{slug}/submit/check", response_class=HTMLResponse)
def check(
    request: Request,
    session: SessionDep,
    reader: ReaderDep,
    slug: Name,
    track: Name,
    phase: Name,
    team: TeamId | None = None,
) -> HTMLResponse:
    """What was chosen, and what submitting it will cost. The form of this page submits it, once."""
    challenge = get_challenge(session, slug)
    spec = challenge.spec
    require_track(spec, track)
    chosen_phase = get_phase(spec, phase)
    images = _chosen(request)
    for task in images:
        require_task(spec, task)
    own = team_of_page(session, reader, challenge, team)
    rows = []
    if own is not None and images:
        quotas = api.get_quota(session, reader.user, slug, own.id)
        earlier = api.list_submissions(session, reader.user, slug, own.id, limit=_EARLIER)
        rows = costs(spec, quotas, earlier, track=track, phase=phase, images=images)
    return page(
        request,
        "mine/check.html",
        frame=challenge_frame(challenge, takes_part=True),
        team=own,
        stands=_stands_in_the_way(session, reader, challenge, own),
        phase=phase,
        phase_title=chosen_phase.title,
        track=track,
        rows=rows,
        warned=_warned(session, own, spec, images),
        names=_names(session, reader, own),
        waiting=standstill(session, challenge.id),
        forecast=_forecast(session),
        key=secrets.token_urlsafe(18),
    )


def _warned(
    session: Session, own: Team | None, spec: Spec, images: Mapping[str, str]
) -> dict[str, list[str]]:
    """What may keep the chosen images from running, by the task: where it takes no GPU, a GPU's driver is nothing."""
    on_gpus = {task: image for task, image in images.items() if takes_gpu(spec.limits_of(task))}
    said = {} if own is None else warnings_on(session, own.id, set(on_gpus.values()))
    return {task: said.get(image, []) for task, image in on_gpus.items()}


def _names(session: Session, reader: Reader, own: Team | None) -> Mapping[str, str]:
    """What the files of a team's images were called; an image whose upload is no longer kept has no name."""
    named = {} if own is None else _named_by(list_uploads(own.id, session, reader.user))
    return defaultdict(str, named)


def _named_by(uploads: Sequence[UploadOut]) -> dict[str, str]:
    return {one.image: one.filename for one in reversed(uploads) if one.image and one.filename}


def _named(phase: PhaseOut) -> str:
    return phase.title if phase.closes is None else f"{phase.title}, until {moment(phase.closes)}"


def _chosen(request: Request) -> dict[str, str]:
    """The image of each task that the form named one for."""
    pairs = request.query_params.multi_items()
    found = {name[len(_TASK) :]: value for name, value in pairs if name.startswith(_TASK) and value}
    if any(len(task) > 80 or len(image) > 80 for task, image in found.items()):
        raise BadRequest(ErrorCode.INVALID_FORM, "This is not what the form of the page before sends.")
    return found


def _forecast(session: Session) -> str:
    """When what waits now has begun: a rough bound, for what comes may be dealt in between."""
    waits = [
        place.most_minutes for place in places_of(session, ()).values() if place.most_minutes is not None
    ]
    if not waits:
        return "Nothing waits: it begins as soon as a worker is free."
    return (
        f"What waits now has begun within about {lasting(60 * max(waits))}, as far as can be estimated. Where your "
        "submission stands is shown as soon as it is in the queue."
    )


def _stands_in_the_way(
    session: Session, reader: Reader, challenge: Challenge, team: Team | None
) -> list[tuple[str, str | None]]:
    """What keeps the team, or the reader, from submitting: sentences, each with the page where it is mended."""
    if team is None:
        return []
    here = f"/challenges/{challenge.slug}/team"
    missing = [
        asked.agreement.title
        for asked in asked_of(session, challenge.id, reader.user.id)
        if asked.accepted_at is None and asked.agreement.before in (Before.TEAM, Before.SUBMISSION)
    ]
    said: list[tuple[str, str | None]] = [
        (f"You have not accepted “{title}”. Each person does so for themselves.", f"{here}#documents")
        for title in missing
    ]
    if team.disqualified is not None:
        said.append((f"{team.name} is disqualified. The organizers' reason: {team.disqualified}", None))
    if team.waits:
        said.append((f"{team.name} can upload and submit as soon as the organizers have approved it.", None))
    return said
