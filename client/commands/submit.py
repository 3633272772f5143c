"""Submitting: saving, uploading, waiting for the image check, and the submission itself."""

import sys
import uuid
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from client.api import Client
from client.app import (
    ChallengeOption,
    TeamOption,
    app,
    choose_challenge,
    choose_team,
    err,
    interruptible,
    out,
    signed_in,
    warn,
)
from client.checkpoints import tell_checkpoints
from client.commands.follow import follow
from client.errors import Local, WrongUsage
from client.images import image_id, saved_image
from client.preflight import (
    Aim,
    repeats,
    require_accepted,
    require_attempts,
    require_cases,
    require_image_file,
    require_open,
    require_phase,
    require_tasks,
)
from client.progress import transfer, waiting
from client.pushed import PushedName, find_push
from client.show import source_words
from client.source import source_of
from client.state import UploadMemory
from client.uploads import read_archive, upload_archive, wait_for_image
from contract.challenges import ChallengeOut
from evaluator.terminal import agreed


@app.command()
def submit(
    image: Annotated[
        str | None,
        typer.Argument(
            help="A local Docker image, a SIF file, an archive that `docker save` wrote, or what you pushed to the "
            "challenge's registry: HOST/TEAM/NAME:TAG."
        ),
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
    again: Annotated[
        bool, typer.Option("--again", help="Submit an image that is scored or under way there already.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Follow it until it has ended.")] = False,
    git: Annotated[
        bool,
        typer.Option(help="Send the git commit that is checked out here, and whether the tree is clean."),
    ] = True,
) -> None:
    """Submit one image for several tasks, or an image for each.

    A cut upload is taken up again, also by a later run of the same command. An image that your team has on the
    server already is not uploaded again.
    """
    with signed_in() as client:
        listed = choose_challenge(client, challenge)
        detail = client.challenge(listed.slug)
        spec = detail.spec
        sources = _sources(image, task or [], images or [], spec)
        chosen = _track(listed, track), _phase(listed, phase)
        aim = Aim(listed.slug, choose_team(client, listed.slug, team), *chosen, tuple(sources))
        if key is None:  # the same key again is an earlier submission, whatever is open or left by now
            entered = require_phase(listed, aim.phase)
            require_open(entered)
            if any(document.before for document in detail.agreements):
                require_accepted(client.agreements(listed.slug))
            require_cases(entered, aim.tasks)
            require_attempts(client.quota(aim.slug, aim.team), aim, spec)
            tell_checkpoints(client, aim, _unsent(sources, detail.registry), spec)
        digests = _digests(client, aim, sources, detail.registry)
        if key is None and not again:
            _agree(repeats(client.submissions(aim.slug, aim.team), aim, digests))
        source = source_of(Path(), map(Path, sources.values())) if git else None
        submission_id = _submit(client, aim, digests, key, source)
        if watch:
            raise typer.Exit(follow(client, submission_id))
    err.print(f"Follow it with `proctor watch {submission_id}`.")


def _unsent(sources: Mapping[str, str], registry: str | None) -> dict[str, str]:
    """Those images of tasks that were not pushed."""
    return {task: source for task, source in sources.items() if PushedName.of(source, registry) is None}


def _digests(client: Client, aim: Aim, sources: Mapping[str, str], registry: str | None) -> dict[str, str]:
    """The digest of each task's image, once the server has it."""
    with interruptible(
        "Interrupted before anything was submitted.",
        "What was uploaded is kept; the same command goes on there.",
    ):
        digests = {
            source: _pushed(client, aim.team, name)
            if (name := PushedName.of(source, registry)) is not None
            else _on_server(client, aim.slug, aim.team, source)
            for source in dict.fromkeys(sources.values())
        }
    return {task: digests[source] for task, source in sources.items()}


def _agree(repeated: Mapping[str, str]) -> None:
    """Asks before the identical image is run once more; without anybody to ask, it is refused."""
    if not repeated:
        return
    said = "\n".join(repeated.values())
    costs = "Running the identical image once more takes an attempt where these are counted."
    if not sys.stdin.isatty():
        raise WrongUsage(f"{said}\n{costs}", "Nothing was submitted. Add --again to submit it all the same.")
    err.print(f"{said}\n{costs}", style="yellow")
    if not agreed("Submit it again?", err=True):
        raise WrongUsage("Nothing was submitted.")


def _submit(
    client: Client,
    aim: Aim,
    digests: Mapping[str, str],
    key: str | None,
    source: Mapping[str, str | bool | None] | None,
) -> str:
    with interruptible(
        "Interrupted while submitting.", "`proctor watch` shows whether your newest submission arrived."
    ):
        submission = client.submit(
            aim.slug,
            team=aim.team,
            track=aim.track,
            phase=aim.phase,
            images=digests,
            key=key or str(uuid.uuid4()),
            source=source,
        )
    out.print(f"Submitted {', '.join(digests)}: {submission.id}", soft_wrap=True)
    if submission.source is not None:
        out.print(f"Made of {source_words(submission.source)}.", soft_wrap=True)
    return submission.id


def _sources(
    image: str | None, tasks: Sequence[str], images: Sequence[str], spec: Mapping[str, Any]
) -> dict[str, str]:
    """The image of each task that is submitted, in the challenge's order."""
    known = tuple(spec["tasks"])
    sources = dict.fromkeys(tasks or (known if image and not images else ()), image or "")
    for wanted in images:
        name, equals, source = wanted.partition("=")
        if not (name and equals and source):
            raise WrongUsage(
                f"--image {wanted!r} is not TASK=IMAGE.", "For example: --image task1=archive.tar"
            )
        if sources.get(name):
            raise WrongUsage(f"{name} has two images.", "Name each task once.")
        sources[name] = source
    if not sources or not all(sources.values()):
        raise WrongUsage(
            "Name an image.", "`proctor submit IMAGE`, or `proctor submit --image task1=archive.tar`."
        )
    if image and image not in sources.values():
        raise WrongUsage(f"No task is left for {image}.", "Say which with --task.")
    require_tasks(sources, spec)
    return {name: sources[name] for name in known if name in sources}


def _track(challenge: ChallengeOut, track: str | None) -> str:
    if track is None and len(challenge.tracks) == 1:
        return challenge.tracks[0]
    if track not in challenge.tracks:
        what = "Name a track with --track." if track is None else f"There is no track {track!r}."
        raise WrongUsage(what, f"Tracks: {', '.join(challenge.tracks)}.")
    return track


def _phase(challenge: ChallengeOut, phase: str | None) -> str:
    opened = [phase.name for phase in challenge.phases if phase.open]
    if phase is not None:
        return require_phase(challenge, phase).name
    if len(opened) != 1:
        raise WrongUsage("Name a phase with --phase.", f"Open now: {', '.join(opened) or 'none'}.")
    return opened[0]


def _on_server(client: Client, slug: str, team: str, source: str) -> str:
    """The digest of an image that the server has checked; uploads it where the team has it not there yet."""
    path = Path(source)
    if path.is_file():
        return _upload(client, slug, team, path)
    if path.suffix in (".tar", ".gz", ".tgz", ".sif"):
        raise Local(f"There is no file {source}.")
    if source.startswith("sha256:") and _is_there(client, team, source):
        return source
    local = image_id(source)
    if local is None:
        raise Local(
            f"There is no file and no local Docker image {source!r}.", "`docker images` lists the images."
        )
    if _is_there(client, team, local):
        err.print(f"{source} is on the server already.")
        return local
    with ExitStack() as saved:
        with transfer(err, "Saving", None) as advance:
            archive = saved.enter_context(saved_image(source, advance))
        return _upload(client, slug, team, archive)


def _is_there(client: Client, team: str, digest: str) -> bool:
    """Whether the team has this image on the server; what may keep it from running is said."""
    image = next((one for one in client.stored_images(team) if one.digest == digest), None)
    for warning in image.warnings if image else ():
        warn(warning)
    return image is not None


def _pushed(client: Client, team: str, name: PushedName) -> str:
    """The digest of an image that was pushed, once the server has it; other than the one that the push had."""
    with waiting(err, "The server fetches and checks what was pushed"):
        return wait_for_image(client, find_push(client, team, name), tell=warn)


def _upload(client: Client, slug: str, team: str, path: Path) -> str:
    require_image_file(path)
    with transfer(err, "Reading", path.stat().st_size) as advance:
        archive = read_archive(path, advance)
    with transfer(err, "Uploading", archive.size) as advance:
        upload = upload_archive(client, slug, team, archive, memory=UploadMemory(), advance=advance)
    with waiting(err, "The server checks the image"):
        return wait_for_image(client, upload, tell=warn)
