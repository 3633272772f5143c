"""What a bundle says of itself, and where its files are."""

import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Literal, NamedTuple

import yaml
from pydantic import ValidationError

from evaluator.frozen import Model
from evaluator.scoring import Report
from evaluator.spec import Bootstrap, Challenge, parse_challenge

MANIFEST, BOARD, CHALLENGE, SUMS, MADE = (
    "bundle.json",
    "boards/leaderboard.json",
    "challenge.yaml",
    "SHA256SUMS",
    "made.json",
)
"""Files of a bundle that programs look for. The last one is signed, and names the digest of the one before it."""


class BundleError(ValueError):
    """What is no bundle, or cannot be recomputed here; the message says why, and what to do."""


class BundledTeam(Model):
    """A team of the boards. folder: where its reports lie. disqualified: it is shown, and moves nobody."""

    id: str
    name: str
    folder: str
    baseline: bool
    eligible: bool
    disqualified: bool
    disclaimer: str | None

    @property
    def ranked(self) -> bool:
        """Whether it is one of those that are ranked."""
        return not (self.baseline or self.disqualified)


class BundledEntry(Model):
    """What counts for a team, by its id, on a board of a track.

    draws and bootstrap: how the cases of its resamples were drawn, see `evaluator.scoring.Extras`.
    """

    team: str
    track: str
    board: str
    evaluation: str
    draws: int
    bootstrap: Bootstrap | None


class PendingEvaluation(Model):
    """An evaluation that had not ended when the bundle was made, or that the platform failed at; team: its name."""

    evaluation: str
    team: str
    track: str
    task: str
    status: str


class BundleManifest(Model):
    """What a bundle is of, in which version, and what counts on its boards, in the order in which they are computed.

    libraries: versions of those that its numbers and texts depend on. cases and datasets: how many, and the digest of
    the version, of each task. metrics: by board the digest of the code of each metric, None where it is not installed.
    case_names: whether cases go by their own names.
    """

    format: Literal[1] = 1
    challenge: str
    title: str
    phase: str
    phase_title: str
    opens: str | None
    closes: str | None
    open: bool
    released: bool
    case_names: bool
    spec: str
    platform: str
    evaluator: str
    libraries: dict[str, str]
    cases: dict[str, int]
    datasets: dict[str, str]
    metrics: dict[str, dict[str, str | None]]
    teams: tuple[BundledTeam, ...]
    entries: tuple[BundledEntry, ...]
    pending: tuple[PendingEvaluation, ...]

    @property
    def teams_by_id(self) -> dict[str, BundledTeam]:
        """Every team."""
        return {team.id: team for team in self.teams}


class Bundle(NamedTuple):
    """A bundle that lies in a folder."""

    folder: Path
    manifest: BundleManifest
    challenge: Challenge

    @classmethod
    def read(cls, folder: Path) -> "Bundle":
        """The bundle in `folder`.

        Raises:
            BundleError: there is none, or it is of another format.
        """
        try:
            manifest = BundleManifest.model_validate_json((folder / MANIFEST).read_bytes())
            content = yaml.safe_load((folder / CHALLENGE).read_bytes())
            return cls(folder, manifest, parse_challenge(content))
        except FileNotFoundError as error:
            raise BundleError(
                f"{folder}: this is no bundle, for there is no {error.filename}; give the folder or the ZIP file that "
                "'proctor-admin bundle' wrote."
            ) from None
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"])
            raise BundleError(
                f"{folder}: its manifest or challenge file is not what this version reads: {field}: {first['msg']}"
            ) from None
        except (yaml.YAMLError, ValueError) as error:
            raise BundleError(f"{folder}: its challenge file cannot be read: {error}") from None

    def place(self, entry: BundledEntry) -> str:
        """Where the report of an entry lies."""
        return f"reports/{self.manifest.teams_by_id[entry.team].folder}/{entry.track}/{entry.board}.json"

    def report(self, entry: BundledEntry) -> Report:
        """The report of an entry.

        Raises:
            BundleError: it is not there, or none.
        """
        try:
            return Report.model_validate_json((self.folder / self.place(entry)).read_bytes())
        except OSError as error:
            raise BundleError(f"{self.place(entry)}: cannot be read: {error.strerror}") from None
        except ValidationError as error:
            raise BundleError(f"{self.place(entry)}: is no report: {error.errors()[0]['msg']}") from None


def libraries() -> dict[str, str]:
    """The versions of the libraries here on which last digits and texts depend, and the processor's kind."""
    names = ("jinja2", "numpy", "pydantic", "scipy")
    return {name: version(name) for name in names} | {"machine": platform.machine()}


def json_text(content: object) -> str:
    """JSON of a bundle's file: indented, in the order of `content`."""
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
