"""A team's images on the server: what there is, and taking away what is not needed."""

from typing import Annotated

import typer
from rich.text import Text

from client.api import Client
from client.app import ChallengeOption, TeamOption, app, choose_challenge, choose_team, err, out, signed_in
from client.errors import Local
from client.progress import size
from contract.images import ImageOut
from evaluator.terminal import in_line


@app.command()
def images(
    remove: Annotated[
        list[str] | None, typer.Option("--remove", help="Remove the image whose digest begins so.")
    ] = None,
    challenge: ChallengeOption = None,
    team: TeamOption = None,
) -> None:
    """Your team's images on the server, how much they take, and what your team may store.

    Images of evaluations that are under way, scored or errored are kept; others can be removed.
    """
    with signed_in() as client:
        team_id = choose_team(client, choose_challenge(client, challenge).slug, team)
        stored = client.stored_images(team_id)
        for image in [_meant(stored, beginning) for beginning in remove or ()]:
            client.remove_image(team_id, image.digest)
            stored.remove(image)
            err.print(f"{image.digest} is removed.")
        _show(client, team_id, stored)


def _meant(stored: list[ImageOut], beginning: str) -> ImageOut:
    """The one image whose digest begins so, with or without "sha256:"."""
    wanted = beginning.removeprefix("sha256:")
    meant = [image for image in stored if wanted and image.digest.removeprefix("sha256:").startswith(wanted)]
    if len(meant) != 1:
        told = "No image of your team begins" if not meant else f"{len(meant)} images of your team begin"
        raise Local(f"{told} with {beginning!r}.", "`proctor images` lists them.")
    return meant[0]


def _show(client: Client, team_id: str, stored: list[ImageOut]) -> None:
    """An image has a line for its digest, which is whole at 80 columns, and one for the rest."""
    origins = _origins(client, team_id) if stored else {}
    for image in stored:
        out.print(Text(in_line(image.digest)))
        out.print(Text(f"  {size(image.size)}, since {image.created_at:%Y-%m-%d %H:%M} UTC"))
        if image.digest in origins:
            out.print(Text(f"  {in_line(origins[image.digest])}"))
        for warning in image.warnings:
            out.print(Text(f"  {in_line(warning)}", style="yellow"))
    storage = client.storage(team_id)
    out.print(f"{size(storage.used)} of {size(storage.allowed)} are used.")


def _origins(client: Client, team_id: str) -> dict[str, str]:
    """What each image of the latest uploads was sent as last, by its digest."""
    origins: dict[str, str] = {}
    for upload in client.uploads(team_id):
        if upload.image and upload.filename:
            sent = "pushed" if upload.pushed else "uploaded"
            origins.setdefault(upload.image, f"{sent} as {upload.filename}")
    return origins
