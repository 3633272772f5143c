"""Verdicts, scores, ranks and receipts of a season stay what they were: compared with a stored snapshot."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from server.challenges.service import get_challenge
from server.database import unit_of_work
from server.leaderboard.supposed import Supposed
from server.leaderboard.whatif import compare
from tests.server.conftest import Person
from tests.server.lab import Entrant, Lab
from tests.server.seeded import play

SNAPSHOT = Path(__file__).parent / "snapshots" / "season.json"
OF_THIS_RUN = {
    "at",
    "case",
    "challenge",
    "code",
    "created_at",
    "dataset",
    "evaluation",
    "evaluator",
    "finished_at",
    "id",
    "image",
    "last_scored",
    "scored_at",
    "spec",
    "submission",
    "submitted_at",
    "team",
    "version",
}
"""Ids, times and digests; a board's teams have names, which are kept."""


def lasting(content: Any, *, but: frozenset[str] = frozenset()) -> Any:
    """`content` without what differs from run to run."""
    if isinstance(content, dict):
        return {key: lasting(one, but=but) for key, one in content.items() if key not in OF_THIS_RUN - but}
    return [lasting(one, but=but) for one in content] if isinstance(content, list) else content


def holds(found: Any, stored: Any, place: str = "") -> None:
    """Fails unless `found` says all that `stored` says; it may say more."""
    if isinstance(stored, dict):
        for key, value in stored.items():
            assert key in found, f"{place}.{key} is gone"
            holds(found[key], value, f"{place}.{key}")
    elif isinstance(stored, list):
        assert len(found) == len(stored), place
        for number, value in enumerate(stored):
            holds(found[number], value, f"{place}[{number}]")
    else:
        assert found == stored, place


def test_verdicts_scores_ranks_and_receipts_are_those_of_the_snapshot(
    lab: Lab, entrant: Callable[[str], Entrant], admin: Person, nobody: httpx.Client
) -> None:
    season = play(lab, entrant, admin)
    address = f"/challenges/{lab.slug}/leaderboards/validation"
    csv = nobody.get(f"{address}.csv").text.splitlines()
    board = nobody.get(address).json()
    board["tracks"] = [track for track in board["tracks"] if track["track"] == "open"]
    found = {
        "board": lasting(board, but=frozenset({"team"})),
        "csv": [line.split(",")[:10] for line in csv],
        "evaluations": {
            f"{name} {task}": lasting(season.teams[name].evaluation(evaluation))
            for (name, task), evaluation in season.evaluations.items()
        },
        "receipts": {
            f"{name} {task}": lasting(
                admin.http.get(f"/admin/evaluations/{evaluation}/receipt").json()["statement"]
            )
            for (name, task), evaluation in season.evaluations.items()
        },
    }
    if os.environ.get("PROCTOR_WRITE_SNAPSHOTS"):
        lines = [f"{json.dumps(part)}: {json.dumps(said)}" for part, said in found.items()]
        SNAPSHOT.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    holds(found, json.loads(SNAPSHOT.read_text(encoding="utf-8")))
    with unit_of_work(lab.sessions) as session:
        challenge = get_challenge(session, lab.slug)
        present = challenge.spec.ranking
        prizes = {"places": ["gold", "silver"], "share_within": "winner_set"}
        ranking = type(present).model_validate(present.model_dump() | {"prizes": prizes})
        shared = Supposed(challenge.spec.model_copy(update={"ranking": ranking}))
        (phase,) = compare(session, challenge, shared, phases=["validation"]).phases
    won = {team.team: team.prize_after for track in phase.tracks for team in track.teams if team.prize_after}
    assert set(won.values()) == {f"gold + silver, shared by {len(won)} teams"}
    assert won.keys() >= {"Ada", "Bob"}, "who cannot be excluded as first shares, and that takes replicates"
