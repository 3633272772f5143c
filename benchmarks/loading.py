"""Loading a mask of 105 million voxels, against nibabel's default."""

import functools
import tempfile
from pathlib import Path

import nibabel
import numpy as np

from benchmarks.segmentation import tumours
from benchmarks.support.compare import Action, Comparison, compare
from evaluator.outputs import SegmentationOutput, check_output, read_label_map
from evaluator.spec import load_challenge

_SHAPE, _SPACING = (512, 512, 400), (0.5, 0.5, 0.6)
_CHALLENGE = Path(__file__).parents[1] / "challenges/fomo26/challenge.yaml"


def run() -> list[Comparison]:
    """Our two ways in: a participant's mask with every check, and a reference."""
    task = load_challenge(_CHALLENGE).tasks["task2"]
    output = SegmentationOutput.model_validate(task.output.model_dump())
    with tempfile.TemporaryDirectory() as directory:
        path, source = Path(directory) / "mask.nii.gz", Path(directory) / "input.nii.gz"
        mask = np.asfortranarray(tumours(_SHAPE, _SPACING, 0.009)[1].astype(np.uint8))
        for file in (path, source):
            nibabel.save(nibabel.Nifti1Image(mask, np.diag([*_SPACING, 1])), file)
        result = check_output(task, path, {"flair": source})
        if not result.valid or not np.array_equal(read_label_map(output, path).labels, mask):
            raise RuntimeError("the mask was not read as it was written")
        ways: dict[str, Action] = {
            "mask of 105 MB, every check": functools.partial(check_output, task, path, {"flair": source}),
            "reference of 105 MB": functools.partial(read_label_map, output, path),
        }
        theirs = ("nibabel get_fdata", lambda: nibabel.Nifti1Image.from_filename(path).get_fdata())
        return [
            compare(f"loading a {name}", ("evaluator", way), theirs, repeat=5, least=5)
            for name, way in ways.items()
        ]
