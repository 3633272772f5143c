"""Texts that participants will read name no case of a hidden phase: whoever writes one would give it away."""

import re

from sqlalchemy import func, literal, select
from sqlalchemy.orm import Session

from contract.ids import ChallengeId
from contract.problems import ErrorCode
from server.challenges.models import Challenge
from server.datasets.models import Case, Dataset
from server.errors import Unprocessable

LEAST = 3
"""Shorter names, and those without both a letter and a digit, are words or numbers like any other."""


def require_no_case(session: Session, challenge_id: ChallengeId, *texts: str | None) -> None:
    """Refuses texts in which the name of a case stands whose phase is hidden, in whatever version of the cases.

    The name of a public case that a hidden one has too is refused as well: nobody could tell which is meant.

    Raises:
        Unprocessable: one of them names a case; the sentence says which word does.
    """
    for text in texts:
        name = None if text is None else next(iter(named(session, challenge_id, text)), None)
        if name is not None:
            raise Unprocessable(
                ErrorCode.NAMES_A_CASE,
                f"This text is for participants, and {name} is the name of a hidden case. Say it without the name, "
                "such as “the label of one case was corrected”.",
                word=name,
            )


def named(session: Session, challenge_id: ChallengeId, text: str) -> list[str]:
    """The names of hidden cases that stand in a text, as words of their own."""
    spec = session.get_one(Challenge, challenge_id).spec
    public = [name for name, phase in spec.phases.items() if not phase.hidden]
    inside = func.strpos(literal(text.casefold()), func.lower(Case.name)) > 0
    names = session.scalars(
        select(Case.name)
        .join(Dataset, Dataset.id == Case.dataset_id)
        .where(Dataset.challenge_id == challenge_id, Dataset.phase.not_in(public), inside)
        .distinct()
        .order_by(Case.name)
    )
    return [name for name in names if _is_telling(name) and re.search(_alone(name), text.casefold())]


def _alone(name: str) -> str:
    return rf"(?<![a-z0-9]){re.escape(name.casefold())}(?![a-z0-9])"


def _is_telling(name: str) -> bool:
    """Whether a case's name is no word or number that a text may hold by chance."""
    return len(name) >= LEAST and any(map(str.isalpha, name)) and any(map(str.isdigit, name))
