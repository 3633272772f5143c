"""Teams of a track that have no report of a board."""

from collections.abc import Sequence

from evaluator.comparison import Entrant
from evaluator.ranking import Standing
from evaluator.report._parts import Remark
from evaluator.spec import Ranking

_NONE = "There is no report of this board."
_COUNTS = {
    "worst": "There is no report of this board, so the place after all who have one counts.",
    "excluded": "There is no report of this board, so it is left out of the team's mean.",
}


def without_report(
    ranking: Ranking, board: str, entrants: Sequence[Entrant], standings: Sequence[Standing]
) -> list[Remark]:
    """Who has nothing on a board, and what the rule makes of that, once per consequence."""
    ranked = {standing.team for standing in standings if standing.placement is not None}
    counts = any(standing.task_ranks[board] is not None for standing in standings)
    said: dict[str, list[str]] = {}
    for entrant in sorted(entrants, key=lambda entrant: entrant.team):
        if board not in entrant.reports:
            sentence = _COUNTS[ranking.missing_board] if counts and entrant.team in ranked else _NONE
            said.setdefault(sentence, []).append(entrant.team)
    return [Remark(", ".join(teams), sentence) for sentence, teams in said.items()]
