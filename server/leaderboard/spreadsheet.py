"""A leaderboard as CSV, in the format that `evaluator rank --scores` reads: a row per team, board and metric."""

import csv
import io
from collections.abc import Iterator

from contract.leaderboard import BoardOut, EntryOut, LeaderboardOut, OtherwiseOut, UnifiedOut, Valued
from server.words import for_spreadsheet

COLUMNS = (
    *(
        "team",
        "track",
        "task",
        "metric",
        "value",
        "low",
        "high",
        "rank",
        "is_baseline",
        "eligible",
        "unranked",
    ),
    *(
        "scored_at",
        "note",
        "reason",
        "interval_method",
        "level",
        "resamples",
        "cases",
        "placement",
        "placement_low",
        "placement_high",
        "eligible_placement",
        "prize",
    ),
    *("disclaimer", "published_rank", "published_overall", "published_placement", "checkpoint"),
)
"""`task` names the board, `unranked` says why a row is shown and not ranked; places and checkpoints are those over all
boards."""


def as_csv(board: LeaderboardOut) -> str:
    """The values of every board with all that is to be said of them."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for track in board.tracks:
        standings = {standing.team: standing for standing in track.unified}
        for ranked in track.boards:
            listed: list[Valued] = [*ranked.entries, *ranked.otherwise]
            for entry in listed:
                writer.writerows(_rows(track.track, ranked, entry, standings.get(entry.team)))
    return out.getvalue()


def _rows(
    track: str, board: BoardOut, entry: Valued, standing: UnifiedOut | None
) -> Iterator[dict[str, object]]:
    """A row per metric."""
    otherwise = isinstance(entry, OtherwiseOut)
    drawn = entry.bootstrap if isinstance(entry, OtherwiseOut) else board.bootstrap
    standing = None if otherwise else standing
    whole = {
        "team": for_spreadsheet(entry.team),
        "track": track,
        "task": board.board,
        "is_baseline": int(entry.baseline),
        "eligible": int(entry.eligible),
        "unranked": "; ".join(_unranked(entry)),
        "scored_at": entry.scored_at.isoformat() if entry.scored_at else None,
        "level": drawn.level if drawn else None,
        "resamples": drawn.resamples if drawn else None,
        "cases": None if otherwise else board.cases,
        "placement": standing.placement if standing else None,
        "placement_low": standing.places.low if standing and standing.places else None,
        "placement_high": standing.places.high if standing and standing.places else None,
        "eligible_placement": standing.eligible_placement if standing else None,
        "prize": for_spreadsheet(standing.prize) if standing else None,
        "disclaimer": for_spreadsheet(entry.disclaimer),
        "published_rank": entry.published_rank if isinstance(entry, EntryOut) else None,
        "published_overall": standing.published_overall if standing else None,
        "published_placement": standing.published_placement if standing else None,
        "checkpoint": standing.checkpoint if standing else None,
    }
    for metric, value in entry.metrics.items():
        yield {**whole, "metric": metric, **value.model_dump()}


def _unranked(entry: Valued) -> Iterator[str]:
    if entry.disqualified:
        yield "disqualified"
    if isinstance(entry, OtherwiseOut):
        yield f"scored otherwise: {', '.join(entry.differs)}"
