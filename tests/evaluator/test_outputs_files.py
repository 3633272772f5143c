import os
import socket
from pathlib import Path

import pytest

from evaluator.outputs import check_output
from evaluator.spec import load_challenge

TASKS = load_challenge(Path(__file__).parents[2] / "challenges/fomo26/challenge.yaml").tasks
NUMBER = TASKS["task1"]


def check(path: Path):
    return check_output(NUMBER, path, {})


def test_no_file_is_missing(tmp_path):
    assert check(tmp_path / "secret-case.txt").check == "missing"
    assert check(tmp_path / "no" / "folder.txt").check == "missing"


@pytest.mark.parametrize(("task", "suffix"), [("task1", ".txt"), ("task6", ".npy")])
def test_a_doubled_suffix_is_named_without_the_case(tmp_path, task, suffix):
    (tmp_path / f"secret-case{suffix}{suffix}").write_bytes(b"0.5")
    result = check_output(TASKS[task], tmp_path / f"secret-case{suffix}", {})
    assert result.check == "missing"
    assert f"found a file ending in {suffix}{suffix}" in result.message
    assert "secret-case" not in result.message
    assert f"secret-case{suffix}{suffix}" in result.detail


def test_a_symbolic_link_is_not_followed(tmp_path):
    (tmp_path / "real.txt").write_text("0.5")
    for target in ("real.txt", "/etc/passwd", "nowhere", "case.txt"):
        path = tmp_path / "case.txt"
        path.unlink(missing_ok=True)
        path.symlink_to(target)
        result = check(path)
        assert result.check == "not_a_regular_file"
        assert "symbolic link" in result.message


def test_a_fifo_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "case.txt")
    assert check(tmp_path / "case.txt").check == "not_a_regular_file"


def test_a_directory_and_a_socket_are_no_files(tmp_path):
    (tmp_path / "folder.txt").mkdir()
    assert check(tmp_path / "folder.txt").check == "not_a_regular_file"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(tmp_path / "socket.txt"))
        assert check(tmp_path / "socket.txt").check == "not_a_regular_file"


def test_a_device_is_not_opened():
    assert check(Path("/dev/zero")).check == "not_a_regular_file"


def test_a_hard_link_to_something_else_is_refused(tmp_path):
    (tmp_path / "input.txt").write_text("0.5")
    os.link(tmp_path / "input.txt", tmp_path / "case.txt")
    assert check(tmp_path / "case.txt").check == "not_a_regular_file"


def test_a_sparse_giant_is_too_large(tmp_path):
    with (tmp_path / "case.txt").open("wb") as file:
        file.truncate(1 << 40)
    assert check(tmp_path / "case.txt").check == "too_large"
