"""Writing the two trees of a version, case after case, and remembering what is wrong with any."""

import csv
import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evaluator.outputs import TruthError
from evaluator.spec import Cells, Cohorts, Files, Maps, Task
from server.datasets.findings import Findings, some
from server.datasets.fomo_layout import Found
from server.datasets.headers import Clean, Geometry, NotNifti, clean
from server.datasets.models import Case
from server.datasets.participants import GROUPS
from server.datasets.tables import read_text
from server.datasets.trees import Trees

_LABEL_BYTES = 10_000


class Writer:
    """Writes case after case, and remembers what is wrong with any."""

    def __init__(self, trees: Trees, task: Task, findings: Findings) -> None:
        self.cases: list[Case] = []
        self._scans: dict[str, list[str]] = {}
        self._trees, self._task, self._findings = trees, task, findings
        self._names = {entry.key: entry.file for entry in task.all_inputs}
        self._rows: list[dict[str, str]] = []
        self._without_cohort: list[str] = []

    def add(self, one: Found) -> None:
        files, geometry = self._inputs(one)
        label = self._reference(one, geometry)
        self.cases.append(Case(ordinal=len(self.cases), name=one.case, files=files))
        self._rows.append({"case": one.case, "subject": one.subject, "label": label, **one.groups})

    def carry(
        self,
        case: Case,
        row: Mapping[str, str],
        *,
        inputs: Path,
        references: Path,
        label: bytes | None,
    ) -> None:
        """Takes over a case of another version with its row of references.csv; no image is copied where links work.

        inputs: the tree of all inputs. references: those of the other version. label: the file of another label, where
        there is one. A label that is a cohort follows the row.
        """
        files = {}
        for key, file in case.files.items():
            place = Path(case.name) / Path(file["path"]).name
            (self._trees.inputs / case.name).mkdir(exist_ok=True)
            _link(inputs / file["path"], self._trees.inputs / place)
            files[key] = {**file, "path": str(self._trees.folder / place)}
        self.cases.append(Case(ordinal=len(self.cases), name=case.name, files=files))
        written = row.get("label") or ""
        if label is not None:
            written = self._relabelled(case.name, label)
        elif isinstance(self._task.kind.labels, Cohorts):
            written = row["cohort"]
            if not written:
                self._without_cohort.append(case.name)
        else:
            for path in references.glob(f"{case.name}.*"):
                _link(path, self._trees.references / path.name)
        groups = {column: row.get(column) or "" for column in GROUPS}
        self._rows.append({"case": case.name, "subject": row["subject"], "label": written, **groups})

    def _relabelled(self, case: str, label: bytes) -> str:
        """As `_reference`, of a label that is the content of a file."""
        labels = self._task.kind.labels
        if isinstance(labels, Cohorts):
            self._findings.error(case, "its label is its cohort; correct that group instead")
            return ""
        suffix = (
            ".nii.gz" if isinstance(labels, Maps) else labels.suffix if isinstance(labels, Files) else ".txt"
        )
        path = self._trees.references / f"{case}{suffix}"
        path.write_bytes(label)
        if isinstance(labels, Maps):
            self._segmentation(case, path, None)
        elif isinstance(labels, Files):
            self._file(case, path, labels)
        else:
            text = _label(self._task, labels, path, self._findings)
            path.unlink()
            return text
        return ""

    def close(self) -> None:
        """Writes the table of references and names scans that came twice."""
        for names in self._scans.values():
            if len(names) > 1:
                what = "hold the very same scan; keep one of them"
                self._findings.error(some(names), what)
        if self._without_cohort:
            what = "have no cohort in participants.tsv, and it is their label"
            self._findings.error(some(self._without_cohort), what)
        path = self._trees.references / "references.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(
                file, ["case", "subject", "label", *GROUPS], restval="", lineterminator="\n"
            )
            writer.writeheader()
            writer.writerows(self._rows)

    def _clean(self, path: Path, name: str) -> Clean | None:
        try:
            volume = clean(path, name)
        except NotNifti as error:
            self._findings.error(path, str(error))
            return None
        if volume.surplus:
            self._findings.warn(path, f"has {volume.surplus} bytes behind its voxels, which are left out")
        return volume

    def _inputs(self, one: Found) -> tuple[dict[str, Any], Geometry | None]:
        """The files of a case as its row names them, and its place, None where no input says it."""
        files: dict[str, Any] = {}
        first: Geometry | None = None
        for key, path in one.inputs.items():
            volume = self._clean(path, self._names[key])
            if volume is None:
                continue
            if first is not None and not volume.geometry.same_place(first):
                self._findings.error(path, "shape or affine differs from the other modalities of this case")
                continue
            first = volume.geometry
            files[key] = self._stored(one.case, key, volume)
            self._judge(path, volume)
        return files, first

    def _stored(self, case: str, key: str, volume: Clean) -> dict[str, Any]:
        place = Path(case) / self._names[key]
        target = self._trees.inputs / place
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(volume.data)
        stored: dict[str, Any] = {
            "path": str(self._trees.folder / place),
            "sha256": hashlib.sha256(volume.data).hexdigest(),
            "size": len(volume.data),
        }
        if not volume.constant and not volume.nowhere_finite:  # such images are alike whoever was scanned
            stored["voxels"] = volume.voxels
            names = self._scans.setdefault(volume.voxels, [])
            if case not in names:
                names.append(case)
        return stored

    def _judge(self, path: Path, volume: Clean) -> None:
        if volume.nowhere_finite:
            self._findings.warn(path, "no voxel is a finite number")
        elif volume.constant:
            self._findings.warn(path, "every voxel has the same value")

    def _reference(self, one: Found, geometry: Geometry | None) -> str:
        """The label of a case as references.csv has it; what is a file is written beside it."""
        labels = self._task.kind.labels
        if isinstance(labels, Cohorts):
            cohort = one.groups.get("cohort", "")
            if not cohort:
                self._without_cohort.append(one.case)
            return cohort
        if one.label is None:
            self._findings.error(one.place, f"there is no labels/…/{labels.files[0]} of it")
            return ""
        if isinstance(labels, Cells):
            return _label(self._task, labels, one.label, self._findings)
        if isinstance(labels, Maps):
            self._segmentation(one.case, one.label, geometry)
        else:
            self._file(one.case, one.label, labels)
        return ""

    def _file(self, case: str, label: Path, labels: Files) -> None:
        try:
            labels.read(self._task.output, label)
        except TruthError as error:
            self._findings.error(label, str(error))
            return
        target = self._trees.references / f"{case}{labels.suffix}"
        if label != target:
            shutil.copyfile(label, target)

    def _segmentation(self, case: str, label: Path, geometry: Geometry | None) -> None:
        volume = self._clean(label, "seg.nii.gz")
        if volume is None:
            return
        if volume.constant:
            self._findings.warn(label, "the label map is empty, or one label everywhere")
        if geometry is not None and volume.geometry.shape != geometry.shape:
            what = f"shape {volume.geometry.shape}, but the inputs have {geometry.shape}"
            self._findings.error(label, what)
            return
        (self._trees.references / f"{case}.nii.gz").write_bytes(volume.data)


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:  # another disk, or one that has no links; what cannot be read fails here, too
        shutil.copyfile(source, target)


def _label(task: Task, labels: Cells, path: Path, findings: Findings) -> str:
    text = read_text(path, findings, most=_LABEL_BYTES)
    if text is None:
        return ""
    try:
        labels.read(task.output, text.strip())
    except TruthError as error:
        findings.error(path, str(error))
    return text.strip()
