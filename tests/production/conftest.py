"""A production that is built and started once, with a challenge in it; and one that was started with earlier images."""

import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo.images import ensure_base
from evaluator.spec import Challenge
from tests.e2e.datasets import write_task
from tests.e2e.images import digest_of, small_image
from tests.e2e.people import Person, register
from tests.production import building
from tests.production.stack import Stack, composer, docker, stack
from worker.embedded.data import CHECKOUT

HERE = Path(__file__).parent
CHALLENGE = CHECKOUT / "challenges" / "fomo26"
OVERLAY = "overlay.yaml"
CASES = 6


@pytest.fixture(scope="session")
def place() -> Iterator[Path]:
    """A folder that the images' users may read."""
    if composer() is None:
        pytest.skip("compose.yaml was not run: neither `docker compose` nor `docker-compose` is there")
    folder = Path(tempfile.mkdtemp(prefix="proctor-production-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def images(place: Path) -> Iterator[dict[str, str]]:
    """What .env says of images: services of Debian's packages, and the platform of these sources."""
    run = uuid.uuid4().hex[:8]
    subprocess.run([CHECKOUT / "scripts" / "wheels"], check=True, capture_output=True)
    found = {**building.services(run), "PROCTOR_TAG": f"test-{run}"}
    building.platform(CHECKOUT, found["PROCTOR_TAG"])
    yield found
    tags = [found["POSTGRES_IMAGE"], found["REDIS_IMAGE"]]
    tags += [f"proctor/{name}:{found['PROCTOR_TAG']}" for name in building.PARTS]
    docker("image", "rm", "--force", *tags)


@pytest.fixture(scope="session")
def program(place: Path) -> Iterator[Path]:
    """The archive of an image whose answers are all right, slowly on the track of that name."""
    script = CHECKOUT / "tests" / "e2e" / "honest.py"
    archive = small_image(script, ensure_base(), place / "honest.tar", f"SESSION={uuid.uuid4().hex}")
    yield archive
    docker("image", "rm", "--force", f"proctor/{digest_of(archive)}:run", check=False)


@pytest.fixture(scope="session")
def given(place: Path, fomo26: Challenge) -> Path:
    """What an organizer has: the challenge's files and one task's cases."""
    return written_out(place / "given", fomo26, CHECKOUT)


def written_out(folder: Path, fomo26: Challenge, tree: Path) -> Path:
    """The challenge as the version in `tree` has it, and one task's cases, in `folder`."""
    shutil.copytree(tree / CHALLENGE.relative_to(CHECKOUT), folder / "fomo26")
    overlay = (tree / "tests" / "e2e" / OVERLAY).read_text()
    (folder / OVERLAY).write_text(overlay + "\ntracks: [method, open, slowly]\n")
    write_task(fomo26, "task5", folder, cases=CASES)
    return folder


@pytest.fixture(scope="session")
def fomo26() -> Challenge:
    from evaluator.spec import load_challenge

    return load_challenge(CHALLENGE / "challenge.yaml", CHECKOUT / "tests" / "e2e" / OVERLAY)


@pytest.fixture(scope="session")
def production(place: Path, images: dict[str, str], given: Path) -> Iterator[Stack]:
    """A production of these sources, with the challenge."""
    with stack(place / "production", images) as running:
        running.begin()
        furnish(running, given)
        yield running


@pytest.fixture(scope="session")
def admin(production: Stack) -> Iterator[Person]:
    """Who had the setup token."""
    person = register(production.url, "fomo26", None, setup_token=production.env["PROCTOR_SETUP_TOKEN"])
    yield person
    person.http.close()


def furnish(running: Stack, given: Path) -> None:
    """The challenge and its cases, as an admin brings them in."""
    running.admin("apply", "/given/fomo26/challenge.yaml", "--overlay", f"/given/{OVERLAY}", mounted=given)
    where = ("--challenge", "fomo26", "--task", "task5", "--phase", "validation")
    running.admin("import-dataset", "/given/Task_5", *where, "--accept", "--yes", mounted=given)


Join = Callable[[Stack], Person]


@pytest.fixture
def join() -> Iterator[Join]:
    """A new team."""
    people: list[Person] = []

    def join(running: Stack) -> Person:
        people.append(register(running.url, "fomo26", f"Team {uuid.uuid4().hex[:8]}"))
        return people[-1]

    yield join
    for person in people:
        person.http.close()
