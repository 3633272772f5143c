"""Single cases of a version, as organizers look at them: their names, images, labels and groups are hidden."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from contract.answers import Answer, Id
from contract.bounds import Strict
from contract.challenges import Why
from contract.datasets import Group, Label


class Plane(StrEnum):
    """A plane through the body."""

    AXIAL = "axial"  # seen from the feet
    CORONAL = "coronal"  # seen from the front
    SAGITTAL = "sagittal"  # seen from the patient's left


class ListedCaseOut(Answer):
    """A case of a version, in its order. inputs: the keys of its files. size: theirs in bytes."""

    id: Id
    number: int
    name: str
    inputs: list[str]
    size: int


class ShownImageOut(Answer):
    """An input as it is drawn: axes run to the patient's right, front and head.

    shape, spacing: voxels, and millimetres of a step, along each of the three axes.
    stored: the letters to which the axes of the file run. oblique: degrees by which they lean from these, at most.
    window: the grey values that are black and white unless others are asked for.
    """

    key: str
    shape: list[int]
    spacing: list[float]
    stored: str
    oblique: float
    window: list[float]


class ShownLabelOut(Answer):
    """A label of a label map with its volume, and the colour of its outline."""

    label: int
    voxels: int
    millilitres: float
    colour: str


class ShownLabelsOut(Answer):
    """What a reference or an output says of a case: labels with volumes, or the text of a value.

    outlined: whether its outline is drawn over the image. note: why there is nothing to show, or to outline.
    """

    labels: list[ShownLabelOut]
    text: str | None
    outlined: bool
    note: str | None


class ShownOutputOut(Answer):
    """What an evaluation came to in this case. verdict: null until there is one."""

    evaluation: Id
    team: str
    verdict: str | None
    shown: ShownLabelsOut


class ShownCaseOut(Answer):
    """A case with everything that is known of it. note: why its image is not drawn.

    before, after: its neighbours in the version. groups: such as age and site, where they are known.
    """

    id: Id
    dataset: Id
    phase: str
    task: str
    number: int
    name: str
    before: Id | None
    after: Id | None
    inputs: list[str]
    image: ShownImageOut | None
    note: str | None
    reference: ShownLabelsOut
    groups: dict[str, str]
    output: ShownOutputOut | None


class OneCorrectionIn(Strict):
    """A correction of one case, which makes another version: `withdraw`, or another label, or other groups.

    label: what its label file would hold; a label map is sent as a file. A group that is left out stays.
    """

    why: Why
    withdraw: Annotated[bool, Field(strict=True)] = False
    label: Label | None = None
    sex: Group = None
    age: Group = None
    site: Group = None
    scanner: Group = None
    cohort: Group = None
    accept: Annotated[bool, Field(strict=True)] = False

    def groups(self) -> dict[str, str]:
        """The groups that were sent, by column: "" for what is not known."""
        other = {"why", "withdraw", "label", "accept"}
        sent = ((column, getattr(self, column)) for column in self.model_fields_set - other)
        return {column: "" if value is None else str(value).strip() for column, value in sent}
