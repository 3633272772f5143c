"""Endpoints of single cases, for whoever may see everything of a challenge; each look at one is recorded."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import StreamingResponse

from contract.cases import ListedCaseOut, Plane, ShownCaseOut
from contract.events import Subject
from contract.ids import CaseId, DatasetId, EvaluationId
from contract.texts import BINARY, Name
from server.accounts.deps import UserDep
from server.audit.looks import Look, looked
from server.challenges.service import get_challenge
from server.deps import SessionDep, SettingsDep
from server.organizers.access import observer_of
from server.versions.making import version_of
from server.viewer import files, pictures, service, views
from server.viewer.drawing import USUAL_SIDE

router = APIRouter(prefix="/organize", tags=["organizers"])

_ALL = "/{slug}/datasets/{dataset_id}/cases"
_ONE = f"{_ALL}/{{case_id}}"
_PNG = "image/png"
_GZIP = "application/gzip"

After = Annotated[CaseId | None, Query(description="`id` of the last case of the page before")]
Limit = Annotated[int, Query(ge=1, le=service.MOST, description="Fewer come only where the list ends")]
Image = Annotated[Name | None, Query(description="The key of the input that is drawn, else the first")]
Beside = Annotated[EvaluationId | None, Query(description="An evaluation whose output is shown, too")]


@router.get(_ALL)
def list_cases(
    session: SessionDep,
    user: UserDep,
    slug: Name,
    dataset_id: DatasetId,
    after: After = None,
    limit: Limit = 100,
) -> list[ListedCaseOut]:
    """The cases of a version by name, page by page."""
    challenge = get_challenge(session, slug)
    observer_of(session, user, challenge)
    dataset = version_of(session, challenge, dataset_id)
    looked(session, Subject.DATASET, dataset.id, Look.NAMES, actor=user.actor)
    return [views.listed_out(case) for case in service.listed(session, dataset, after=after, limit=limit)]


@router.get(_ONE)
def get_case(
    session: SessionDep,
    settings: SettingsDep,
    user: UserDep,
    slug: Name,
    dataset_id: DatasetId,
    case_id: CaseId,
    image: Image = None,
    evaluation: Beside = None,
) -> ShownCaseOut:
    """A case: its image's geometry, what its reference says where this server can read it, and its groups."""
    one = service.opened(session, user, slug, dataset_id, case_id)
    key = service.chosen(one.case, image)
    output = None if evaluation is None else service.answered(session, user, one, evaluation, settings)
    return views.shown_out(session, one, key, settings, output)


Coordinate = Annotated[int | None, Query(ge=0, le=2**15, description="In voxels; the middle where left out")]
Grey = Annotated[float | None, Query(ge=-1e9, le=1e9, allow_inf_nan=False)]
Side = Annotated[int, Query(ge=64, le=1024, description="Pixels of the longer side")]


@router.get(
    _ONE + "/slices/{plane}",
    response_class=Response,
    responses={200: {"content": {_PNG: {"schema": BINARY}}}},
)
def get_slice(
    session: SessionDep,
    settings: SettingsDep,
    user: UserDep,
    slug: Name,
    dataset_id: DatasetId,
    case_id: CaseId,
    plane: Annotated[Plane, Path()],
    image: Image = None,
    evaluation: Beside = None,
    x: Coordinate = None,
    y: Coordinate = None,
    z: Coordinate = None,
    low: Grey = None,
    high: Grey = None,
    side: Side = USUAL_SIDE,
    outlines: bool = True,
    cross: bool = True,
) -> Response:
    """A slice of a case as a picture: a voxel as large as it is in millimetres, the patient's right on the left.

    The outline of the reference is drawn where this server can read it, that of an output dashed.
    """
    one = service.opened(session, user, slug, dataset_id, case_id)
    output = None if evaluation is None else service.answered(session, user, one, evaluation, settings)
    wanted = pictures.Wanted(
        plane, service.chosen(one.case, image), (x, y, z), low, high, side, outlines, cross
    )
    return Response(pictures.picture(one, wanted, output, settings), media_type=_PNG)


@router.get(
    _ONE + "/volumes/{what}",
    response_class=StreamingResponse,
    responses={200: {"content": {_GZIP: {"schema": BINARY}}}},
)
def get_volume(
    session: SessionDep,
    settings: SettingsDep,
    user: UserDep,
    slug: Name,
    dataset_id: DatasetId,
    case_id: CaseId,
    what: Annotated[Name, Path(description="The key of an input, `reference` or `output`")],
    evaluation: Annotated[EvaluationId | None, Query(description="Whose output is meant")] = None,
) -> StreamingResponse:
    """A volume of a case as a gzipped NIfTI-1 file, for a viewer that turns it: voxels and their place, no texts.

    Its axes run to the patient's right, front and head, as coordinates of slices do.
    """
    one = service.opened(session, user, slug, dataset_id, case_id)
    output = None if evaluation is None else service.answered(session, user, one, evaluation, settings).said
    packed = files.packed(one, what, output, settings)
    return StreamingResponse(packed.pieces(), media_type=_GZIP)
