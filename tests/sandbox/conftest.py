"""A real engine, one image that can do everything wrong, and one case to do it on."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from demo.images import ensure_base
from evaluator.spec import Challenge, Limits, load_challenge
from sandbox.archive import DirectorySink, check_archive, write_canonical
from sandbox.engine import Engine
from sandbox.engines import SETTING
from sandbox.faults import EngineFault
from sandbox.jobs import CaseJob, CaseOutcome, Slot
from sandbox.loading import load_image
from sandbox.run import run_case
from tests.hostile.containers import SMALL
from tests.hostile.images import BY_TRACK, build
from tests.sandbox.apptainer import standing_in

MIB = 2**20
SHAPE = (6, 7, 8)
Run = Callable[..., CaseOutcome]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test that takes an engine runs on every one, on Podman with `make test-long`.

    A module says ENGINES where it is about some of them alone, a test parametrizes `engine` itself.
    """
    marks = metafunc.definition.iter_markers("parametrize")
    if "engine" in metafunc.fixturenames and not any(mark.args[0] == "engine" for mark in marks):
        every = ["docker", pytest.param("podman", marks=pytest.mark.long)]
        chosen = getattr(metafunc.module, "ENGINES", every)
        metafunc.parametrize("engine", chosen, indirect=True, scope="session")


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """An engine of this machine; without Podman its tests say that it was not tried (`make podman` brings it)."""
    if request.param == "apptainer":
        request.getfixturevalue("standin")
    fails = "" if request.param == "docker" else _fails(request.param)
    if fails:
        pytest.skip(f"{request.param.capitalize()} was not tried: {fails}")
    engine = Engine.connect(request.param)
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def standin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a stand-in for Apptainer, the first of this process's programs; it needs bubblewrap."""
    with standing_in(tmp_path_factory.mktemp("apptainer")) as top:
        yield top


@pytest.fixture(autouse=True)
def _chosen(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test connects to by itself, or in another process, is the engine that it was given."""
    if "engine" in request.fixturenames:
        monkeypatch.setenv(SETTING, request.getfixturevalue("engine").raw.kind)


def _fails(kind: str) -> str:
    """Why an engine cannot be had; empty where it answers."""
    try:
        Engine.connect(kind).close()
    except EngineFault as fault:
        return str(fault)
    return ""


@pytest.fixture(scope="session")
def load(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Path], str]]:
    """Loads an archive as a worker does: checked, written again in canonical form, and loaded under our name."""
    loaded: list[str] = []

    def load(archive: Path) -> str:
        folder = tmp_path_factory.mktemp("image")
        sink = DirectorySink(folder / "blobs")
        facts = check_archive(archive, limit=4 * 2**30, sink=sink)
        with (folder / "canonical.tar").open("wb") as out:
            write_canonical(facts, sink.open, out)
        with (folder / "canonical.tar").open("rb") as canonical:
            load_image(engine, canonical, facts.digest)
        loaded.append(facts.digest)
        return facts.digest

    yield load
    for digest in loaded:
        engine.remove_image(digest)


@pytest.fixture(scope="session")
def base() -> str:
    return ensure_base()


@pytest.fixture(scope="session")
def image(load: Callable[[Path], str], base: str) -> str:
    """The image whose behaviour is the job's track."""
    return load(build(BY_TRACK, base))


@pytest.fixture(scope="session")
def challenge() -> Challenge:
    return load_challenge(Path(__file__).parents[2] / "challenges/fomo26/challenge.yaml")


@pytest.fixture(scope="session")
def limits(challenge: Challenge) -> Limits:
    """Small enough that every bound is hit within a second or two."""
    return challenge.limits.model_copy(update=SMALL)


@pytest.fixture(scope="session")
def volume(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small scan, which every task of these tests takes as its input."""
    path = tmp_path_factory.mktemp("inputs") / "scan.nii.gz"
    voxels = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)
    nib.save(nib.Nifti1Image(voxels, np.eye(4)), path)
    return path


@pytest.fixture
def make_job(
    challenge: Challenge, limits: Limits, volume: Path, image: str, tmp_path: Path
) -> Callable[..., CaseJob]:
    def make_job(behaviour: str = "valid", task: str = "task5", **changes: object) -> CaseJob:
        fields: dict[str, object] = {
            "name": f"proctor-{uuid.uuid4()}-1",
            "image": image,
            "task": challenge.tasks[task],
            "task_name": task,
            "track": behaviour,
            "inputs": {one.key: volume for one in challenge.tasks[task].all_inputs},
            "pseudonym": uuid.uuid4().hex,
            "limits": limits.model_copy(update={key: changes.pop(key) for key in set(changes) & LIMITS}),
            "slot": Slot(),
            "scratch": tmp_path / uuid.uuid4().hex,
        }
        return CaseJob(**(fields | changes))  # type: ignore[arg-type]

    return make_job


LIMITS = set(Limits.model_fields) - {"image"}


@pytest.fixture
def run(engine: Engine, make_job: Callable[..., CaseJob]) -> Run:
    """Run one case that shows a behaviour."""
    return lambda *behaviour, **changes: run_case(engine, make_job(*behaviour, **changes))
