"""The settings are read whole: a missing, unknown or impossible one is said with its file."""

from pathlib import Path

import pytest

from baseline_model.config import DEFAULT_CONFIG, read_config
from baseline_model.faults import TrainingError


def test_the_committed_settings_are_valid() -> None:
    config = read_config()
    assert config.pretrain.hidden == (0.4, 0.75)
    assert not config.half() or config.torch_device().type == "cuda"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("seed = 0", "", "the setting seed is missing"),
        ("seed = 0", "seed = 0\nsped = 1", "there is no setting sped"),
        ("cube = 8", "cube = 8\nsteeps = 1", "there is no setting pretrain.steeps"),
        ("cube = 8", "cube = 7", "pretrain.cube = 7 is out of its range"),
        ("rate = 2e-3", "rate = 0", "pretrain.rate = 0 is out of its range"),
        ("hidden = [0.4, 0.75]", "hidden = [0.8, 0.75]", "pretrain.hidden = (0.8, 0.75) is out of its range"),
        ("folds = 5", "folds = true", "heads.folds = True is out of its range"),
        ('device = "auto"', 'device = "gpu"', "device = 'gpu' is out of its range"),
        ("seed = 0", "seed = ", "is not TOML"),
    ],
)
def test_a_wrong_setting_is_said(old: str, new: str, said: str, tmp_path: Path) -> None:
    text = DEFAULT_CONFIG.read_text()
    assert old in text
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(old, new, 1))

    with pytest.raises(TrainingError) as refused:
        read_config(path)

    assert str(refused.value).startswith(f"{path}: ")
    assert said in str(refused.value)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"none\.toml: cannot be read \(No such file or directory\)"):
        read_config(tmp_path / "none.toml")
