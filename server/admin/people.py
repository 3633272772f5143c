"""Who is there: people and teams as admins see them, page by page."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from contract.admin import Page, PersonOut, TeamMember, TeamName, TeamRow
from contract.ids import ChallengeId, TeamId, UserId
from server.accounts.models import Account, ApiToken, TokenKind
from server.admin.pages import page_of
from server.challenges.models import Challenge
from server.challenges.service import get_challenge
from server.datasets.models import Dataset
from server.evaluations.models import Evaluation
from server.events import Event
from server.submissions.models import Submission
from server.submissions.quota import HELD, SPENT
from server.teams.models import Membership, Team


def people(
    session: Session, *, find: str | None = None, after: UUID | None = None, limit: int = 50
) -> Page[PersonOut]:
    """People in the order they came; `find`: only those with this in their address or name."""
    query = select(Account)
    if find:
        query = query.where(
            or_(Account.email.icontains(find, autoescape=True), Account.name.icontains(find, autoescape=True))
        )
    rows, following = page_of(session, query, Account.id, after=after, limit=limit)
    return Page(items=_described(session, rows), next=following)


def person(session: Session, account: Account) -> PersonOut:
    """One person."""
    return _described(session, [account])[0]


def _described(session: Session, rows: Sequence[Account]) -> list[PersonOut]:
    ids = [row.id for row in rows]
    teams, log_ins, seen = _teams_of(session, ids), _log_ins(session, ids), _changes(session, ids)
    return [
        PersonOut.of(
            row,
            teams=teams[row.id],
            last_log_in=log_ins.get(row.id),
            last_seen=max(filter(None, (log_ins.get(row.id), seen.get(row.id))), default=None),
        )
        for row in rows
    ]


def _teams_of(session: Session, ids: Collection[UserId]) -> defaultdict[UserId, list[TeamName]]:
    found = defaultdict[UserId, list[TeamName]](list)
    rows = session.execute(
        select(Membership, Team.name, Challenge.slug)
        .join(Team, Team.id == Membership.team_id)
        .join(Challenge, Challenge.id == Membership.challenge_id)
        .where(Membership.user_id.in_(ids))
        .order_by(Membership.created_at)
    )
    for user_id, name, slug in rows:
        found[user_id.user_id].append(TeamName.of(user_id, id=user_id.team_id, challenge=slug, name=name))
    return found


def _log_ins(session: Session, ids: Collection[UserId]) -> dict[UserId, datetime]:
    rows = session.execute(
        select(ApiToken.user_id, func.max(ApiToken.created_at))
        .where(ApiToken.user_id.in_(ids), ApiToken.kind == TokenKind.SESSION)
        .group_by(ApiToken.user_id)
    )
    return {user_id: at for user_id, at in rows if user_id is not None}


def _changes(session: Session, ids: Collection[UserId]) -> dict[UserId, datetime]:
    by_actor = {f"user:{user_id}": user_id for user_id in ids}
    rows = session.execute(
        select(Event.actor, func.max(Event.created_at)).where(Event.actor.in_(by_actor)).group_by(Event.actor)
    )
    return {by_actor[actor]: at for actor, at in rows}


def teams(
    session: Session,
    *,
    challenge: str | None = None,
    find: str | None = None,
    within: Collection[ChallengeId] | None = None,
    only: TeamId | None = None,
    after: UUID | None = None,
    limit: int = 50,
) -> Page[TeamRow]:
    """Teams in the order they were founded; `find`: with this in their name; `within`: of these challenges; `only` one.

    Raises:
        NotFound: there is no such challenge.
    """
    query = select(Team)
    if challenge is not None:
        query = query.where(Team.challenge_id == get_challenge(session, challenge).id)
    if within is not None:
        query = query.where(Team.challenge_id.in_(within))
    if only is not None:
        query = query.where(Team.id == only)
    if find:
        query = query.where(Team.name.icontains(find, autoescape=True))
    rows, following = page_of(session, query, Team.id, after=after, limit=limit)
    ids = [row.id for row in rows]
    slugs = dict(session.execute(select(Challenge.id, Challenge.slug)).all())
    members, counts, attempts = (
        _members_of(session, ids),
        _submissions_of(session, ids),
        _attempts(session, ids),
    )
    items = []
    for row in rows:
        spent, active = attempts.get(row.id, (0, 0))
        items.append(
            TeamRow.of(
                row,
                challenge=slugs[row.challenge_id],
                standing=standing(row),
                members=members[row.id],
                submissions=counts.get(row.id, 0),
                spent=spent,
                active=active,
            )
        )
    return Page(items=items, next=following)


def standing(team: Team) -> str:
    """How a team stands, in a word or two; the weightiest only."""
    standings = {
        "merged": team.merged_into is not None,
        "disqualified": team.disqualified is not None,
        "waits": team.waits,
        "hidden": team.hidden,
        "baseline": team.is_baseline,
        "no prize": not team.eligible,
    }
    return next((word for word, holds in standings.items() if holds), "eligible")


def _members_of(session: Session, ids: Collection[TeamId]) -> defaultdict[TeamId, list[TeamMember]]:
    found = defaultdict[TeamId, list[TeamMember]](list)
    rows = session.execute(
        select(Membership, Account)
        .join(Account, Account.id == Membership.user_id)
        .where(Membership.team_id.in_(ids))
        .order_by(Membership.created_at, Membership.user_id)
    )
    for member, account in rows:
        found[member.team_id].append(TeamMember.of(account, member))
    return found


def _submissions_of(session: Session, ids: Collection[TeamId]) -> dict[TeamId, int]:
    rows = session.execute(
        select(Submission.team_id, func.count())
        .where(Submission.team_id.in_(ids))
        .group_by(Submission.team_id)
    )
    return dict(rows.all())


def _attempts(session: Session, ids: Collection[TeamId]) -> dict[TeamId, tuple[int, int]]:
    """(spent, active) attempts of each team."""
    rows = session.execute(
        select(Evaluation.team_id, func.count().filter(SPENT), func.count().filter(HELD))
        .join(Dataset, Dataset.id == Evaluation.dataset_id)
        .where(Evaluation.team_id.in_(ids))
        .group_by(Evaluation.team_id)
    )
    return {team_id: (spent, other) for team_id, spent, other in rows}
