"""Whatever an import accepts can be answered and scored; whatever it refuses leaves nothing but sentences."""

import csv
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from evaluator.manifest import Manifest
from evaluator.metrics.registry import lookup
from evaluator.outputs import (
    EmbeddingOutput,
    LabelMap,
    NumberOutput,
    SegmentationOutput,
    Value,
    check_output,
)
from evaluator.scoring import score_outputs
from evaluator.spec import Challenge
from server.challenges.service import get_challenge
from server.datasets.check import manifest_of
from server.datasets.findings import LayoutError
from server.datasets.models import Case, Dataset
from server.datasets.service import stage
from server.datasets.staging import Prepared
from server.settings import Settings
from tests.server.damages import damaged
from tests.server.phantoms import FOMO26, staged


@pytest.fixture(scope="module")
def fomo26() -> Challenge:
    """With a probe that fits four cases per cohort."""
    return FOMO26


def truths(spec: Challenge, task: str, references: Path) -> dict[str, Value]:
    """The perfect submission, read by other code than the platform's."""
    output = spec.tasks[task].output
    with (references / "references.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    cohorts = sorted({row["label"] for row in rows})
    found: dict[str, Value] = {}
    for row in rows:
        if isinstance(output, SegmentationOutput):
            image = nibabel.load(references / f"{row['case']}.nii.gz")
            labels = np.rint(np.asanyarray(image.dataobj)).astype(np.uint8)
            found[row["case"]] = LabelMap(labels, image.affine)
        elif isinstance(output, EmbeddingOutput):
            found[row["case"]] = (np.eye(len(cohorts))[cohorts.index(row["label"])] * 10).astype(np.float32)
        else:
            found[row["case"]] = float(row["label"])
    return found


def random_output(spec: Challenge, task: str, perfect: Value, chance: np.random.Generator) -> Value:
    output = spec.tasks[task].output
    if isinstance(perfect, LabelMap) and isinstance(output, SegmentationOutput):
        labels = chance.choice(output.labels, perfect.array.shape).astype(np.uint8)
        return LabelMap(labels, perfect.affine)
    return (
        chance.normal(size=5).astype(np.float32) if not isinstance(perfect, float) else float(chance.random())
    )


def must_be_answerable(prepared: Prepared, spec: Challenge, task: str, tmp_path: Path) -> None:
    """An output that copies an input's place, as containers write it, is valid."""
    inputs = prepared.trees.inputs.parents[3]
    for number, case in enumerate(prepared.cases):
        files = {key: inputs / one["path"] for key, one in case.files.items()}
        output = spec.tasks[task].output
        path = tmp_path / f"answer-{number}{output.suffix}"
        if isinstance(output, SegmentationOutput):
            like = nibabel.load(next(iter(files.values())))
            nibabel.save(nibabel.Nifti1Image(np.zeros(like.shape, np.uint8), like.affine), path)
        elif isinstance(output, NumberOutput):
            for one in files.values():
                assert np.asanyarray(nibabel.load(one).dataobj).ndim == 3
            path.write_text("0.5\n")
        else:
            np.save(path, np.zeros(4, np.float32))
        checked = check_output(spec.tasks[task], path, files)
        assert checked.valid, (checked, case.name)


def must_be_scorable(prepared: Prepared, spec: Challenge, task: str) -> None:
    manifest = Manifest.model_validate(manifest_of("sha256:test", prepared.cases))
    references = prepared.trees.references
    perfect = truths(spec, task, references)
    chance = np.random.default_rng(1)
    noise = {case: random_output(spec, task, one, chance) for case, one in perfect.items()}
    excused = any("best possible submission" in one for one in prepared.warnings)
    for board in spec.boards_of(task):
        for answers in (perfect, noise, {}):
            report = score_outputs(spec, board, manifest, references, answers.get)
            for key, metric in report.metrics.items():
                assert metric.fault is None, (board, key, metric)
                if answers is perfect and not excused:
                    plugin = lookup(spec.boards[board].metrics[key].metric)
                    best = plugin.maximum if plugin.direction == "higher" else plugin.minimum
                    assert metric.value == pytest.approx(best, abs=1e-6), (board, key, prepared.warnings)


def must_be_told(error: LayoutError) -> None:
    """Why, in sentences that any terminal bears."""
    said = [*error.problems, *error.warnings]
    assert said
    assert all(one.isprintable() for one in said), said


def light(spec: Challenge) -> Challenge:
    """With few resamples and seeds, which say nothing here."""
    boards = {}
    for name, board in spec.boards.items():
        bootstrap = board.bootstrap.model_copy(update={"resamples": 20})
        probe = board.probe and board.probe.model_copy(update={"seeds": (42,)})
        boards[name] = board.model_copy(update={"bootstrap": bootstrap, "probe": probe})
    return spec.model_copy(update={"boards": boards})


def accepted_or_refused(seed: int, tmp_path: Path, *, most: int) -> bool:
    """Whether the folder of a seed was accepted; what is accepted holds what it has to."""
    place = tmp_path / str(seed)
    made = damaged(seed, place / "source", most=most)
    spec = light(FOMO26)
    try:
        prepared = staged(made, place / "data", spec=spec)
    except LayoutError as error:
        must_be_told(error)
        return False
    must_be_answerable(prepared, spec, made.task, place)
    must_be_scorable(prepared, spec, made.task)
    shutil.rmtree(place)
    return True


def test_what_is_accepted_can_be_answered_and_scored(tmp_path: Path) -> None:
    accepted = sum(accepted_or_refused(seed, tmp_path, most=1) for seed in range(42))
    assert 10 < accepted < 42, "some are sound and some are not"


@pytest.mark.long
def test_what_is_accepted_of_very_many_folders_can_be_answered_and_scored(tmp_path: Path) -> None:
    accepted = sum(accepted_or_refused(seed, tmp_path, most=3) for seed in range(1000, 1800))
    assert 100 < accepted < 700


def refusals(session: Session, slug: str, settings: Settings, tmp_path: Path, seeds: range) -> int:
    """How many folders were refused; none of these has left a row or a file."""
    challenge = get_challenge(session, slug)
    count = 0
    for seed in seeds:
        made = damaged(seed, tmp_path / str(seed), most=6)
        before = rows_and_files(session, settings)
        try:
            stage(
                session,
                challenge,
                phase="validation",
                task=made.task,
                source=made.root,
                settings=settings,
                actor="tests",
            )
        except LayoutError as error:
            count += 1
            must_be_told(error)
            after = rows_and_files(session, settings)
            if after != before:
                raise AssertionError(f"seed {seed}: {before} became {after}") from error
        shutil.rmtree(tmp_path / str(seed))
    return count


def rows_and_files(session: Session, settings: Settings) -> tuple[object, ...]:
    session.flush()
    rows = session.scalar(select(func.count(Dataset.id))), session.scalar(select(func.count(Case.id)))
    trees = (settings.inputs, settings.references)
    return (*rows, *(sum(1 for path in tree.rglob("*") if path.is_file()) for tree in trees))


def test_a_refused_folder_leaves_no_row_and_no_file_and_no_traceback(
    session: Session, slug: str, settings: Settings, tmp_path: Path
) -> None:
    assert refusals(session, slug, settings, tmp_path, range(5000, 5060)) > 30


@pytest.mark.long
def test_very_many_damaged_folders_leave_no_row_and_no_file_and_no_traceback(
    session: Session, slug: str, settings: Settings, tmp_path: Path
) -> None:
    assert refusals(session, slug, settings, tmp_path, range(10_000, 11_000)) > 500
