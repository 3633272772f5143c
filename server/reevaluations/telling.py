"""What applying a re-evaluation changes on boards, and what the members of each team are told of it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy.orm import Session

from contract.changes import Shifts
from contract.ids import TeamId
from contract.notices import Audience, NoticeKind
from contract.statuses import EvaluationStatus
from server.challenges.models import Challenge
from server.datasets.models import Dataset
from server.leaderboard.supposed import Supposed
from server.leaderboard.whatif import compare
from server.notices.service import tell
from server.reevaluations.models import Reevaluation
from server.reevaluations.pairs import Pair


def boards(
    session: Session, challenge: Challenge, reevaluation: Reevaluation, found: Sequence[Pair]
) -> Shifts:
    """Values, places and prizes as they are and as they would be.

    Only phases that it concerns are compared; a challenge file that comes with it concerns all.
    """
    version = reevaluation.target_version
    datasets = [session.get_one(Dataset, dataset) for dataset in reevaluation.datasets]
    supposed = Supposed(
        spec=None if version is None else version.spec,
        datasets={(dataset.phase, dataset.task): dataset.id for dataset in datasets},
        swapped={pair.old: pair.new for pair in found if pair.comes},
    )
    concerned = {pair.phase for pair in found} | {dataset.phase for dataset in datasets}
    return compare(session, challenge, supposed, phases=None if version is not None else concerned)


def told(
    reevaluation: Reevaluation, found: Sequence[Pair], why: str | None = None
) -> Mapping[TeamId, list[str]]:
    """A sentence for each evaluation that changes, by team. No value is in it: boards show those to whom they may.

    why: the reason that everybody reads, if one is given; else that of the draft.
    """
    sentences: dict[TeamId, list[str]] = defaultdict(list)
    for pair in found:
        if pair.comes:
            sentences[pair.team_id].append(_sentence(pair, why or reevaluation.why))
    return sentences


def taken_back(came: Sequence[Pair], why: str) -> Mapping[TeamId, list[str]]:
    """A sentence for each evaluation that counts again as it did before, by team."""
    sentences: dict[TeamId, list[str]] = defaultdict(list)
    for pair in came:
        sentences[pair.team_id].append(
            f"Your evaluation on {_where(pair)} counts again as it did before it was made anew: {why.rstrip('. ')}."
        )
    return sentences


def tell_teams(
    session: Session,
    challenge: Challenge,
    reevaluation: Reevaluation,
    sentences: Mapping[TeamId, list[str]],
) -> None:
    """Tells the members of each team what became of its evaluations."""
    for team_id, said in sentences.items():
        tell(
            session,
            NoticeKind.RESULT_CHANGED,
            Audience.TEAM,
            title="What your team has was evaluated anew",
            text="\n".join(said),
            challenge=challenge,
            team_id=team_id,
            about={"team": team_id, "reevaluation": reevaluation.id},
        )


def _sentence(pair: Pair, why: str) -> str:
    return f"Your evaluation on {_where(pair)} was made anew: {why.rstrip('. ')}.{_outcome(pair)}"


def _where(pair: Pair) -> str:
    return f"{pair.task}, track {pair.track}, phase {pair.phase},"


def _outcome(pair: Pair) -> str:
    scored = EvaluationStatus.SCORED
    if pair.old_status == pair.new_status:
        return "" if pair.new_status is scored else " It is still rejected."
    spends = pair.spends
    if pair.new_status is scored:
        return " It was rejected and is scored now" + (
            ", which spends the attempt that it had held." if spends else "."
        )
    return " It was scored and is rejected now" + ("; its attempt is given back." if spends else ".")
