"""What event streams show, and who may still see it: read for many of them at once."""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session, selectinload

from contract.ids import SubmissionId, TokenId, UserId
from contract.submissions import SubmissionOut
from server.accounts.models import Account, ApiToken
from server.accounts.principals import User
from server.accounts.tokens import LIVE
from server.clock import now
from server.evaluations.models import Evaluation
from server.submissions.models import Submission
from server.submissions.views import submissions_out
from server.teams.models import Membership


@dataclass(frozen=True)
class State:
    """A submission as its team sees it. `id` is the same for the same state, whoever made it and when.

    `hidden`: what is told of it moves on the grid of hidden phases alone.
    """

    id: str
    content: bytes
    ended: bool
    hidden: bool

    @classmethod
    def of(cls, out: SubmissionOut) -> Self:
        """What an answer says."""
        content = out.model_dump_json().encode()
        return cls(hashlib.sha256(content).hexdigest()[:32], content, out.ended, out.hidden)


@dataclass(frozen=True)
class Reader:
    """Who reads a stream: a person, with the token that they opened it with."""

    user: UserId
    token: TokenId
    submission: SubmissionId
    as_admin: bool

    @classmethod
    def of(cls, user: User, submission: SubmissionId) -> Self:
        """`user`, who may see `submission` now."""
        return cls(user.id, user.token_id, submission, user.acts_as_admin)


def states(
    session: Session, submissions: Collection[SubmissionId]
) -> tuple[datetime, Mapping[SubmissionId, State]]:
    """The database's time and the state of each submission that there is: a handful of queries per challenge."""
    evaluations = selectinload(Submission.evaluations)
    shown = evaluations.selectinload(Evaluation.scores), evaluations.selectinload(Evaluation.spec_version)
    rows = session.scalars(select(Submission).where(Submission.id.in_(submissions)).options(*shown)).all()
    by_challenge = defaultdict(list)
    for row in rows:
        by_challenge[row.challenge_id].append(row)
    found = {
        row.id: State.of(out)
        for group in by_challenge.values()
        for row, out in zip(group, submissions_out(session, group), strict=True)
    }
    return now(session), found


def may_read(session: Session, readers: Collection[Reader]) -> frozenset[Reader]:
    """Those of `readers` whose token is still good and whose team, or role as an admin, still lets them."""
    people = select(ApiToken.id, Account.is_admin).join(Account, Account.id == ApiToken.user_id)
    good = people.where(
        *LIVE, Account.closed_at.is_(None), ApiToken.id.in_({reader.token for reader in readers})
    )
    admins: dict[TokenId, bool] = dict(session.execute(good).all())
    pairs = {(reader.submission, reader.user) for reader in readers}
    joined = select(Submission.id, Membership.user_id).join(
        Membership, Membership.team_id == Submission.team_id
    )
    members = {
        tuple(row)
        for row in session.execute(joined.where(tuple_(Submission.id, Membership.user_id).in_(pairs)))
    }
    return frozenset(
        reader
        for reader in readers
        if reader.token in admins
        and ((reader.as_admin and admins[reader.token]) or (reader.submission, reader.user) in members)
    )
