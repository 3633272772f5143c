"""The page of a case: three planes that meet in a place, and what its reference and an evaluation say of it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from contract.cases import Plane, ShownCaseOut, ShownImageOut, ShownLabelsOut
from contract.ids import CaseId, DatasetId
from contract.texts import Name
from server.deps import SessionDep, SettingsDep
from server.pages import POLICY, WITH_DATA_IMAGES, looking_at, page
from server.viewer import files, service, views
from server.viewer.drawing import AXES, EDGES, USUAL_SIDE, Grid, Place, frame, inside, place_at
from server.web.frame import organizer_frame
from server.web.looking import ReaderDep
from server.web.scripts import third_party

router = APIRouter(prefix="/organize/{slug}", include_in_schema=False)

SIDES = (USUAL_SIDE, 450, 640)
"""Pixels of a plane's longer side; the first fits a telephone."""
_FAR = 10
_NOWHERE = (None, None, None)
_AXES = "xyz"
_Coordinate = Annotated[int | None, Query(ge=-(2**15), le=2**15)]
_Grey = Annotated[str, Query(max_length=40)]
_Chosen = Annotated[str, Query(max_length=100)]


@dataclass(frozen=True)
class Asked:
    """What a link or a form of the page asks for; empty texts ask for what is usual."""

    image: str
    evaluation: str
    at: tuple[int | None, int | None, int | None]
    low: str
    high: str
    side: int
    outlines: bool
    cross: bool

    def query(self, place: Place) -> str:
        """The same at another place, as the query of an address."""
        return urlencode(self.fields(place))

    def fields(self, place: Place) -> dict[str, str]:
        """The same as fields of a form; what is usual is left out."""
        given = {"image": self.image, "evaluation": self.evaluation, "low": self.low, "high": self.high}
        fields = {name: value for name, value in given.items() if value}
        if self.side != SIDES[0]:
            fields["side"] = str(self.side)
        for name in ("outlines", "cross"):
            if not getattr(self, name):
                fields[name] = "false"
        return {**fields, **{axis: str(value) for axis, value in zip(_AXES, place, strict=True)}}


def _asked(
    image: _Chosen = "",
    evaluation: _Chosen = "",
    x: _Coordinate = None,
    y: _Coordinate = None,
    z: _Coordinate = None,
    low: _Grey = "",
    high: _Grey = "",
    side: Annotated[int, Query(ge=SIDES[0], le=SIDES[-1])] = SIDES[0],
    outlines: bool = True,
    cross: bool = True,
) -> Asked:
    return Asked(image, evaluation, (x, y, z), _number(low), _number(high), side, outlines, cross)


def _number(text: str) -> str:
    """What was typed as a grey value, where it is one; else the usual one is meant."""
    try:
        return f"{float(text):g}" if abs(float(text)) <= 1e9 else ""
    except ValueError:
        return ""


@dataclass(frozen=True)
class Shown:
    """A plane as the page has it: where its picture is, how large, and the slices beside it."""

    name: str
    picture: str
    width: int
    height: int
    edges: str
    axis: str
    at: int
    last: int
    steps: Mapping[str, str]
    fields: Mapping[str, str]


@router.get("/datasets/{dataset_id}/cases/{case_id}", response_class=HTMLResponse)
def case(
    request: Request,
    session: SessionDep,
    settings: SettingsDep,
    reader: ReaderDep,
    slug: Name,
    dataset_id: DatasetId,
    case_id: CaseId,
    asked: Annotated[Asked, Depends(_asked)],
) -> Response:
    """A case with its slices; a click in one of them moves the others there."""
    one = service.opened(session, reader.user, slug, dataset_id, case_id)
    key = service.chosen(one.case, asked.image or None)
    output = None
    if asked.evaluation:
        wanted = service.evaluation_id(asked.evaluation)
        output = service.answered(session, reader.user, one, wanted, settings)
    shown = views.shown_out(session, one, key, settings, output)
    here = f"/organize/{slug}/datasets/{dataset_id}/cases/{case_id}"
    place: Place | None = None
    if shown.image is not None:
        at = asked.at
        if at == _NOWHERE:
            at = service.midst(one, key, settings) or at
        place = inside(_grid(shown.image), at)
        clicked = _clicked(request.query_params, shown.image, place, asked.side)
        if clicked is not None:
            return RedirectResponse(f"{here}?{asked.query(clicked)}", status_code=303)
    niivue = third_party("@niivue/niivue")
    return page(
        request,
        "organize/case.html",
        policy=POLICY if niivue is None else WITH_DATA_IMAGES,
        frame=organizer_frame(one.challenge, decides=looking_at(request).decides(one.challenge.slug)),
        dataset=one.dataset,
        case=shown,
        here=here,
        asked=asked,
        place=place,
        query="" if place is None else asked.query(place),
        planes=[] if place is None else _planes(here, shown, asked, place),
        usual="" if place is None else replace(asked, low="", high="").query(place),
        sides=SIDES,
        ran=service.ran_on(session, one),
        is_map=bool(shown.reference.labels),
        niivue=niivue,
        turned=None if place is None else _turned(here, shown, asked, place),
        value=None if place is None else service.value_at(one, key, place, settings),
    )


def _grid(image: ShownImageOut) -> Grid:
    wide, deep, high = image.shape
    right, front, head = image.spacing
    return Grid((wide, deep, high), (right, front, head))


def _clicked(sent: Mapping[str, str], image: ShownImageOut, place: Place, side: int) -> Place | None:
    """Where somebody clicked: a picture that sends a form sends along where in it that was."""
    for plane in Plane:
        column, row = sent.get(f"{plane}.x"), sent.get(f"{plane}.y")
        if column is None or row is None or not (column.isdecimal() and row.isdecimal()):
            continue
        if (column, row) != ("0", "0"):  # as a key sends, and not a hand
            return place_at(_grid(image), plane, place, side, int(column[:6]), int(row[:6]))
    return None


def _planes(here: str, shown: ShownCaseOut, asked: Asked, place: Place) -> list[Shown]:
    if shown.image is None:
        return []
    found = []
    for plane in Plane:
        size, through = frame(_grid(shown.image), plane, asked.side), AXES[plane][2]
        last = shown.image.shape[through] - 1
        steps = {}
        for name, by in (("first", -_FAR), ("before", -1), ("after", 1), ("last", _FAR)):
            moved = list(place)
            moved[through] = min(max(0, place[through] + by), last)
            steps[name] = f"{here}?{asked.query((moved[0], moved[1], moved[2]))}"
        fields = asked.fields(place)
        fields.pop(_AXES[through])
        found.append(
            Shown(
                name=plane.value,
                picture=f"/api/v1{here}/slices/{plane}?{asked.query(place)}",
                width=size.width,
                height=size.height,
                edges=EDGES[plane],
                axis=_AXES[through],
                at=place[through],
                last=last,
                steps=steps,
                fields=fields,
            )
        )
    return found


def _turned(here: str, shown: ShownCaseOut, asked: Asked, place: Place) -> Mapping[str, Any] | None:
    """What the page's script loads and shows in 3D: the image, and label maps that lie on its grid.

    None where there is no image, or a larger one than the server hands out.
    """
    image, output = shown.image, shown.output
    if image is None or files.too_large(tuple(image.shape)):
        return None
    there = f"/api/v1{here}/volumes"
    overlays = [_overlay(f"{there}/{files.REFERENCE}", "Reference", shown.reference)]
    if output is not None:
        address = f"{there}/{files.OUTPUT}?{urlencode({'evaluation': output.evaluation})}"
        overlays.append(_overlay(address, f"Output of {output.team}", output.shown, paler=True))
    low, high = image.window
    return {
        "image": {
            "path": f"{there}/{image.key}",
            "name": image.key,
            "window": [float(asked.low or low), float(asked.high or high)],
        },
        "overlays": [overlay for overlay in overlays if overlay is not None],
        "place": place,
    }


def _overlay(
    address: str, name: str, said: ShownLabelsOut, *, paler: bool = False
) -> Mapping[str, Any] | None:
    if not said.outlined:
        return None
    labels = [(label.label, label.colour) for label in said.labels]
    return {"path": address, "name": name, "paler": paler, "labels": labels}
