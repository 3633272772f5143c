"""Two teams become one: members, submissions, images and attempts of the one are the other's from then on."""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.orm import Session, aliased

from contract.ids import TeamId
from contract.problems import ErrorCode
from contract.statuses import EvaluationStanding, EvaluationStatus
from server import events
from server.accounts.principals import Observer, Organizer
from server.challenges.models import Challenge
from server.datasets.current import lock
from server.datasets.models import Dataset
from server.decisions.acts import Act, team_of_challenge
from server.errors import Conflict, Unprocessable
from server.evaluations.models import COUNTS, Evaluation
from server.evaluations.status import ACTIVE
from server.images.models import Image
from server.leaderboard.supposed import Supposed
from server.notices.models import Notice
from server.questions.models import Question
from server.submissions.models import AttemptGrant, Submission
from server.submissions.quota import SPENT
from server.teams.membership import lock_team, members, most_members
from server.teams.models import Invitation, Membership, Team
from server.teams.service import require_own
from server.uploads.models import Upload
from server.webhooks.models import Endpoint

Counts = Literal["this", "into"]
_STANDING = ("disqualified", "eligible", "is_baseline", "hidden", "waits")
_Where = tuple[str, str, str]  # phase, track, task


def planned(
    session: Session,
    observer: Observer,
    challenge: Challenge,
    team_id: TeamId,
    into_id: TeamId | None,
    *,
    counts: Counts | None,
) -> Act:
    """What merging the team into the other one changes.

    Raises:
        NotFound: no such team in this challenge.
        Unprocessable: it is not said which one gets all, or both are the same.
        Conflict: one was merged before, they stand differently, together they are too many, or both have evaluations
            in force on the same phase, track and task and it is not said whose count, or some of them have not ended.
    """
    team, into = _both(session, observer, team_id, into_id)
    _require_alike(team, into)
    people = len(members(session, team.id)) + len(members(session, into.id))
    if people > (most := most_members(challenge.spec)):
        raise Conflict(
            ErrorCode.TEAM_FULL, f"Together they have {people} members, and a team has at most {most}."
        )
    leaving = _leaving(session, team, into, counts)
    said = [
        f"{into.name} gets all that {team.name} has: members, submissions, results, images, grants and spent attempts. "
        f"{team.name} has nothing any more, its captain is a member like others, and its name stays taken. "
        "There is no way back."
    ]
    if leaving:
        kept, other = (team, into) if counts == "this" else (into, team)
        said.append(
            f"Where both have results, those of {kept.name} stay on the boards: {len(leaving)} of {other.name} are "
            "taken off, and their attempts stay spent."
        )
    gone = frozenset(evaluation.id for evaluation in leaving)
    supposed = Supposed(merged={team.id: into.id}, without=gone)
    told = [f"Your team is {into.name} now; GET …/teams/mine shows who is in it."]
    return Act(supposed, said, told, "what two teams had is one team's")


def merge(
    session: Session,
    organizer: Organizer,
    challenge: Challenge,
    team_id: TeamId,
    into_id: TeamId | None,
    *,
    counts: Counts | None,
    why: str,
    seen: str | None = None,
) -> Team:
    """Does what `planned` says, unless the boards are not those that were `seen`; returns the team that has all.

    Raises:
        NotFound, Unprocessable, Conflict: as `planned` does; the boards have moved.
    """
    lock(session, challenge.id)
    # In one order, that two merges cannot wait for each other.
    for locked in sorted(filter(None, (team_id, into_id))):
        lock_team(session, locked)
    act = planned(session, organizer, challenge, team_id, into_id, counts=counts)
    act.require_seen(session, challenge, seen)
    act.amend(session, challenge, by=organizer.actor)
    team, into = _both(session, organizer, team_id, into_id)
    _take_off(session, into, act, why=why, actor=organizer.actor)
    _move_people(session, team, into)
    _move_work(session, team, into)
    team.merged_into = into.id
    for one, what in ((team, f"merged into team:{into.id}"), (into, f"got all of team:{team.id}")):
        events.record(session, "team", one.id, actor=organizer.actor, what=what, why=why)
    act.tell_team(session, challenge, into.id, why=why)
    session.expire_all()
    return into


def _both(session: Session, observer: Observer, team_id: TeamId, into_id: TeamId | None) -> tuple[Team, Team]:
    if into_id is None or into_id == team_id:
        raise Unprocessable(
            ErrorCode.MERGE_UNDECIDED, "Say with `into` which other team gets all that this one has."
        )
    return team_of_challenge(session, observer, team_id), team_of_challenge(session, observer, into_id)


def _require_alike(team: Team, into: Team) -> None:
    """A merge is no way to another standing: that is decided, and shown, by itself."""
    for one in (team, into):
        require_own(one)
    if any(getattr(team, field) != getattr(into, field) for field in _STANDING):
        raise Conflict(
            ErrorCode.STANDING_DIFFERS,
            f"{team.name} and {into.name} do not stand alike (disqualified, eligible, baseline, hidden, approved). "
            "Decide about that first, so that what it changes is seen.",
        )


def _leaving(session: Session, team: Team, into: Team, counts: Counts | None) -> Sequence[Evaluation]:
    """The evaluations that leave the boards where both teams have some on one phase, track and task."""
    mine, theirs = (_in_force(session, one.id) for one in (team, into))
    both = {_where(evaluation) for evaluation in mine} & {_where(evaluation) for evaluation in theirs}
    if not both:
        return ()
    listed = "; ".join(f"{phase}, {task}, track {track}" for phase, track, task in sorted(both))
    meeting = [evaluation for evaluation in (*mine, *theirs) if _where(evaluation) in both]
    if any(evaluation.status in ACTIVE for evaluation in meeting):
        raise Conflict(
            ErrorCode.NOT_ENDED,
            f"Both teams have evaluations on {listed}, and some have not ended. Wait for them, or cancel them.",
        )
    if counts is None:
        raise Conflict(
            ErrorCode.MERGE_UNDECIDED,
            f"Both teams have results on {listed}. Two teams have had more tries than one, so say whose count: "
            "`counts` is this or into.",
        )
    leaving = theirs if counts == "this" else mine
    return [evaluation for evaluation in leaving if _where(evaluation) in both]


def _in_force(session: Session, team_id: TeamId) -> Sequence[Evaluation]:
    counting = (*ACTIVE, EvaluationStatus.SCORED)
    return session.scalars(
        select(Evaluation)
        .where(
            Evaluation.team_id == team_id,
            COUNTS,
            Evaluation.status.in_(counting),
        )
        .order_by(Evaluation.id)
    ).all()


def _where(evaluation: Evaluation) -> _Where:
    return evaluation.phase, evaluation.track, evaluation.task


def _take_off(session: Session, into: Team, act: Act, *, why: str, actor: str) -> None:
    """Off the boards, and their attempts stay spent: what was learnt by them is not unlearnt."""
    leaving = Evaluation.id.in_(act.supposed.without)
    spent = session.execute(
        select(Evaluation.phase, Evaluation.track, Evaluation.task)
        .join(Dataset, Dataset.id == Evaluation.dataset_id)
        .where(leaving, SPENT)
    )
    for (phase, track, task), count in Counter(tuple(row) for row in spent).items():
        grant = AttemptGrant(
            team_id=into.id, phase=phase, track=track, task=task, valid=-count, why=why, granted_by=actor
        )
        session.add(grant)
    for evaluation in session.scalars(select(Evaluation).where(leaving)):
        evaluation.standing, evaluation.voided = EvaluationStanding.VOID, why
        events.record(session, "evaluation", evaluation.id, actor=actor, what="voided", why=why)
    session.flush()


def _move_people(session: Session, team: Team, into: Team) -> None:
    led = any(
        member.is_captain and account.closed_at is None for member, account in members(session, into.id)
    )
    coming = update(Membership).where(Membership.team_id == team.id)
    session.execute(coming.values({"team_id": into.id} | ({"is_captain": False} if led else {})))
    still_open = Invitation.used_at.is_(None), Invitation.revoked_at.is_(None)
    session.execute(
        update(Invitation).where(Invitation.team_id == team.id, *still_open).values(revoked_at=func.now())
    )


def _move_work(session: Session, team: Team, into: Team) -> None:
    """What both have of one name stays apart: a key of a request gets the team's id before it, an image stays."""
    same_key = aliased(Submission)
    taken = exists().where(
        same_key.team_id == into.id, same_key.idempotency_key == Submission.idempotency_key
    )
    renamed = update(Submission).where(Submission.team_id == team.id, taken)
    key = func.concat(str(team.id), ":", Submission.idempotency_key)
    session.execute(renamed.values(idempotency_key=key).execution_options(synchronize_session=False))
    theirs = select(Image.digest).where(Image.team_id == into.id)
    mine = select(Image.digest).where(Image.team_id == team.id, Image.removed_at.is_(None))
    again = update(Image).where(Image.team_id == into.id, Image.digest.in_(mine.scalar_subquery()))
    session.execute(again.values(removed_at=None).execution_options(synchronize_session=False))
    own = update(Image).where(Image.team_id == team.id, Image.digest.not_in(theirs.scalar_subquery()))
    session.execute(own.values(team_id=into.id).execution_options(synchronize_session=False))
    session.execute(
        delete(Endpoint).where(Endpoint.team_id == team.id)
    )  # the other captain decides where to tell
    for table in (Submission, Evaluation, Upload, AttemptGrant, Question, Notice):
        moved = update(table).where(table.team_id == team.id).values(team_id=into.id)
        session.execute(moved.execution_options(synchronize_session=False))
