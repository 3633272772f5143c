"""Outputs that cannot be written and checkpoints that cannot be loaded: a sentence each, and nothing half-written."""

import os
import pickle
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch

from baseline_model import call
from baseline_model.checkpoint import DEFAULT
from baseline_model.inference import predict, ready_model
from baseline_model.scans import CannotAnswer, CaseFault, Scan
from baseline_model.writing import write

LABELS = np.random.default_rng(0).integers(0, 2, (64, 64, 64)).astype(np.uint8)
NO_CHECKPOINTS = (
    "nothing", "text", "cut", "without its middle", "safetensors", "code, pickled", "code, in a file of torch",
    "another network", "another size", "a tensor alone", "a head of words", "a head of half precision",
    "a head that is no number", "tasks of another kind",
)  # fmt: skip
FOREIGN_PARTS: dict[str, Callable[[dict[str, Any]], object]] = {
    "a head of words": lambda stored: stored["age"].update(bias="three"),
    "a head of half precision": lambda stored: stored["age"].update(weight=stored["age"]["weight"].half()),
    "a head that is no number": lambda stored: stored["age"]["mean"].fill_(torch.nan),
    "tasks of another kind": lambda stored: stored.update(left_out=3),
}
SMALL = """
import resource, sys
from pathlib import Path
import nibabel, numpy
from baseline_model.scans import CannotAnswer
from baseline_model.writing import write
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
labels = numpy.random.default_rng(0).integers(0, 2, (64, 64, 64)).astype("uint8")
try:
    write(labels, Path(sys.argv[1]), like=nibabel.Nifti1Header())
except CannotAnswer as refusal:
    sys.exit(f"{refusal.fault:d} {refusal}")
"""


def test_a_file_that_may_not_grow_is_said_and_the_one_before_stays(tmp_path: Path) -> None:
    output = tmp_path / "answer.nii.gz"
    output.write_text("before")

    done = subprocess.run(
        [sys.executable, "-c", SMALL, str(output)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stderr == f"73 {output}: cannot be written (File too large)\n"
    assert [path.name for path in tmp_path.iterdir()] == ["answer.nii.gz"]
    assert output.read_text() == "before"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 KiB, where this process may make one."""
    words = ["mount", "-t", "tmpfs", "-o", "size=16k", "none", str(tmp_path)]
    if os.geteuid() != 0 or subprocess.run(words, capture_output=True, check=False).returncode != 0:
        pytest.skip("a file system is mounted by root alone")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_full_disk_is_said_and_nothing_is_left_on_it(small_disk: Path) -> None:
    with pytest.raises(CannotAnswer, match="No space left on device") as refused:
        write(LABELS, small_disk / "answer.nii.gz", like=nib.Nifti1Header())
    assert refused.value.fault is CaseFault.OUTPUT
    assert not list(small_disk.iterdir())


@pytest.mark.parametrize("place", ["none/a.txt", "file/a.txt", "folder", "/proc/a.txt"])
def test_a_place_that_takes_no_file_is_said_in_a_line(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PROCTOR_TASK", "task3")
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    scan = tmp_path / "t1w.nii.gz"
    nib.save(nib.Nifti1Image(LABELS[:16, :16, :16], np.diag([2.0, 2.0, 2.0, 1.0])), scan)

    assert call.main(["--t1", str(scan), "--output", str(tmp_path / place)]) is CaseFault.OUTPUT
    said = capsys.readouterr().err
    assert said.startswith(f"{tmp_path / place}: ")
    assert said.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"folder", "file", "t1w.nii.gz"}


class _Opened:
    """What a pickle runs when it is loaded as one."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("opened",)


def _write_checkpoint(what: str, path: Path) -> None:
    good = DEFAULT.read_bytes()
    if what == "another network":
        torch.save({"weight": torch.zeros(3)}, path)
    elif what == "another size":
        stored = torch.load(DEFAULT, weights_only=True)
        name, tensor = next(iter(stored["trunk"].items()))
        stored["trunk"][name] = torch.zeros(2, *tensor.shape)
        torch.save(stored, path)
    elif what in FOREIGN_PARTS:
        stored = torch.load(DEFAULT, weights_only=True)
        FOREIGN_PARTS[what](stored)
        torch.save(stored, path)
    elif what == "a tensor alone":
        torch.save(torch.zeros(3), path)
    elif what == "code, in a file of torch":
        torch.save({"trunk": _Opened()}, path)
    else:
        header = b'{"weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
        path.write_bytes(
            {
                "nothing": b"",
                "text": b"no checkpoint",
                "cut": good[: len(good) // 2],
                "without its middle": good[:1000] + bytes(3000) + good[4000:],
                "safetensors": struct.pack("<Q", len(header)) + header + bytes(4),
                "code, pickled": pickle.dumps(_Opened()),
            }[what]
        )


@pytest.mark.parametrize("what", NO_CHECKPOINTS)
def test_what_is_no_checkpoint_of_this_network_is_said_in_a_line(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "checkpoint.pt"
    _write_checkpoint(what, path)

    with pytest.raises(CannotAnswer) as refused:
        ready_model(path)

    assert str(refused.value) == f"{path}: damaged, or no checkpoint of this network"
    assert refused.value.fault is CaseFault.CHECKPOINT
    assert [one.name for one in tmp_path.iterdir()] == ["checkpoint.pt"], "nothing of it was run"


def test_a_head_for_other_features_is_said(tmp_path: Path) -> None:
    """What its trunk gives is not known before a scan is looked at."""
    stored = torch.load(DEFAULT, weights_only=True)
    for name in ("mean", "scale", "weight"):
        stored["age"][name] = stored["age"][name][:-1]
    torch.save(stored, tmp_path / "checkpoint.pt")
    model = ready_model(tmp_path / "checkpoint.pt")
    scan = Scan(
        np.random.default_rng(0).random((40, 48, 40), dtype=np.float32), np.diag([4.0, 4.0, 4.0, 1.0])
    )

    with pytest.raises(CannotAnswer, match="head sees other features than its trunk gives") as refused:
        predict(model, "task3", {"t1w": scan})

    assert refused.value.fault is CaseFault.CHECKPOINT


def test_a_checkpoint_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(CannotAnswer, match="there is no such file"):
        ready_model(tmp_path / "none.pt")
