"""One installation for all these tests: real processes, real containers, tiny hidden data with known answers."""

import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo.images import ensure_base
from evaluator.spec import Challenge, load_challenge
from tests.e2e.datasets import write_task
from tests.e2e.habits import Bench, challenge_of_habits, prepare
from tests.e2e.images import digest_of, small_image
from tests.e2e.installation import Installation, installation
from tests.e2e.people import Person, register
from tests.hostile.images import NO_PYTHON, SCRIPT, build
from worker.embedded.data import CHECKOUT

HERE = Path(__file__).parent
FOMO26 = CHECKOUT / "challenges" / "fomo26" / "challenge.yaml"
Join = Callable[..., Person]
WEIGHTS = b"pretrained weights of the honest image"


@pytest.fixture(scope="session")
def place() -> Iterator[Path]:
    """A folder below /tmp that the database user may pass through, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="proctor-e2e-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def running(place: Path) -> Iterator[Installation]:
    with installation(place / "data") as running:
        yield running


@pytest.fixture(scope="session")
def fomo26() -> Challenge:
    return load_challenge(FOMO26, HERE / "overlay.yaml")


@pytest.fixture(scope="session")
def platform(running: Installation, fomo26: Challenge, place: Path) -> Installation:
    """The installation with FOMO26 and hidden cases for all six tasks."""
    running.apply(fomo26)
    for task in fomo26.tasks:
        folder = write_task(fomo26, task, place / "released")
        running.import_task("fomo26", "validation", task, folder)
    public = write_task(fomo26, "task2", place / "public", seed=1)
    running.import_task("fomo26", "sanity", "task2", public)
    return running


@pytest.fixture(scope="session")
def image(place: Path) -> Iterator[Callable[..., Path]]:
    """Makes the archive of an image of this test session's own; the engine forgets it afterwards."""
    base = ensure_base()
    made: list[Path] = []

    def image(script: Path, *environment: str, checkpoint: bytes | None = None) -> Path:
        target, session = place / f"image-{len(made)}.tar", f"SESSION={uuid.uuid4().hex}"
        made.append(small_image(script, base, target, session, *environment, checkpoint=checkpoint))
        return made[-1]

    yield image
    for archive in made:
        name = f"proctor/{digest_of(archive)}:run"
        subprocess.run(["docker", "image", "rm", "--force", name], check=True, capture_output=True)


@pytest.fixture(scope="session")
def honest(image: Callable[..., Path]) -> Path:
    """The image whose answers are all right; one for all tests, so that the engine loads it once.

    It declares a checkpoint as the template does.
    """
    return image(HERE / "honest.py", checkpoint=WEIGHTS)


@pytest.fixture(scope="session")
def join(platform: Installation) -> Iterator[Join]:
    """Makes people with a new account, and a new team unless its name is None."""
    people: list[Person] = []

    def join(team: str | None, challenge: str = "fomo26", setup_token: str | None = None) -> Person:
        people.append(register(platform.url, challenge, team, setup_token=setup_token))
        return people[-1]

    yield join
    for person in people:
        person.http.close()


@pytest.fixture(scope="session")
def admin(join: Join, platform: Installation) -> Person:
    return join(None, setup_token=platform.setup_token)


@pytest.fixture(scope="session")
def perfect(join: Join) -> Person:
    """The team whose answers are all right."""
    return join("Perfect")


@pytest.fixture(scope="session")
def stranger(join: Join) -> Person:
    """A team with nothing."""
    return join("Strangers")


@pytest.fixture(scope="session")
def bench(
    platform: Installation,
    fomo26: Challenge,
    place: Path,
    join: Join,
    honest: Path,
    image: Callable[..., Path],
) -> Bench:
    """The challenge of bad habits, and a team with all its images."""
    prepare(platform, challenge_of_habits(fomo26), place / "habits", write_task)
    person = join("Habits", "habits")
    ports = f"PORTS=22,80,443,2375,5432,6379,{platform.url.rsplit(':', 1)[1]}"
    archives = [honest, image(SCRIPT, ports), build(NO_PYTHON, "")]
    uploads = [person.checked(upload) for upload in [person.send(archive) for archive in archives]]
    assert [one["status"] for one in uploads] == ["ready"] * 3, uploads
    return Bench(person, *(one["image"] for one in uploads))
