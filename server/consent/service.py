"""Publishing a version of a document, what that asks of whom, and who accepted which version when."""

import csv
import io
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, exists, func, null, select
from sqlalchemy.orm import Session, aliased

from contract.agreements import AcceptanceOut, AgreementPlan, AgreementRow
from contract.ids import AgreementId, ChallengeId
from contract.problems import ErrorCode
from server import events
from server.accounts.models import Account
from server.accounts.principals import Organizer
from server.agreements.models import Acceptance, Agreement
from server.agreements.service import named_in_full, present
from server.amendments.service import amend
from server.challenges.models import Challenge
from server.clock import now
from server.consent.drafts import SHOWN, Draft, Place, amended, sentence
from server.datasets.said import require_no_case
from server.errors import Conflict
from server.teams.models import Membership, Team
from server.words import for_spreadsheet

MOST_DOCUMENTS, MOST_VERSIONS = 10, 200
COLUMNS = ("document", "number", "digest", "accepted_at", "user", "name", "email", "team")
"""Of the list of acceptances as CSV."""


def plan(session: Session, challenge: Challenge, draft: Draft) -> AgreementPlan:
    """What publishing a draft would do, and whom it would ask.

    Raises:
        Conflict: its text was published before, or there are too many documents or versions.
    """
    place = _place(session, challenge, draft)
    lacking, teams = _asked(session, challenge.id, draft, place.since)
    same = place.same
    changes = same is None or (same.title, same.before, same.since) != (
        draft.title,
        draft.before,
        place.since,
    )
    return AgreementPlan(
        document=draft.document,
        number=place.number,
        digest=draft.digest,
        changes=changes,
        lacking=lacking,
        teams=teams,
        sentence=sentence(draft, place, lacking, teams) + (SHOWN if _is_relied_on(session, challenge) else "")
        if changes
        else "Nothing changes.",
    )


def publish(
    session: Session, organizer: Organizer, challenge: Challenge, draft: Draft
) -> tuple[Agreement, bool]:
    """Makes a draft the present version of its document; the text that it has already changes the rest only.

    Returns the version, and whether it is new.

    Raises:
        Conflict: its text was published before, or there are too many documents or versions.
        Unprocessable: it names a hidden case.
    """
    require_no_case(session, challenge.id, draft.title, draft.text)
    session.execute(select(Challenge.id).where(Challenge.id == challenge.id).with_for_update(key_share=True))
    place = _place(session, challenge, draft)
    if place.same is None:
        agreement = Agreement(
            challenge_id=challenge.id,
            document=draft.document,
            number=place.number,
            digest=draft.digest,
            title=draft.title,
            text=draft.text,
            before=draft.before,
            since=place.since,
            published_by=organizer.actor,
        )
        session.add(agreement)
    else:
        agreement = place.same
        agreement.title, agreement.before, agreement.since = draft.title, draft.before, place.since
    if session.is_modified(agreement) or place.same is None:
        session.flush()
        what = (
            f"version {place.number} of {draft.document} {'published' if place.same is None else 'changed'}"
        )
        why = f"{draft.digest}; before: {draft.before}; since version {place.since}"
        events.record(session, "agreement", agreement.id, actor=organizer.actor, what=what, why=why)
        if _is_relied_on(session, challenge):
            amend(session, challenge, what=amended(draft, place), why=None, by=organizer.actor)
    return agreement, place.same is None


def _is_relied_on(session: Session, challenge: Challenge) -> bool:
    """Whether anybody has come for what the challenge said before."""
    at = now(session)
    return any(phase.has_opened(at) for phase in challenge.spec.phases.values()) or bool(
        session.scalar(select(exists().where(Team.challenge_id == challenge.id)))
    )


def _place(session: Session, challenge: Challenge, draft: Draft) -> Place:
    every = session.scalars(
        select(Agreement).where(Agreement.challenge_id == challenge.id).order_by(Agreement.number)
    ).all()
    versions = [agreement for agreement in every if agreement.document == draft.document]
    newest = versions[-1] if versions else None
    published = next((agreement for agreement in every if agreement.digest == draft.digest), None)
    if published is not None and published is not newest:
        raise Conflict(
            ErrorCode.AGREEMENT_PUBLISHED,
            f"This very text is {named_in_full(published)} already, and whoever accepted it accepted that. Change a "
            "line of it, such as its date, to publish it as another version.",
        )
    if newest is not None and published is newest:
        before = versions[-2].since if len(versions) > 1 else newest.number
        return Place(newest.number, newest.number if draft.again else before, newest)
    documents = {agreement.document for agreement in every} | {draft.document}
    if len(documents) > MOST_DOCUMENTS or len(every) >= MOST_VERSIONS:
        raise Conflict(
            ErrorCode.TOO_MANY_AGREEMENTS,
            f"A challenge has at most {MOST_DOCUMENTS} documents, and {MOST_VERSIONS} versions of all of them.",
        )
    number = 1 if newest is None else newest.number + 1
    return Place(number, number if newest is None or draft.again else newest.since, None)


def _members(challenge_id: ChallengeId) -> Select[Any]:
    """People with accounts that are open, in teams of the challenge."""
    return (
        select(Account.id)
        .select_from(Account)
        .join(Membership, Membership.user_id == Account.id)
        .where(Membership.challenge_id == challenge_id, Account.closed_at.is_(None))
    )


def _holds(accepted: Any, challenge_id: ChallengeId, document: Any, since: Any) -> ColumnElement[bool]:
    """Whether an account has accepted a version of a document from `since` on; `accepted`: the table of versions."""
    return exists().where(
        accepted.id == Acceptance.agreement_id,
        accepted.challenge_id == challenge_id,
        accepted.document == document,
        accepted.number >= since,
        Acceptance.user_id == Account.id,
    )


def _asked(session: Session, challenge_id: ChallengeId, draft: Draft, since: int) -> tuple[int, int]:
    """People in teams, and their teams, of whom no acceptance would hold."""
    if draft.before is None:
        return 0, 0
    lacking = _members(challenge_id).where(~_holds(Agreement, challenge_id, draft.document, since))
    counts = func.count(), func.count(Membership.team_id.distinct())
    people, teams = session.execute(lacking.with_only_columns(*counts)).one()
    return people, teams


def rows(session: Session, challenge: Challenge) -> list[AgreementRow]:
    """Every version with how many accepted it, the newest of each document first."""
    every = session.scalars(
        select(Agreement)
        .where(Agreement.challenge_id == challenge.id)
        .order_by(Agreement.document, Agreement.number.desc())
    ).all()
    newest = {agreement.id for agreement in present(session, challenge.id)}
    accepted: dict[AgreementId, int] = dict(
        session.execute(
            select(Acceptance.agreement_id, func.count())
            .where(Acceptance.agreement_id.in_([agreement.id for agreement in every]))
            .group_by(Acceptance.agreement_id)
        ).all()
    )
    lacking: dict[AgreementId, int] = dict(
        session.execute(
            _lacking(challenge.id)
            .where(Agreement.id.in_(newest))
            .with_only_columns(Agreement.id, func.count())
            .group_by(Agreement.id)
        ).all()
    )
    return [
        AgreementRow.of(
            agreement,
            present=agreement.id in newest,
            accepted=accepted.get(agreement.id, 0),
            lacking=lacking.get(agreement.id, 0),
        )
        for agreement in every
    ]


def _lacking(challenge_id: ChallengeId) -> Select[Any]:
    """Accounts of people in teams beside each version that they would have to accept."""
    needed = and_(Agreement.challenge_id == challenge_id, Agreement.before.is_not(None))
    holds = _holds(aliased(Agreement), challenge_id, Agreement.document, Agreement.since)
    return _members(challenge_id).join(Agreement, needed).where(~holds)


def acceptances(
    session: Session, agreement: Agreement, *, lacking: bool, after: UUID | None, limit: int | None
) -> list[AcceptanceOut]:
    """Who accepted a version, in the order of acceptance; or who in a team would have to and has not.

    after: the `id` of the last one of the page before.
    """
    by = Account.id if lacking else Acceptance.id
    query = _without(agreement) if lacking else _with(agreement)
    query = query if after is None else query.where(by > after)
    return [
        AcceptanceOut(
            id=id_,
            user=user,
            name=name if closed_at is None else None,
            email=email if closed_at is None else None,
            team=team,
            accepted_at=at,
        )
        for id_, at, user, name, email, closed_at, team in session.execute(query.order_by(by).limit(limit))
    ]


_SHOWN = (Account.id, Account.name, Account.email, Account.closed_at, Team.name)


def _with(agreement: Agreement) -> Select[*tuple[Any, ...]]:
    theirs = and_(Membership.user_id == Account.id, Membership.challenge_id == agreement.challenge_id)
    return (
        select(Acceptance.id, Acceptance.created_at, *_SHOWN)
        .outerjoin(Account, Account.id == Acceptance.user_id)
        .outerjoin(Membership, theirs)
        .outerjoin(Team, Team.id == Membership.team_id)
        .where(Acceptance.agreement_id == agreement.id)
    )


def _without(agreement: Agreement) -> Select[*tuple[Any, ...]]:
    lacking = _lacking(agreement.challenge_id).where(Agreement.id == agreement.id)
    return lacking.join(Team, Team.id == Membership.team_id).with_only_columns(Account.id, null(), *_SHOWN)


def as_csv(agreement: Agreement, accepted: Sequence[AcceptanceOut]) -> str:
    """The acceptances of a version with what was accepted, for the organizers' files."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    of = {"document": agreement.document, "number": agreement.number, "digest": agreement.digest}
    for acceptance in accepted:
        texts = {name: for_spreadsheet(getattr(acceptance, name)) for name in ("name", "email", "team")}
        at = acceptance.accepted_at.isoformat() if acceptance.accepted_at else None
        writer.writerow({**of, "user": acceptance.user, "accepted_at": at, **texts})
    return out.getvalue()
