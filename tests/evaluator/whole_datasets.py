"""Datasets with inputs, references and answers on disk, sound unless a test damages them."""

import csv
import gzip
import hashlib
from pathlib import Path

import nibabel
import numpy as np

from evaluator import outputs
from evaluator.dataset_check import Finding, Severity, check_dataset
from evaluator.manifest import Manifest
from evaluator.spec import Challenge, OneOf

SHAPE = (12, 11, 10)
AFFINE = np.diag([2.0, 2, 3, 1])


def nifti(data, affine=AFFINE, **fields) -> bytes:
    """An unpacked image; `fields` overwrite its header after nibabel has written it."""
    image = nibabel.Nifti1Image(data, affine, dtype=data.dtype)
    image.header.set_xyzt_units("mm")
    content = bytearray(image.to_bytes())
    for name, value in fields.items():
        kind, offset = image.header.template_dtype.fields[name][:2]
        raw = np.asarray(value, kind.base).tobytes()
        content[offset : offset + len(raw)] = raw
    return bytes(content)


def mask(labels, number: int, shape=SHAPE):
    """A map in which every label but 0 has a block of its own, another one in each case."""
    found = np.zeros(shape, np.uint8)
    for label in labels:
        if label:
            start = 1 + 4 * (label - 1) + number % 2
            found[start : start + 3, 2 + number % 3 : 8, 3:7] = label
    return found


class Whole:
    """A dataset of one task under `root`; what `add` wrote may be overwritten before `manifest` is asked for."""

    def __init__(self, root: Path, spec: Challenge, task: str) -> None:
        self.root, self.spec, self.name, self.task = root, spec, task, spec.tasks[task]
        self.inputs, self.references, self.answers = root / "inputs", root / "references", root / "answers"
        for folder in (self.inputs, self.references, self.answers):
            folder.mkdir(parents=True)
        self.rows: list[dict[str, object]] = []
        self.image = gzip.compress(nifti(np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)), 1)

    def add(self, case: str, labels=None, **row) -> None:
        """A case with all its inputs, its row and, of a segmentation, its label map."""
        self.rows.append({"case": case} | row)
        for path in self.input_paths(case).values():
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(self.image)
        if labels is not None:
            self.reference_path(case).write_bytes(gzip.compress(nifti(labels), 1))

    def input_paths(self, case: str) -> dict[str, Path]:
        """One input of each choice."""
        chosen = [one.one_of[0] if isinstance(one, OneOf) else one for one in self.task.inputs]
        return {one.key: self.inputs / case / one.file for one in chosen}

    def reference_path(self, case: str) -> Path:
        return self.references / f"{case}.nii.gz"

    @property
    def table(self) -> Path:
        return self.references / "references.csv"

    def save(self) -> Manifest:
        """Writes references.csv."""
        columns = list(dict.fromkeys(column for row in self.rows for column in row))
        with self.table.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(self.rows)
        return self.manifest

    @property
    def manifest(self) -> Manifest:
        cases = [
            {
                "case": row["case"],
                "files": {
                    key: {
                        "path": str(path.relative_to(self.root)),
                        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                    }
                    for key, path in self.input_paths(str(row["case"])).items()
                    if path.exists()
                },
            }
            for row in self.rows
        ]
        return Manifest.model_validate({"dataset": "whole", "cases": cases})

    def answer(self, case: str, content: bytes) -> None:
        (self.answers / f"{case}{self.task.output.suffix}").write_bytes(content)

    def read(self, case: str) -> outputs.Value | None:
        """An answer as workers read it: checked, and in canonical form."""
        path = self.answers / f"{case}{self.task.output.suffix}"
        checked, canonical = outputs.check_and_encode(self.task, path, self.input_paths(case))
        return outputs.decode(self.task, canonical) if checked.valid and canonical is not None else None

    def findings(self, manifest: Manifest | None = None, **how: bool) -> tuple[Finding, ...]:
        """Of the dataset as it lies there, or as another manifest says."""
        if not self.table.exists():
            self.save()
        cases = self.manifest if manifest is None else manifest
        return check_dataset(self.spec, self.name, cases, root=self.root, references=self.references, **how)

    def errors(self, manifest: Manifest | None = None, **how: bool) -> list[tuple[str, str | None]]:
        """Code and case of each error."""
        found = self.findings(manifest, **how)
        return [(one.code, one.case) for one in found if one.severity is Severity.ERROR]

    def warnings(self, manifest: Manifest | None = None, **how: bool) -> list[tuple[str, str | None]]:
        """Code and case of each warning."""
        found = self.findings(manifest, **how)
        return [(one.code, one.case) for one in found if one.severity is Severity.WARNING]
