"""What of a bundle follows from its reports, its boards and its runs: tables, figures, texts. Never anything else."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluator.bundle._manifest import BOARD, Bundle, BundleError, json_text
from evaluator.bundle._methods import methods
from evaluator.bundle._readme import readme
from evaluator.bundle._rows import CASES, case_rows
from evaluator.bundle._shown import leaderboard
from evaluator.comparison import ComparisonFile, Rule, challenger_csv, read_entrants
from evaluator.metrics.registry import UnknownMetric
from evaluator.ranking import RankingError, explain, rule_digest
from evaluator.report import documents


def derive(bundle: Bundle, folder: Path) -> list[str]:
    """Writes into `folder` everything that follows from the rest of the bundle; the paths of what was written.

    Raises:
        BundleError: the leaderboard has names that no folder of a bundle can have.
    """
    written: list[str] = []

    def put(name: str, text: str) -> None:
        path = folder / name
        if ".." in Path(name).parts:
            raise BundleError(f"{BOARD}: names {name!r}, which leads out of the bundle.")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
        written.append(name)

    for track in leaderboard(bundle)["tracks"]:
        boards = [board for board in track["boards"] if board["entries"]]
        if boards:
            put(f"boards/{track['track']}.csv", _unified(track))
        for board in boards:
            put(f"boards/{track['track']}-{board['board']}.csv", _board(board))
    put("cases.csv", "".join(_csv([CASES])) + "".join(_csv(case_rows(bundle))))
    why = _compared(bundle, put)
    put("METHODS.md", methods(bundle))
    put("README.md", readme(bundle, why))
    return written


def _compared(bundle: Bundle, put: Callable[[str, str], None]) -> str | None:
    """Report, figures, comparison and challengeR's tables; where reports cannot be compared, why."""
    spec = bundle.challenge
    if not bundle.manifest.entries:
        return "Nothing counts on a board yet."
    try:
        entrants = read_entrants(spec, bundle.folder / "reports")
        made = documents(spec, entrants)
    except (RankingError, UnknownMetric) as error:
        return str(error).replace(f"{bundle.folder}/", "")
    put("report.html", made.page)
    for name, figure in made.figures.items():
        put(f"figures/{name}.svg", figure)
    rule = Rule(
        digest=rule_digest(spec.ranking, spec.boards), sentences=tuple(explain(spec.ranking, spec.boards))
    )
    put(
        "comparison.json",
        json_text(ComparisonFile(rule=rule, tracks=dict(made.comparisons)).model_dump(mode="json")),
    )
    for track, entered in entrants.items():
        for name, small_better in (("higher_is_better", False), ("smaller_is_better", True)):
            text = challenger_csv(spec, entered, small_better=small_better)
            if text is not None:
                put(f"challengeR/{track}_{name}.csv", text)
    return None


def _csv(rows: Iterator[Sequence[object]] | Sequence[Sequence[object]]) -> Iterator[str]:
    """Rows as lines of CSV; None is an empty cell, and numbers have every digit."""
    for row in rows:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerow(row)
        yield text.getvalue()


def _unified(track: Mapping[str, Any]) -> str:
    """The places over all boards of a track."""
    boards = [board["board"] for board in track["boards"]]
    head = ("team", "placement", "places_low", "places_high", "eligible_placement", "prize", "overall")
    marks = ("baseline", "eligible", "disqualified", "disclaimer")
    rows: list[list[object]] = [[*head, *(f"rank_{board}" for board in boards), *marks]]
    for row in track["unified"]:
        places = row["places"] or {}
        rows.append(
            [
                row["team"],
                row["placement"],
                places.get("low"),
                places.get("high"),
                *(row[name] for name in head[4:]),
                *(row["board_ranks"][board] for board in boards),
                *(_mark(row[name]) for name in marks),
            ]
        )
    return "".join(_csv(rows))


def _board(board: Mapping[str, Any]) -> str:
    """What the teams have on a board of a track, a row each."""
    figures = ("value", "low", "high", "rank")
    names = [metric["name"] for metric in board["metrics"]]
    head = ["team", "rank", "places_low", "places_high"]
    rows: list[list[object]] = [
        [*head, *(f"{name}_{figure}" for name in names for figure in figures), "baseline", "disqualified"]
    ]
    for entry in board["entries"]:
        places = entry["places"] or {}
        values = [entry["metrics"][name][figure] for name in names for figure in figures]
        marks = [_mark(entry["baseline"]), _mark(entry["disqualified"])]
        rows.append([entry["team"], entry["rank"], places.get("low"), places.get("high"), *values, *marks])
    return "".join(_csv(rows))


def _mark(value: object) -> object:
    return int(value) if isinstance(value, bool) else value
