"""The demo teams' own NIfTI reader, judged by nibabel."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from demo.teams import nifti


def _affine(order: tuple[int, int, int], signs: tuple[int, int, int]) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, (world, sign) in enumerate(zip(order, signs, strict=True)):
        affine[world, axis] = sign * (1.5, 2.0, 5.0)[axis]
    return affine


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, 1, 1), (1, -1, -1)])
def test_reads_and_writes_as_nibabel_does(
    order: tuple[int, int, int], signs: tuple[int, int, int], tmp_path: Path
) -> None:
    data = np.random.default_rng(1).integers(0, 900, (4, 5, 6)).astype(np.int16)
    nib.save(nib.Nifti1Image(data, _affine(order, signs)), tmp_path / "scan.nii.gz")
    image = nifti.load(tmp_path / "scan.nii.gz")
    judge = nib.as_closest_canonical(nib.load(tmp_path / "scan.nii.gz"))
    np.testing.assert_array_equal(image.canonical(), np.asarray(judge.dataobj))
    labels = (image.canonical() > 450).astype(np.uint8)
    nifti.save_labels(labels, image, tmp_path / "mask.nii.gz")
    mask = nib.load(tmp_path / "mask.nii.gz")
    np.testing.assert_allclose(mask.affine, _affine(order, signs))
    np.testing.assert_array_equal(np.asarray(nib.as_closest_canonical(mask).dataobj), labels)
