"""Submitting what was pushed: a real registry before the running server, and the command that finds the push."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from client.api import Client
from client.errors import Local, Unfinished
from client.images import pushed_digests
from client.pushed import PushedName, find_push
from tests.client.archives import image_archive
from tests.client.conftest import Cli, Participant, Server
from tests.client.test_submit import OPEN, submitted
from tests.server.registries import Hub, hub, run
from worker.score.pushes import find_pushed, take_pushed


@pytest.fixture
def registry(server: Server, mine: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A registry, with a score worker that takes over what is pushed; the command speaks to its server."""
    over = threading.Event()

    def take(settings: object) -> None:
        while not over.wait(0.05):
            take_pushed(server.sessions, settings)  # type: ignore[arg-type]

    with hub(server.settings, tmp_path) as served:
        taking = threading.Thread(target=take, args=(served.settings,))
        taking.start()
        monkeypatch.setenv("PROCTOR_URL", served.api.removesuffix("/api/v1"))
        yield served
        over.set()
        taking.join()


def _push(registry: Hub, participant: Participant, archive: Path, name: str) -> None:
    done = registry.skopeo(archive, f"{participant.team}/{name}", participant.token)
    assert done.returncode == 0, done.stderr


def test_what_was_pushed_is_submitted_by_the_name_it_was_pushed_under(
    mine: Cli, registry: Hub, participant: Participant, tmp_path: Path
) -> None:
    name, archives = f"{registry.host}/{participant.team}/model", (tmp_path / "a.tar", tmp_path / "b.tar")
    first, second = (image_archive(archive, noise=640) for archive in archives)
    with Client(registry.api.removesuffix("/api/v1"), participant.token) as client:

        def submits(source: str, task: str, *, image: str) -> None:
            done = mine("submit", source, "-t", task, *OPEN)
            assert done.exit_code == 0, done.output
            (evaluation,) = client.submission(submitted(done.output)).evaluations
            assert evaluation.image == image

        _push(registry, participant, archives[0], "model:v1")
        submits(f"{name}:v1", "task1", image=first)
        (upload,) = client.uploads(participant.team)
        assert upload.pushed is not None
        submits(f"{name}@{upload.pushed.partition('@')[2]}", "task2", image=first)
        _push(registry, participant, archives[1], "model:v1")
        _wait_for(client, participant, pushes=2)
        submits(f"{name}:v1", "task3", image=second)
        # The first again, under both names: nothing is fetched anew, and the names mean it from now on.
        _push(registry, participant, archives[0], "model:v1")
        _push(registry, participant, archives[0], "model")
        _wait_for(client, participant, pushes=4)
        submits(f"{name}:v1", "task4", image=first)
        submits(name, "task5", image=first)
        listed = mine("images")
        assert {line.strip() for line in listed.output.splitlines() if "pushed as" in line} == {
            "pushed as model:latest",
            "pushed as model:v1",
        }


def _wait_for(client: Client, participant: Participant, *, pushes: int) -> None:
    for _ in range(400):
        if len(client.uploads(participant.team)) == pushes:
            return
        threading.Event().wait(0.05)
    raise AssertionError("the registry told of fewer pushes")


def test_a_push_from_here_that_the_server_does_not_know_yet_is_not_taken_for_an_earlier_one(
    server: Server, participant: Participant, tmp_path: Path
) -> None:
    """Of the second push no notification comes, as in the moment after every push."""
    archives = (tmp_path / "a.tar", tmp_path / "b.tar")
    for archive in archives:
        image_archive(archive, noise=640)
    with (
        hub(server.settings, tmp_path, tells=False) as registry,
        Client(server.url, participant.token) as client,
    ):
        whole = f"{registry.host}/{participant.team}/model:v1"
        name = PushedName.of(whole, registry.host)
        assert name is not None

        def find() -> str:
            return find_push(client, participant.team, name, pause=lambda _: None, patience=0)

        _push(registry, participant, archives[0], "model:v1")
        assert find_pushed(server.sessions, registry.settings) == 1
        earlier = find()
        _docker_push(registry, participant, archives[1], whole, tmp_path)
        try:
            with pytest.raises(Unfinished, match="knows of no push"):
                find()
            assert find_pushed(server.sessions, registry.settings) == 1
            newest = client.uploads(participant.team)[0]
            assert find() == newest.id != earlier
            assert {f"model@{digest}" for digest in pushed_digests(whole)} == {newest.pushed}
        finally:
            run("docker", "rmi", whole)
        assert pushed_digests(whole) == frozenset()


def _docker_push(registry: Hub, participant: Participant, archive: Path, name: str, folder: Path) -> None:
    config = ("docker", "--config", str(folder / "docker"))
    loaded = run("docker", "load", "--input", str(archive))
    steps = (
        (*config, "tag", loaded.stdout.split()[-1], name),
        (*config, "login", registry.host, "-u", "Ada", "--password-stdin"),
        (*config, "push", name),
    )
    for step in steps:
        done = run(*step, told=participant.token if "login" in step else "")
        assert done.returncode == 0, (step, done.stderr)


def test_a_name_of_another_team_and_a_push_that_is_not_there_end_in_a_sentence(
    registry: Hub, participant: Participant
) -> None:
    with Client(registry.api.removesuffix("/api/v1"), participant.token) as client:

        def find(source: str) -> str:
            name = PushedName.of(source, registry.host)
            assert name is not None
            return find_push(client, participant.team, name, pause=lambda _: None, patience=0)

        with pytest.raises(Local, match="not a name of your team's") as told:
            find(f"{registry.host}/other/model:v1")
        assert f"{registry.host}/{participant.team}/model:v1" in str(told.value.hint)
        with pytest.raises(Unfinished, match="knows of no push"):
            find(f"{registry.host}/{participant.team}/model:v1")
        with pytest.raises(Local, match="is no image"):
            find(f"{registry.host}/model:v1")


def test_other_names_are_local_images(registry: Hub) -> None:
    for source in ("model:v1", "elsewhere.example/team/model", f"{registry.host}0/team/model"):
        assert PushedName.of(source, registry.host) is None
    assert PushedName.of(f"{registry.host}/team/model", None) is None
