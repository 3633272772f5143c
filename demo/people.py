"""Who takes part in the demo. Everything goes through the REST API, as it would from anywhere."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from client.api import Client
from client.uploads import read_archive, upload_archive, wait_for_image
from contract.submissions import SubmissionOut
from demo.installation import Installation

CHALLENGE = "fomo26"


@dataclass(frozen=True)
class TeamEntry:
    """What one team submits on one track: for each of its tasks an image's archive, often the same."""

    team: str
    track: str
    archives: Mapping[str, Path]
    baseline: bool = False

    @property
    def tasks(self) -> Sequence[str]:
        """The tasks that it takes part in."""
        return tuple(self.archives)


@dataclass(frozen=True)
class LogIn:
    """What somebody types to sign in in a browser."""

    email: str
    password: str


@dataclass(frozen=True)
class SignedInAdmin:
    """The admin, signed in."""

    client: Client
    log_in: LogIn


@dataclass(frozen=True)
class SignedInTeam:
    """A team's member, signed in with an API token that may read and submit."""

    client: Client
    team: str
    log_in: LogIn


def make_admin(installation: Installation) -> SignedInAdmin:
    """Registers the first admin with the setup token and signs in."""
    client = Client(installation.url)
    log_in = LogIn("admin@proctor.example", secrets.token_urlsafe(12))
    client.register(log_in.email, "Admin", log_in.password, setup_token=installation.secret("setup_token"))
    token = client.log_in(log_in.email, log_in.password)
    return SignedInAdmin(Client(installation.url, token=token), log_in)


def join(installation: Installation, admin: Client, entry: TeamEntry) -> SignedInTeam:
    """Registers a member, makes an API token and the team; the admin marks a baseline as such, and names it so."""
    log_in = LogIn(f"{entry.team.lower()}@teams.example", secrets.token_urlsafe(12))
    visitor = Client(installation.url)
    visitor.register(log_in.email, f"{entry.team} member", log_in.password)
    member = Client(installation.url, token=visitor.log_in(log_in.email, log_in.password))
    token = member.create_token("demo", ("read", "submit"))
    client = Client(installation.url, token=token.token)
    team = client.create_team(CHALLENGE, f"Makers of {entry.team}" if entry.baseline else entry.team)
    if entry.baseline:
        admin.request("PATCH", f"/admin/teams/{team.id}", json={"baseline": True, "name": entry.team})
    return SignedInTeam(client, team.id, log_in)


def upload(participant: SignedInTeam, entry: TeamEntry) -> Mapping[str, str]:
    """Uploads the entry's images, each once, and waits for their checks; returns the digest of each task's image."""
    digests = {}
    for path in dict.fromkeys(entry.archives.values()):
        archive = read_archive(path)
        upload_id = upload_archive(participant.client, CHALLENGE, participant.team, archive)
        digests[path] = wait_for_image(participant.client, upload_id)
    return {task: digests[path] for task, path in entry.archives.items()}


def submit(participant: SignedInTeam, entry: TeamEntry, images: Mapping[str, str]) -> SubmissionOut:
    """Submits these images, a digest for each task, in phase validation."""
    return participant.client.submit(
        CHALLENGE,
        team=participant.team,
        track=entry.track,
        phase="validation",
        images=images,
    )
