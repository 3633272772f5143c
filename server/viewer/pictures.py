"""The picture that somebody asks for: which slice, in which grey values, with which outlines."""

from dataclasses import dataclass

from contract.cases import Plane
from server.settings import Settings
from server.viewer import service
from server.viewer.drawing import Outline, draw, inside
from server.viewer.png import png
from server.viewer.service import Answered, Opened
from server.viewer.views import label_order


@dataclass(frozen=True)
class Wanted:
    """A slice; coordinates in voxels, the middle where they are None, and the usual window where it is."""

    plane: Plane
    key: str
    at: tuple[int | None, int | None, int | None]
    low: float | None
    high: float | None
    side: int
    outlines: bool
    cross: bool


def picture(one: Opened, wanted: Wanted, output: Answered | None, settings: Settings) -> bytes:
    """The PNG file.

    Raises:
        Conflict, Unprocessable: see `server.viewer.service.drawable`.
    """
    image = service.drawable(one, wanted.key, settings)
    low, high = image.usual
    outlines: list[Outline] = []
    if wanted.outlines:
        for said, dashed in (
            (service.reference(one, settings), False),
            (None if output is None else output.said, True),
        ):
            if said is not None and said.labels is not None and said.labels.same_place(image):
                outlines.append(Outline(said.labels, dashed))
    pixels = draw(
        image,
        wanted.plane,
        inside(image, wanted.at),
        side=wanted.side,
        window=(low if wanted.low is None else wanted.low, high if wanted.high is None else wanted.high),
        outlines=tuple(outlines),
        order=label_order(one),
        cross=wanted.cross,
    )
    return png(pixels)
