"""Small folders in the FOMO layout, sound as they are written, for tests to damage."""

import gzip
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from evaluator.outputs import EmbeddingOutput, SegmentationOutput
from evaluator.spec import Challenge, load_challenge
from server.datasets.findings import LayoutError
from server.datasets.staging import Prepared, prepare
from server.settings import Settings

FOMO26 = load_challenge(
    Path(__file__).parents[2] / "challenges/fomo26/challenge.yaml",
    Path(__file__).parents[1] / "e2e/overlay.yaml",
)
"""With a probe of four cases per cohort."""

SIDE = 8
COHORTS = "abc"


@dataclass(frozen=True)
class Phantom:
    """A Task_N folder; subjects are sub-01, sub-02 …, each with ses-01."""

    root: Path
    task: str

    @property
    def table(self) -> Path:
        return self.root / "participants.tsv"

    def inputs(self, number: int = 1) -> Path:
        return self.root / "preprocessed" / f"sub-{number:02}" / "ses-01"

    def labels(self, number: int = 1) -> Path:
        return self.root / "labels" / f"sub-{number:02}" / "ses-01"

    def scan(self, number: int = 1) -> Path:
        return sorted(self.inputs(number).iterdir())[0]

    def rows(self) -> list[str]:
        return self.table.read_text().splitlines()

    def write_rows(self, rows: list[str]) -> None:
        self.table.write_text("\n".join(rows) + "\n")

    def edit(self, old: str, new: str) -> None:
        """Changes the table of participants."""
        text = self.table.read_text()
        assert old in text
        self.table.write_text(text.replace(old, new))


def phantom(root: Path, task: str, *, cases: int = 4, seed: int = 0, spec: Challenge = FOMO26) -> Phantom:
    """A sound folder with `cases` cases, or that many per cohort for embeddings."""
    made = Phantom(root / f"Task_{task[-1]}", task)
    output = spec.tasks[task].output
    probed = isinstance(output, EmbeddingOutput)
    rows = ["participant_id\tsex\tage\tsite\tcohort"]
    for number in range(1, 1 + (cases * len(COHORTS) if probed else cases)):
        rng = np.random.default_rng([seed, number])
        made.inputs(number).mkdir(parents=True)
        voxels = rng.integers(1, 900, (SIDE,) * 3).astype(np.int16)
        files = [one.file if hasattr(one, "file") else one.one_of[0].file for one in spec.tasks[task].inputs]
        for position, file in enumerate(files):
            write(made.inputs(number) / file, nifti(voxels + position))
        if not probed:
            made.labels(number).mkdir(parents=True)
        if isinstance(output, SegmentationOutput):
            write(made.labels(number) / "seg.nii.gz", nifti(mask(output.labels, number)))
        elif not probed:
            label = number % 2 if task != "task3" else 30 + number
            write(made.labels(number) / "label.txt", f"{label}\n".encode())
        cohort = COHORTS[number % len(COHORTS)]
        rows.append(f"sub-{number:02}\t{'FM'[number // 3 % 2]}\t{30 + 7 * (number % 9)}\tA\t{cohort}")
    made.write_rows(rows)
    return made


def write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def mask(labels: tuple[int, ...], number: int) -> npt.NDArray[np.int16]:
    """Every label in a block of its own."""
    found = np.zeros((SIDE,) * 3, np.int16)
    for place, label in enumerate(one for one in labels if one):
        found[1 : 4 + number % 2, 1 + 3 * place : 3 + 3 * place, 2:6] = label
    return found


def nifti(voxels: npt.NDArray[np.generic], *, step: float = 1.0) -> bytes:
    """A gzipped NIfTI-1 file; dtype one of uint8, int16, float32."""
    code = {"uint8": 2, "int16": 4, "float32": 16}[voxels.dtype.name]
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    shape = (*voxels.shape, 1, 1, 1, 1, 1)[:7]
    struct.pack_into("<8h", header, 40, voxels.ndim, *shape)
    struct.pack_into("<hh", header, 70, code, voxels.dtype.itemsize * 8)
    struct.pack_into("<8f", header, 76, 1, step, step, step, 1, 1, 1, 1)
    struct.pack_into("<3f", header, 108, 352.0, 1.0, 0.0)
    header[123] = 2
    struct.pack_into("<hh", header, 252, 0, 1)
    struct.pack_into("<12f", header, 280, step, 0, 0, -4, 0, step, 0, -4, 0, 0, step, -4)
    header[344:348] = b"n+1\0"
    return gzip.compress(bytes(header) + voxels.tobytes(order="F"), 1, mtime=0)


def patched(content: bytes, kind: str, offset: int, *values: float) -> bytes:
    """A gzipped file with other values in its header."""
    plain = bytearray(gzip.decompress(content))
    struct.pack_into(f"<{kind}", plain, offset, *values)
    return gzip.compress(bytes(plain), 1, mtime=0)


def trees(root: Path) -> Settings:
    """Settings whose inputs and references lie below `root`; there is no database."""
    return Settings.model_validate(
        {"data": root, "secret_key": "k" * 40, "DATABASE_URL": "postgresql+psycopg://nowhere/none"}
    )


def staged(made: Phantom, root: Path, *, spec: Challenge = FOMO26, phase: str = "validation") -> Prepared:
    """What came of preparing the folder; nothing of it is left where it was refused.

    Raises:
        LayoutError: it was refused.
    """
    settings = trees(root)
    try:
        return prepare(
            spec,
            phase=phase,
            task=made.task,
            source=made.root,
            settings=settings,
            progress=lambda done, of: None,
        )
    except LayoutError:
        for tree in (settings.inputs, settings.references):
            assert not list(tree.rglob("*")), "something is left"
        raise


def refused(made: Phantom, root: Path, *, spec: Challenge = FOMO26) -> list[str]:
    """The errors of a folder, none if it was taken."""
    try:
        staged(made, root, spec=spec)
    except LayoutError as error:
        return error.problems
    return []
