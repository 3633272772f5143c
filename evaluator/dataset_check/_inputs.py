"""Inputs as whoever answers, and the check of outputs, will read them."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from evaluator.dataset_check._finding import Finding, error, warning
from evaluator.manifest import ManifestCase
from evaluator.outputs import Header, InputUnreadable, content_size, input_header, same_affine
from evaluator.outputs import spacing_problem as problem_of_spacing
from evaluator.spec import Task

_IMAGES = (".nii.gz", ".nii")
_LABEL_DIMENSIONS = 3


def input_files(case: ManifestCase, root: Path) -> dict[str, Path]:
    """The files of a case by their keys."""
    return {key: root / file.path for key, file in case.files.items()}


def input_findings(
    task: Task, case: ManifestCase, files: Mapping[str, Path], headers: dict[str, Header]
) -> Iterator[Finding]:
    """What is wrong with the inputs of one case; `headers` takes those of the images that can be read."""
    known = {scan.key: scan.file for scan in task.all_inputs}
    try:
        task.inputs_of(set(files))
    except ValueError as problem:
        yield error("input_missing", f"there is {problem}; add it, or leave the case out", case.case)
    for key, path in files.items():
        if key not in known:
            yield error(
                "input_unknown", f"input {key!r} is none of the task's: {', '.join(known)}", case.case
            )
        elif not path.is_file():
            yield error("input_missing", f"input {key} is not there; import the case again", case.case)
        elif known[key].endswith(_IMAGES):
            yield from _image(case.case, key, path, headers)
    if task.kind.shaped and headers:
        shapes = [header.shape for header in headers.values()]
        if all(len(shape) != _LABEL_DIMENSIONS for shape in shapes):
            message = f"its inputs have the shape {shapes[0]}, and label maps are 3-D; remove what is more"
            yield error("input_dimensions", message, case.case)


def _image(case: str, key: str, path: Path, headers: dict[str, Header]) -> Iterator[Finding]:
    try:
        header = input_header(path)
    except InputUnreadable as problem:
        why = str(problem).partition(": ")[2]
        yield error("input_unreadable", f"input {key} is no NIfTI image: {why}; write it anew", case)
        return
    headers[key] = header
    if not header.bits_agree:
        message = f"input {key} has a bitpix that contradicts its data type ({header.bits} bits); write its header anew"
        yield error("input_bitpix", message, case)
    held = content_size(path, header.end)
    if held < header.end:
        message = (
            f"input {key} is cut off: it holds {held} bytes and its header says {header.end}; write it anew"
        )
        yield error("input_cut", message, case)
    yield from _geometry(case, key, header)


def _geometry(case: str, key: str, header: Header) -> Iterator[Finding]:
    axes = header.affine[:3, :3]
    if not np.isfinite(header.affine).all() or np.linalg.matrix_rank(axes.astype(np.float64)) < len(axes):
        message = f"input {key} has an affine that is not finite or flattens the image; write the true one"
        yield error("input_affine", message, case)
        return
    if header.long_quaternion:
        message = (
            f"input {key} has a quaternion longer than 1, which nibabel refuses; write its affine as sform, or "
            "divide the quaternion by its length"
        )
        yield error("input_quaternion", message, case)
    if header.other_affine is not None and not same_affine(header.affine, header.other_affine):
        message = (
            f"input {key} has a qform and an sform that place it differently, and programs choose either"
        )
        yield warning("input_two_affines", f"{message}; make them equal", case)
    if len(header.shape) != _LABEL_DIMENSIONS:
        yield warning("input_shape", f"input {key} has the shape {header.shape}, not three dimensions", case)
    problem = problem_of_spacing(header)
    if problem is not None:
        yield warning("input_spacing", f"input {key} {problem}", case)
