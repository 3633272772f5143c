"""`proctor try` says of hostile images what a worker says: each row of the table gets the verdict that stands in it."""

from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from client.cases import LocalCase
from client.errors import ArchiveRefused
from client.trial import TrialPlan, connect, image_on_engine, try_cases
from demo.images import ensure_base
from evaluator.spec import Challenge
from sandbox.engine import Engine
from tests.hostile.archives import ARCHIVES, Archive
from tests.hostile.configs import IMAGES, Image
from tests.hostile.containers import CONTAINERS, SMALL, Container
from tests.hostile.images import build_all
from tests.hostile.sif_files import SIFS
from tests.hostile.table import VALID, Row

ALWAYS = {
    *(
        "exits_137",
        "fills_memory_without_a_file",
        "fills_below_a_deep_folder",
        "makes_zombies",
        "stops_itself",
    ),
    *("links_to_an_input", "odd_names_only", "gzip_bomb", "pickled", "closes_its_output"),
    *("an honest tiny image", "password file that is a pipe", "nine VOLUMEs", "a path twice in a layer"),
    *("two images", "label for ARM", "gzip bomb", "overlay"),
}
"""A row of each kind of defence; the others take minutes."""


def rows(table: "list[Row]") -> list[object]:
    return [
        pytest.param(row, id=row.name, marks=[] if row.name in ALWAYS else [pytest.mark.long])
        for row in table
    ]


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = connect()
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("case") / "scan.nii.gz"
    nib.save(nib.Nifti1Image(np.zeros((6, 7, 8), np.int16), np.eye(4)), path)
    return path


@pytest.fixture(scope="module")
def tricks(engine: Engine, spec: Challenge) -> Iterator[str]:
    with image_on_engine(engine, str(build_all(ensure_base())), limit=2**32, calls=calls(spec)) as image:
        yield image


def calls(spec: Challenge) -> set[tuple[str, ...] | None]:
    return {task.call for task in spec.tasks.values()}


def tried(engine: Engine, spec: Challenge, image: str, scan: Path, row: Container) -> str:
    limits = spec.limits.model_copy(update=SMALL | row.limits)
    inputs = {one.key: scan for one in spec.tasks[row.task].all_inputs}
    plan = TrialPlan(image, row.task, spec, row.name, limits, None)
    ((_, outcome),) = try_cases(engine, plan, [LocalCase("public", inputs)])
    return outcome.verdict.code


@pytest.mark.parametrize("row", rows([*CONTAINERS]))
def test_a_container_gets_the_workers_verdict(
    row: Container, engine: Engine, spec: Challenge, tricks: str, scan: Path
) -> None:
    code = tried(engine, spec, tricks, scan, row)
    assert row.expects(code), code


@pytest.mark.parametrize("row", rows([*IMAGES, *ARCHIVES, *SIFS]))
def test_an_image_gets_the_servers_or_the_workers_verdict(
    row: Image | Archive, engine: Engine, spec: Challenge, scan: Path, tmp_path: Path
) -> None:
    path = tmp_path / "image"
    path.write_bytes(row.make())
    try:
        with image_on_engine(engine, str(path), limit=2**27, calls=calls(spec)) as image:
            code = VALID
            if isinstance(row, Image):
                code = tried(engine, spec, image, scan, Container("any", "", "", "task5"))
    except ArchiveRefused as error:
        code = error.code
    assert row.expects(code), code
