"""Submitting: saving, uploading, waiting for the image check, and the submission itself."""

import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from client.api import Client
from client.app import ChallengeOption, TeamOption, app, choose_challenge, choose_team, err, out, signed_in
from client.commands.follow import follow
from client.errors import Local, Usage
from client.images import image_id, saved_image
from client.models import Challenge
from client.show import transfer, waiting
from client.state import UploadMemory
from client.uploads import read_archive, upload_archive, wait_for_image


@app.command()
def submit(
    image: Annotated[
        str | None, typer.Argument(help="A local Docker image, or an archive that `docker save` wrote.")
    ] = None,
    task: Annotated[
        list[str] | None, typer.Option("--task", "-t", help="A task IMAGE serves; all if none is named.")
    ] = None,
    images: Annotated[
        list[str] | None, typer.Option("--image", "-i", help="One task's own image: task1=archive.tar")
    ] = None,
    track: Annotated[str | None, typer.Option(help="The track, if the challenge has several.")] = None,
    phase: Annotated[str | None, typer.Option(help="The phase, if several are open.")] = None,
    challenge: ChallengeOption = None,
    team: TeamOption = None,
    key: Annotated[
        str | None, typer.Option(help="Idempotency key: the same one twice is one submission.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Follow it until it has ended.")] = False,
) -> None:
    """Submit one image for several tasks, or an image for each.

    A cut upload is taken up again, also by a later run of the same command. An image that your team has on the
    server already is not uploaded again.
    """
    with signed_in() as client:
        found = choose_challenge(client, challenge)
        tasks = tuple(client.challenge(found.slug)["spec"]["tasks"])
        sources = _sources(image, task or [], images or [], tasks)
        chosen = _track(found, track), _phase(found, phase)
        own = choose_team(client, found.slug, team)
        digests = {
            source: _on_server(client, found.slug, own, source) for source in dict.fromkeys(sources.values())
        }
        submission = client.submit(
            found.slug,
            team=own,
            track=chosen[0],
            phase=chosen[1],
            images={task: digests[source] for task, source in sources.items()},
            key=key or str(uuid.uuid4()),
        )
        out.print(f"Submitted {', '.join(sources)}: {submission.id}", soft_wrap=True)
        if watch:
            raise typer.Exit(follow(client, submission.id))
    err.print(f"Follow it with `proctor watch {submission.id}`.")


def _sources(
    image: str | None, tasks: Sequence[str], images: Sequence[str], known: Sequence[str]
) -> dict[str, str]:
    """The image of each task that is submitted, in the challenge's order."""
    sources = dict.fromkeys(tasks or (known if image and not images else ()), image or "")
    for one in images:
        name, equals, source = one.partition("=")
        if not (name and equals and source):
            raise Usage(f"--image {one!r} is not TASK=IMAGE.", "For example: --image task1=archive.tar")
        if sources.get(name):
            raise Usage(f"{name} has two images.", "Name each task once.")
        sources[name] = source
    if not sources or not all(sources.values()):
        raise Usage(
            "Name an image.", "`proctor submit IMAGE`, or `proctor submit --image task1=archive.tar`."
        )
    if image and image not in sources.values():
        raise Usage(f"No task is left for {image}.", "Say which with --task.")
    if unknown := [name for name in sources if name not in known]:
        raise Usage(f"There is no task {unknown[0]!r}.", f"Tasks: {', '.join(known)}.")
    return {name: sources[name] for name in known if name in sources}


def _track(challenge: Challenge, track: str | None) -> str:
    if track is None and len(challenge.tracks) == 1:
        return challenge.tracks[0]
    if track not in challenge.tracks:
        what = "Name a track with --track." if track is None else f"There is no track {track!r}."
        raise Usage(what, f"Tracks: {', '.join(challenge.tracks)}.")
    return track


def _phase(challenge: Challenge, phase: str | None) -> str:
    opened = [one.name for one in challenge.phases if one.open]
    if phase is not None:  # whether it is open is the server's word: the clocks may differ
        return phase
    if len(opened) != 1:
        raise Usage("Name a phase with --phase.", f"Open now: {', '.join(opened) or 'none'}.")
    return opened[0]


def _on_server(client: Client, slug: str, team: str, source: str) -> str:
    """The digest of an image that the server has checked; uploads it where the team has it not there yet."""
    path = Path(source)
    if path.is_file():
        return _upload(client, slug, team, path)
    if path.suffix in (".tar", ".gz", ".tgz"):
        raise Local(f"There is no file {source}.")
    if source.startswith("sha256:") and source in client.images(team):
        return source
    local = image_id(source)
    if local is None:
        raise Local(
            f"There is no file and no local Docker image {source!r}.", "`docker images` lists the images."
        )
    if local in client.images(team):
        err.print(f"{source} is on the server already.", markup=False)
        return local
    with ExitStack() as saved:
        with transfer(err, "Saving", None) as advance:
            archive = saved.enter_context(saved_image(source, advance))
        return _upload(client, slug, team, archive)


def _upload(client: Client, slug: str, team: str, path: Path) -> str:
    with transfer(err, "Reading", path.stat().st_size) as advance:
        archive = read_archive(path, advance)
    with transfer(err, "Uploading", archive.size) as advance:
        upload = upload_archive(client, slug, team, archive, memory=UploadMemory(), advance=advance)
    with waiting(err, "The server checks the image"):
        return wait_for_image(client, upload)
