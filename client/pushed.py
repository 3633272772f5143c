"""Images that were pushed to the challenge's registry, found among a team's uploads by their name there."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

from client.api import Client
from client.errors import Local, Unfinished
from client.images import pushed_digests
from contract.uploads import UploadOut

_PATIENCE = 60.0


@dataclass(frozen=True)
class PushedName:
    """An image's name in the registry: HOST/TEAM/NAME, with a tag or the digest that `docker push` prints."""

    whole: str
    team: str
    name: str
    tag: str
    digest: str

    @classmethod
    def of(cls, source: str, registry: str | None) -> Self | None:
        """The name that this is; None where it is none of the registry's.

        Raises:
            Local: it is one of the registry's, and not whole.
        """
        if registry is None or not source.startswith(f"{registry}/"):
            return None
        path, _, digest = source.removeprefix(f"{registry}/").partition("@")
        team, _, named = path.partition("/")
        name, _, tag = named.partition(":")
        if not name:
            raise Local(f"{source} is no image.", f"A name there is {registry}/TEAM/NAME:TAG.")
        return cls(source, team, name, tag or "latest", digest)

    def among(self, uploads: Sequence[UploadOut]) -> UploadOut | None:
        """What was pushed under this name last."""
        if self.digest:
            return next((one for one in uploads if one.pushed == f"{self.name}@{self.digest}"), None)
        named = f"{self.name}:{self.tag}"
        return next((one for one in uploads if one.pushed and one.filename == named), None)


def find_push(
    client: Client,
    team: str,
    pushed: PushedName,
    *,
    pause: Callable[[float], None] = time.sleep,
    patience: float = _PATIENCE,
) -> str:
    """The upload that a push of one's team became; a push that ended just now is waited for.

    Where an engine here pushed this name, the server has to know of that push: an earlier one is not taken for it.

    Raises:
        Local: it is another team's name.
        Unfinished: the push is not there within `patience` seconds.
    """
    if pushed.team != team:
        raise Local(
            f"{pushed.whole} is not a name of your team's: the part after the host has to be your team's id.",
            f"Push it as {pushed.whole.replace(f'/{pushed.team}/', f'/{team}/', 1)}.",
        )
    here = frozenset(f"{pushed.name}@{digest}" for digest in pushed_digests(pushed.whole))
    until = time.monotonic() + patience
    while True:
        uploads = client.uploads(team)
        found = pushed.among(uploads)
        if found is not None and (not here or pushed.digest or found.pushed in here):
            return found.id
        if time.monotonic() > until:
            raise Unfinished(
                f"The server knows of no push of {pushed.whole}.",
                f"`docker push {pushed.whole}` pushes it. If that was done, run the same command again later.",
            )
        pause(1.0)
