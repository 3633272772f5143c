"""Cases as they leave."""

from sqlalchemy.orm import Session

from contract.cases import (
    ListedCaseOut,
    ShownCaseOut,
    ShownImageOut,
    ShownLabelOut,
    ShownLabelsOut,
    ShownOutputOut,
)
from evaluator.outputs import SegmentationOutput
from server.datasets.models import Case
from server.errors import Conflict, Unprocessable
from server.settings import Settings
from server.viewer import service
from server.viewer.drawing import COLOURS
from server.viewer.service import Answered, Opened, Said
from server.viewer.volumes import Volume

OTHER_GRID = "It lies on another grid than this image, so its outline is not drawn."


def listed_out(case: Case) -> ListedCaseOut:
    """A case of a list."""
    size = sum(file["size"] for file in case.files.values())
    return ListedCaseOut.of(case, number=case.ordinal + 1, inputs=list(case.files), size=size)


def label_order(one: Opened) -> tuple[int, ...]:
    """The labels of the task but the background, in the file's order, which says their colours."""
    output = None if one.task is None else one.task.output
    return tuple(label for label in output.labels if label) if isinstance(output, SegmentationOutput) else ()


def shown_out(
    session: Session, one: Opened, key: str, settings: Settings, output: Answered | None
) -> ShownCaseOut:
    """A case with its image, its reference and what an evaluation answered."""
    before, after = service.neighbours(session, one.case)
    image, note = _image(one, key, settings)
    return ShownCaseOut.of(
        one.case,
        dataset=one.dataset.id,
        phase=one.dataset.phase,
        task=one.dataset.task,
        number=one.case.ordinal + 1,
        before=before,
        after=after,
        inputs=list(one.case.files),
        image=None if image is None else ShownImageOut.of(image, key=key, window=image.usual),
        note=note,
        reference=_labels_out(one, service.reference(one, settings), image),
        groups=service.groups(one, settings),
        output=None
        if output is None
        else ShownOutputOut.of(output, shown=_labels_out(one, output.said, image)),
    )


def _image(one: Opened, key: str, settings: Settings) -> tuple[Volume | None, str | None]:
    try:
        return service.drawable(one, key, settings), None
    except (Conflict, Unprocessable) as problem:
        return None, problem.detail


def _labels_out(one: Opened, said: Said, image: Volume | None) -> ShownLabelsOut:
    labels = said.labels
    outlined = labels is not None and image is not None and labels.same_place(image)
    note = said.note
    if labels is not None and image is not None and not outlined:
        note = OTHER_GRID
    counts = {} if labels is None else labels.labels
    return ShownLabelsOut(
        labels=[
            ShownLabelOut(
                label=label,
                voxels=counts.get(label, 0),
                millilitres=counts.get(label, 0) * labels.millilitres,
                colour=COLOURS[place % len(COLOURS)],
            )
            for place, label in enumerate(label_order(one))
        ]
        if labels is not None
        else [],
        text=said.text,
        outlined=outlined,
        note=note,
    )
