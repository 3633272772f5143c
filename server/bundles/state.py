"""What a bundle is made of: a phase at one moment, and the folder that its files are written into."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from contract.ids import DatasetId, TeamId
from evaluator.bundle import json_text
from server.bundles.private import Naming, pseudonyms
from server.challenges.models import Challenge
from server.datasets.models import Dataset
from server.leaderboard.bases import InForce, in_force
from server.leaderboard.service import Attempt, Found, attempts
from server.settings import Settings
from server.teams.models import Team

_UNFIT = frozenset('/\\:*?"<>|')
"""Characters of a team's name that a folder's cannot have everywhere."""
_LONGEST = 120  # bytes


@dataclass(frozen=True)
class PhaseState:
    """A phase with what counts on its boards. named: whether cases go by their own names. folders: by team."""

    session: Session
    challenge: Challenge
    phase: str
    folder: Path
    settings: Settings
    named: bool
    force: InForce
    found: Found
    teams: dict[TeamId, Team]
    folders: dict[TeamId, str]
    _namings: dict[DatasetId, Naming] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        session: Session,
        challenge: Challenge,
        phase: str,
        folder: Path,
        *,
        settings: Settings,
        named: bool,
    ) -> "PhaseState":
        """The present state of a phase; teams that are hidden are not in it, nor are those that never took part."""
        force = in_force(session, challenge, phase)
        rows = session.scalars(
            select(Team)
            .where(Team.challenge_id == challenge.id, ~Team.hidden, Team.merged_into.is_(None))
            .order_by(Team.id)
        )
        teams = {team.id: team for team in rows}
        return cls(
            session=session,
            challenge=challenge,
            phase=phase,
            folder=folder,
            settings=settings,
            named=named,
            force=force,
            found=attempts(session, challenge, phase, force),
            teams=teams,
            folders=folders_of(teams.values()),
        )

    @property
    def counted(self) -> Sequence[Attempt]:
        """What counts on a board."""
        return self.found.counted

    def naming(self, dataset_id: DatasetId) -> Naming:
        """What the cases of a version are called in the bundle."""
        if self.named:
            return str
        if dataset_id not in self._namings:
            digest = self.session.get_one(Dataset, dataset_id).digest
            self._namings[dataset_id] = pseudonyms(self.settings, self.challenge.id, self.phase, digest)
        return self._namings[dataset_id]

    def put(self, name: str, content: str) -> None:
        """Writes a file."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode())

    def put_json(self, name: str, content: object) -> None:
        """Writes a file of JSON."""
        self.put(name, json_text(content))

    def put_table(self, name: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Writes a CSV file, row by row; numbers have every digit, and None is an empty cell."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows(rows)


def folders_of(teams: Iterable[Team]) -> dict[TeamId, str]:
    """A folder's name for each team: its own name, but for what no file system has everywhere; no two are alike."""
    found: dict[TeamId, str] = {}
    taken: set[str] = {"teams.csv"}
    for team in teams:
        own = "".join("_" if sign in _UNFIT else sign for sign in team.name).strip(". ") or "team"
        own = own.encode()[:_LONGEST].decode(errors="ignore")
        name, number = own, 1
        while name.casefold() in taken:
            number += 1
            name = f"{own} {number}"
        taken.add(name.casefold())
        found[team.id] = name
    return found
