"""What suggests that several accounts of a challenge are one person's, the weightiest first.

It is shown and nothing more. Whether two teams are one is for people to find out, who may ask; then teams are merged,
and attempts go together (`server.decisions`).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from contract.ids import TeamId, UserId
from contract.same_person import LikeAccount, Likeness, Resemblance, Weight
from server.accounts.models import Account, ApiToken, Identity
from server.challenges.models import Challenge
from server.images.models import Image
from server.teams.models import Membership, Team

# What more share than this is a laboratory's or a provider's network, and says nothing of a person.
_MOST_IN_NETWORK = 5
_DOTLESS = {"gmail.com": "gmail.com", "googlemail.com": "gmail.com"}
_ORDER = [*Weight]


@dataclass(frozen=True)
class _Member:
    account: Account
    team: Team
    is_captain: bool


def mailbox(email: str) -> str:
    """Where mail to an address goes: without a tag after +, and for Google's addresses without dots."""
    local, _, domain = email.lower().rpartition("@")
    local = local.partition("+")[0] or local
    if domain in _DOTLESS:
        local, domain = local.replace(".", ""), _DOTLESS[domain]
    return f"{local}@{domain}"


def resemblances(session: Session, challenge: Challenge, *, limit: int) -> list[Resemblance]:
    """Groups of accounts of different teams that have something in common; merged teams are one."""
    rows = session.execute(
        select(Account, Team, Membership.is_captain)
        .join(Membership, Membership.user_id == Account.id)
        .join(Team, Team.id == Membership.team_id)
        .where(Team.challenge_id == challenge.id, Team.merged_into.is_(None), Account.closed_at.is_(None))
        .order_by(Account.id)
    )
    members = {row[0].id: _Member(*row) for row in rows}
    found = [
        *_mailboxes(members.values()),
        *_identities(session, members),
        *_images(session, members.values()),
        *_networks(session, members),
    ]
    return sorted(found, key=lambda group: _ORDER.index(Weight(group.weight)))[:limit]


def _mailboxes(members: Iterable[_Member]) -> list[Resemblance]:
    groups = defaultdict[str, list[_Member]](list)
    for member in members:
        groups[mailbox(member.account.email)].append(member)
    found = []
    for group in _across_teams(groups.values()):
        proven = all(member.account.verified_at is not None for member in group)
        says = "Their addresses go to one mailbox" + (
            "." if proven else ", but not all are verified: anybody may have typed them."
        )
        found.append(_group(Likeness.MAILBOX, Weight.STRONG if proven else Weight.MODERATE, says, group))
    return found


def _identities(session: Session, members: dict[UserId, _Member]) -> list[Resemblance]:
    """An identity is one account's alone, so what is left of it is the address that its provider had verified."""
    known = session.execute(select(Identity.user_id, Identity.email).where(Identity.user_id.in_(members)))
    by_mailbox = defaultdict[str, dict[UserId, _Member]](dict)
    for user_id, email in known:
        if email is not None:
            by_mailbox[mailbox(email)][user_id] = members[user_id]
    for member in members.values():
        if (box := mailbox(member.account.email)) in by_mailbox:
            by_mailbox[box][member.account.id] = member
    groups = _across_teams([*group.values()] for group in by_mailbox.values())
    says = "A provider of log-ins knows them by one verified address."
    # What their own addresses say already is not said twice.
    return [
        _group(Likeness.IDENTITY, Weight.STRONG, says, group)
        for group in groups
        if len({mailbox(member.account.email) for member in group}) > 1
    ]


def _images(session: Session, members: Iterable[_Member]) -> list[Resemblance]:
    captains: dict[TeamId, _Member] = {}
    for member in members:
        if member.is_captain or member.team.id not in captains:
            captains[member.team.id] = member
    groups = defaultdict[str, list[_Member]](list)
    owners = select(Image.digest, Image.team_id).where(Image.team_id.in_(captains)).order_by(Image.team_id)
    for digest, team_id in session.execute(owners):
        groups[digest].append(captains[team_id])
    says = "Their teams have the very same image; both may have taken one that somebody published."
    return [
        _group(Likeness.IMAGE, Weight.MODERATE, says, group)
        for group in _across_teams(groups.values())
        if not any(member.team.is_baseline for member in group)
    ]


def _networks(session: Session, members: dict[UserId, _Member]) -> list[Resemblance]:
    used = session.execute(
        select(ApiToken.network, ApiToken.user_id)
        .where(ApiToken.user_id.in_(members), ApiToken.network.is_not(None))
        .distinct()
        .order_by(ApiToken.network, ApiToken.user_id)
    )
    groups = defaultdict[str, list[_Member]](list)
    for network, user_id in used:
        if network is not None and user_id is not None:
            groups[network].append(members[user_id])
    return [
        _group(
            Likeness.NETWORK,
            Weight.WEAK,
            f"They were here from one network, {network}: so are colleagues of one house.",
            group,
        )
        for network, group in groups.items()
        if len(group) <= _MOST_IN_NETWORK and _across_teams([group])
    ]


def _across_teams(groups: Iterable[Sequence[_Member]]) -> list[Sequence[_Member]]:
    return [group for group in groups if len({member.team.id for member in group}) > 1]


def _group(reason: Likeness, weight: Weight, says: str, members: Sequence[_Member]) -> Resemblance:
    accounts = [
        LikeAccount.of(
            member.account,
            verified=member.account.verified_at is not None,
            team_id=member.team.id,
            team=member.team.name,
        )
        for member in members
    ]
    return Resemblance(reason=reason, weight=weight, says=says, accounts=accounts)
