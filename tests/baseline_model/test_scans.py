"""Whatever is wrong with a call or a scan is said in one line, with a code of its kind, before torch is loaded."""

import gzip
import subprocess
import sys
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from baseline_model import call
from baseline_model.scans import CannotAnswer, CaseFault, read_scan
from baseline_model.writing import write

AFFINE = np.diag([1.0, 1.0, 2.0, 1.0])
VOXELS = np.arange(8 * 9 * 10, dtype=np.float32).reshape(8, 9, 10)


def _saved(path: Path, voxels: np.ndarray = VOXELS, affine: np.ndarray = AFFINE) -> Path:
    nib.save(nib.Nifti1Image(voxels, affine), path)
    return path


def _fault(path: Path) -> CaseFault:
    with pytest.raises(CannotAnswer) as refused:
        read_scan(path)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)
    return refused.value.fault


def test_what_holds_no_scan_is_refused_by_kind(tmp_path: Path) -> None:
    good = _saved(tmp_path / "good.nii.gz").read_bytes()
    files = {
        CaseFault.UNREADABLE: [tmp_path / "none.nii.gz", tmp_path],
        CaseFault.FOREIGN: [tmp_path / "nothing.nii.gz", tmp_path / "text.nii.gz"],
        CaseFault.DAMAGED: [tmp_path / "cut.nii.gz", tmp_path / "short.nii"],
    }
    (tmp_path / "nothing.nii.gz").write_bytes(b"")
    (tmp_path / "text.nii.gz").write_bytes(gzip.compress(b"no scan at all" * 100))
    (tmp_path / "cut.nii.gz").write_bytes(good[: len(good) // 2])
    (tmp_path / "short.nii").write_bytes(gzip.decompress(good)[:-8])

    assert {fault: {_fault(path) for path in paths} for fault, paths in files.items()} == {
        fault: {fault} for fault in files
    }


def test_a_wrong_checksum_is_damage(tmp_path: Path) -> None:
    path = _saved(tmp_path / "scan.nii.gz")
    path.write_bytes(path.read_bytes()[:-8] + b"\0\0\0\0" + path.read_bytes()[-4:])

    assert _fault(path) is CaseFault.DAMAGED


def test_a_file_that_goes_on_for_long_behind_its_voxels_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = _saved(tmp_path / "scan.nii.gz")
    path.write_bytes(path.read_bytes() + gzip.compress(bytes(2**20)))
    read_scan(path)
    path.write_bytes(path.read_bytes() + gzip.compress(bytes(2**20)) * 70)

    assert _fault(path) is CaseFault.DAMAGED


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_extensions_of_a_header_are_read_as_far_as_they_have_a_length(tmp_path: Path, kind: Any) -> None:
    image, path = kind(VOXELS, AFFINE), tmp_path / "scan.nii.gz"
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"scanned on a Monday"))
    nib.save(image, path)
    scan, header = read_scan(path)
    assert (scan.data == VOXELS).all()
    assert [one.get_content() for one in header.extensions] == [b"scanned on a Monday"]

    content, at = gzip.decompress(path.read_bytes()), kind.header_class.sizeof_hdr + 4
    for size in (0, -16, 7, 2**31 - 1):
        changed = content[:at] + size.to_bytes(4, sys.byteorder, signed=True) + content[at + 4 :]
        path.write_bytes(gzip.compress(changed))
        assert _fault(path) is CaseFault.FOREIGN


def test_volumes_that_show_nothing_or_lie_nowhere_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "scan.nii.gz"
    singular = np.diag([1.0, 1.0, 1.0, 1.0])
    singular[:3, 1] = singular[:3, 0]

    assert _fault(_saved(path, np.full((8, 9, 10), np.nan, np.float32))) is CaseFault.EMPTY
    assert _fault(_saved(path, np.full((8, 9, 10), 7.0, np.float32))) is CaseFault.EMPTY
    assert _fault(_saved(path, np.stack([VOXELS, VOXELS], axis=-1))) is CaseFault.SHAPE
    assert _fault(_saved(path, VOXELS[0])) is CaseFault.SHAPE
    image: Any = nib.Nifti1Image(VOXELS, None)
    image.header.set_sform(singular, code=1)
    nib.save(nib.Nifti1Image(VOXELS, None, image.header), path)
    assert _fault(path) is CaseFault.PLACE


def test_a_fourth_axis_of_one_is_dropped_and_few_odd_values_become_zero(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    voxels = VOXELS[..., None].copy()
    voxels[3, 4, 5] = np.inf

    scan, _ = read_scan(_saved(tmp_path / "scan.nii.gz", voxels))

    expected = VOXELS.copy()
    expected[3, 4, 5] = 0
    assert np.array_equal(scan.data, expected)
    assert "1 of 720 values" in capsys.readouterr().err


def test_sequences_on_other_grids_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROCTOR_TASK", "task2")
    moved = AFFINE.copy()
    moved[0, 3] = 1.0
    flair, dwi = _saved(tmp_path / "flair.nii.gz"), _saved(tmp_path / "dwi.nii.gz", affine=moved)
    asked = [
        "--flair",
        str(flair),
        "--dwi",
        str(dwi),
        "--swi",
        "unread",
        "--output",
        str(tmp_path / "a.nii.gz"),
    ]

    assert call.main(asked) is CaseFault.GRIDS
    assert not (tmp_path / "a.nii.gz").exists()


@pytest.mark.parametrize(
    ("task", "flags"),
    [
        ("task1", ["--flair", "a", "--dwi", "b", "--adc", "c"]),
        ("task2", ["--flair", "a", "--dwi", "b", "--swi", "c", "--t2s", "d"]),
        ("task3", ["--t2", "a"]),
        ("task7", ["--input", "a"]),
        ("task3", ["--t9", "a"]),
    ],
)
def test_a_call_that_is_no_task_s_is_refused(
    task: str, flags: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PROCTOR_TASK", task)

    assert call.main([*flags, "--output", "answer.txt"]) is CaseFault.CALL
    assert capsys.readouterr().err.count("\n") == 1


def test_an_output_without_a_folder_is_refused_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROCTOR_TASK", "task3")

    assert call.main(["--t1", "unread", "--output", str(tmp_path / "none" / "a.txt")]) is CaseFault.OUTPUT


def test_labels_lie_exactly_where_the_scan_does(tmp_path: Path) -> None:
    turned = np.array([[-0.9, 0.1, 0.3, 17.3], [0.2, 0.8, -0.5, -3.1], [0.1, 0.4, 5.7, 2.9], [0, 0, 0, 1]])
    image: Any = nib.Nifti1Image((VOXELS * 7).astype(np.int16), turned)
    image.header.set_slope_inter(0.5, -3)
    image.header["descrip"] = b"A. Patient"
    nib.save(image, tmp_path / "scan.nii.gz")
    labels = (VOXELS % 3).astype(np.uint8)

    scan, header = read_scan(tmp_path / "scan.nii.gz")
    write(labels, tmp_path / "labels.nii.gz", like=header)

    made: Any = nib.load(tmp_path / "labels.nii.gz")
    source: Any = nib.load(tmp_path / "scan.nii.gz")
    assert np.array_equal(made.affine, source.affine)
    assert np.array_equal(made.affine, scan.affine)
    assert made.get_data_dtype() == np.uint8
    assert np.array_equal(np.asarray(made.dataobj), labels)
    assert bytes(made.header["descrip"]).strip(b"\0") == b""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labels.nii.gz", "scan.nii.gz"]


def test_reading_needs_no_torch() -> None:
    asked = "import sys, baseline_model.call; sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", asked], cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == 0
