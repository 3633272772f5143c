"""What the leaderboard of a bundle shows, in the form in which it is computed again."""

import csv
import json
from collections.abc import Iterator, Mapping
from typing import Any

from evaluator.bundle._manifest import BOARD, Bundle, BundleError

TABLE, SCORES = "boards/leaderboard.csv", "scores.csv"
_COLUMNS = ("value", "low", "high", "rank")


def leaderboard(bundle: Bundle) -> dict[str, Any]:
    """The leaderboard as the API answers it.

    Raises:
        BundleError: it is not there, or no JSON.
    """
    try:
        content = json.loads((bundle.folder / BOARD).read_bytes())
    except (OSError, ValueError) as error:
        raise BundleError(f"{BOARD}: cannot be read: {error}") from None
    if not isinstance(content, dict) or not isinstance(content.get("tracks"), list):
        raise BundleError(f"{BOARD}: is no leaderboard")
    return content


def shown_boards(bundle: Bundle) -> dict[str, Any]:
    """What the leaderboard shows, as `boards_of` tells it.

    Raises:
        BundleError: it is no leaderboard.
    """
    try:
        return {track["track"]: _track(track) for track in leaderboard(bundle)["tracks"]}
    except (KeyError, TypeError) as error:
        raise BundleError(f"{BOARD}: is no leaderboard: {error} is missing or of another form") from None


def _track(track: Mapping[str, Any]) -> dict[str, Any]:
    standing = ("placement", "eligible_placement", "prize", "overall", "first", "board_ranks", "places")
    entry = ("rank", "first", "places")
    return {
        "unified": {row["team"]: {name: row[name] for name in standing} for row in track["unified"]},
        "boards": {
            board["board"]: {
                row["team"]: {
                    **{name: row[name] for name in entry},
                    "metrics": {
                        metric: {name: value[name] for name in _COLUMNS}
                        for metric, value in row["metrics"].items()
                    },
                }
                for row in board["entries"]
            }
            for board in track["boards"]
        },
        "certainty": _certainty(track["certainty"]),
    }


def _certainty(certainty: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if certainty is None:
        return None
    decision = certainty["decision"]
    return {
        **{name: certainty[name] for name in ("level", "winners", "weight_space")},
        "awards": None if decision is None else decision["awards"],
        "sentences": None if decision is None else decision["sentences"],
        "warnings": [warning["sentence"] for warning in certainty["warnings"]],
    }


def wrong_table(bundle: Bundle) -> Iterator[str]:
    """Where the leaderboard as CSV is not the one as JSON."""
    shown = {
        (entry["team"], track["track"], board["board"], metric): [_cell(value[name]) for name in _COLUMNS]
        for track in leaderboard(bundle)["tracks"]
        for board in track["boards"]
        for entry in (*board["entries"], *board["otherwise"])
        for metric, value in entry["metrics"].items()
    }
    try:
        with (bundle.folder / TABLE).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        listed = {
            (row["team"], row["track"], row["task"], row["metric"]): [row[name] for name in _COLUMNS]
            for row in rows
        }
    except (OSError, KeyError, csv.Error) as error:
        raise BundleError(f"{TABLE}: cannot be read: {error}") from None
    for key in sorted({*shown, *listed}):
        if shown.get(key) != listed.get(key):
            yield f"{TABLE}: {', '.join(key)}: has {listed.get(key)}, and {shown.get(key)} in {BOARD}"


def wrong_scores(bundle: Bundle, receipts: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Where the table of all attempts has another value than the receipt that was signed of it."""
    try:
        with (bundle.folder / SCORES).open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                receipt = receipts.get(row["evaluation"], {"statement": {}})
                signed = receipt["statement"].get("scores", {}).get(row["board"], {}).get(row["metric"])
                if signed != (float(row["value"]) if row["value"] else None):
                    place = f"{row['evaluation']}, {row['board']}, {row['metric']}"
                    yield f"{SCORES}: {place}: has {row['value'] or 'no value'}, and {signed!r} was signed"
    except (OSError, KeyError, ValueError, csv.Error) as error:
        raise BundleError(f"{SCORES}: cannot be read: {error}") from None


def _cell(value: float | None) -> str:
    return "" if value is None else str(value)
