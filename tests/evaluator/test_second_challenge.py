"""Photographs of skin lesions, from the challenge file to the page of results, with the command alone."""

import csv
import hashlib
import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from evaluator import outputs
from evaluator.cli import app
from evaluator.spec import load_challenge

CHALLENGE = Path(__file__).parents[2] / "challenges" / "skin-lesions" / "challenge.yaml"
CLASSES = load_challenge(CHALLENGE).tasks["diagnosis"].output.classes
SKILL = {"ada": 3.0, "bell": 2.8, "curie": 0.5}


def call(*arguments):
    return CliRunner().invoke(app, [str(one) for one in arguments])


def png(pixels):
    """A grey image file."""

    def chunk(kind, content):
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    height, width = pixels.shape
    lines = b"".join(b"\0" + row.tobytes() for row in pixels.astype(np.uint8))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


@pytest.fixture(scope="module")
def skin(tmp_path_factory):
    """120 photographs of 60 patients with references for both boards, and predictions of three teams."""
    root, stream = tmp_path_factory.mktemp("skin"), np.random.default_rng(4)
    cases = [f"p{number // 2:02}-{'ab'[number % 2]}" for number in range(120)]
    labels = stream.integers(0, len(CLASSES), 120)
    (root / "images").mkdir()
    files = {}
    for case in cases:
        content = png(stream.integers(0, 255, (8, 8)))
        (root / "images" / f"{case}.png").write_bytes(content)
        files[case] = {"path": f"images/{case}.png", "sha256": hashlib.sha256(content).hexdigest()}
    manifest = {"dataset": "skin", "cases": [{"case": one, "files": {"image": files[one]}} for one in cases]}
    (root / "manifest.json").write_text(json.dumps(manifest))
    for board in ("diagnosis", "malignancy"):
        (root / board).mkdir()
        with (root / board / "references.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["case", "subject", "label", "sex"])
            for case, label in zip(cases, labels.tolist(), strict=True):
                text = CLASSES[label] if board == "diagnosis" else int(label in (0, 3))
                writer.writerow([case, case[:3], text, "fm"[label % 2]])
    for team, skill in SKILL.items():
        _predict(root / "predictions" / team, cases, labels, skill)
    return root


def _predict(folder, cases, labels, skill):
    stream = np.random.default_rng(len(folder.name))
    for board in ("diagnosis", "malignancy"):
        (folder / board).mkdir(parents=True)
    for case, label in zip(cases, labels.tolist(), strict=True):
        scores = stream.normal(0, 1, len(CLASSES)) + skill * (np.arange(len(CLASSES)) == label)
        (folder / "diagnosis" / f"{case}.txt").write_text(" ".join(f"{one:.3f}" for one in scores) + "\n")
        malignant = 1 / (1 + np.exp(-scores[[0, 3]].max() + scores[[1, 2]].max()))
        (folder / "malignancy" / f"{case}.txt").write_text(f"{malignant:.3f}\n")


def score(skin, team, board):
    out = skin / "reports" / team / "all" / f"{board}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    arguments = ["--board", board, "--manifest", skin / "manifest.json", "--references", skin / board]
    predictions = skin / "predictions" / team / board
    return call(
        "score", "--challenge", CHALLENGE, *arguments, "--predictions", predictions, "--json", out
    ), out


def test_it_runs_from_a_file_and_no_code(skin, tmp_path):
    case = skin / "predictions" / "ada" / "diagnosis" / "p00-a.txt"
    checked = call(
        "check", "--challenge", CHALLENGE, "--task", "diagnosis", "--output", case, "--inputs", tmp_path
    )
    assert (checked.exit_code, json.loads(checked.stdout)["valid"]) == (0, True), checked.output
    rows = ["team,track,task,metric,value"]
    for team in SKILL:
        for board in ("diagnosis", "malignancy"):
            done, out = score(skin, team, board)
            assert done.exit_code == 0, done.output
            report = json.loads(out.read_text())
            assert report["extras"]["missing"] == 0
            for key, metric in report["metrics"].items():
                assert metric["low"] < metric["value"] <= metric["high"]
                rows.append(f"{team},all,{board},{key},{metric['value']}")
    (tmp_path / "scores.csv").write_text("\n".join(rows))
    ranked = call("rank", "--challenge", CHALLENGE, "--scores", tmp_path / "scores.csv", "--json")
    assert ranked.exit_code == 0, ranked.output
    assert json.loads(ranked.stdout)["tracks"]["all"][-1]["team"] == "curie"
    page = tmp_path / "report.html"
    told = call("report", "--challenge", CHALLENGE, "--reports", skin / "reports", "--out", page)
    assert told.exit_code == 0, told.output
    assert "Significance map: F1" in page.read_text()


def test_class_scores_agree_with_scikit_learn(skin):
    from sklearn.metrics import f1_score, roc_auc_score

    report = json.loads(score(skin, "bell", "diagnosis")[1].read_text())
    with (skin / "diagnosis" / "references.csv").open() as file:
        truth = {row["case"]: CLASSES.index(row["label"]) for row in csv.DictReader(file)}
    rows = [
        [
            float(one)
            for one in (skin / "predictions" / "bell" / "diagnosis" / f"{case}.txt").read_text().split()
        ]
        for case in report["cases"]
    ]
    labels = np.array([truth[case] for case in report["cases"]])
    areas = [roc_auc_score(labels == one, np.array(rows)[:, one]) for one in range(len(CLASSES))]
    assert report["metrics"]["ovr_auroc"]["value"] == pytest.approx(np.mean(areas), abs=1e-12)
    expected = f1_score(labels, np.argmax(rows, axis=1), average="macro")
    assert report["metrics"]["f1"]["value"] == pytest.approx(expected, abs=1e-12)


def test_a_missing_case_takes_the_worst_scores_and_is_named_by_its_entry(skin, tmp_path):
    whole = json.loads(score(skin, "ada", "diagnosis")[1].read_text())
    folder = skin / "predictions" / "dana" / "diagnosis"
    folder.mkdir(parents=True)
    for path in (skin / "predictions" / "ada" / "diagnosis").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "p00-b.txt").write_text("0.1 0.2 0.3")
    (folder / "p01-a.txt").unlink()
    done, out = score(skin, "dana", "diagnosis")
    out.rename(tmp_path / "dana.json")
    found = json.loads((tmp_path / "dana.json").read_text())
    assert found["extras"]["missing"] == 2
    assert (
        "entry 2 counts as missing: The output file must hold exactly 4 values, one per class." in done.stderr
    )
    assert "entry 3 counts as missing" in done.stderr
    assert found["metrics"]["ovr_auroc"]["value"] < whole["metrics"]["ovr_auroc"]["value"]


@pytest.mark.parametrize(
    ("content", "check"),
    [
        (b"1 2 3", "one_per_class"),
        (b"1 2 3 4 5", "one_per_class"),
        (b"", "one_per_class"),
        (b"1 2 3 nan", "finite"),
        (b"1 2 3 0,5", "decimal_float"),
        (b"1 2 3 \xff", "encoding"),
        (b"1\t2\r\n.5 4e-1\n", None),
    ],
)
def test_class_scores_are_one_number_per_class(tmp_path, content, check):
    task = load_challenge(CHALLENGE).tasks["diagnosis"]
    (tmp_path / "case.txt").write_bytes(content)
    result = outputs.check_output(task, tmp_path / "case.txt", {})
    assert result.check == check
    if check is None:
        canonical = outputs.encode(task, result.value)
        assert canonical == b"1.0 2.0 0.5 0.4"
        assert outputs.decode(task, canonical) == result.value == (1, 2, 0.5, 0.4)
        with pytest.raises(outputs.NotCanonical):
            outputs.decode(task, content)


def test_a_label_that_is_no_class_names_its_line(skin, tmp_path):
    text = (skin / "diagnosis" / "references.csv").read_text().splitlines()
    text[4] = "p01-b,p01,wart,f"
    (tmp_path / "references.csv").write_text("\n".join(text))
    (tmp_path / "p00-a.txt").write_text("1 2 0 0\n")
    arguments = ["--board", "diagnosis", "--manifest", skin / "manifest.json", "--references", tmp_path]
    arguments += ["--predictions", tmp_path, "--json", tmp_path / "out.json"]
    done = call("score", "--challenge", CHALLENGE, *arguments)
    assert done.exit_code == 2
    assert "references.csv:5: 'wart' is none of the classes melanoma" in done.stderr
