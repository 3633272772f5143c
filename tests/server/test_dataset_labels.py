"""The line about a version's labels: classes are counted, and numbers that all differ are a range."""

from pathlib import Path

import pytest

from server.datasets.labels import labels_of


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (["1", "0", "0"], "0: 2, 1: 1"),
        (["1", "0"], "0: 1, 1: 1"),
        (["24", "81", "51"], "24 to 81, mean 52.0"),
        (["24", "24", "81"], "24: 2, 81: 1"),
        (["nevus", "melanoma", "mole"], "3 classes"),
        ([], "0 label maps"),
    ],
)
def test_labels_are_told_in_a_line(tmp_path: Path, labels: list[str], said: str) -> None:
    rows = [f"sub-{place},{label}" for place, label in enumerate(labels)]
    (tmp_path / "references.csv").write_text("\n".join(["case,label", *rows]) + "\n")
    assert labels_of(tmp_path) == said


def test_labels_that_cannot_be_read_here_are_none(tmp_path: Path) -> None:
    assert labels_of(tmp_path) is None
