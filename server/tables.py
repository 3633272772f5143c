"""Every table of the platform on one metadata; who opens the database does it here, so that none is missing."""

from sqlalchemy import event
from sqlalchemy.orm import Session

from server.accounts import models as _accounts
from server.agreements import models as _agreements
from server.amendments import models as _amendments
from server.audit import models as _audit
from server.challenges import models as _challenges
from server.challenges.acts import has_acts
from server.consignments import models as _consignments
from server.database import Base, SessionFactory, connect, session_factory
from server.datasets import models as _datasets
from server.editions import models as _editions
from server.evaluations import models as _evaluations
from server.evaluations import worker_models as _workers
from server.events import Event as _Event
from server.images import models as _images
from server.leaderboard import models as _leaderboard
from server.notices import models as _notices
from server.organizers import models as _organizers
from server.outbox import models as _outbox
from server.published import models as _published
from server.questions import models as _questions
from server.queue import models as _queue
from server.reevaluations import models as _reevaluations
from server.reference_submissions import models as _reference_submissions
from server.retention import models as _retention
from server.sign_in import models as _sign_in
from server.submissions import models as _submissions
from server.teams import models as _teams
from server.uploads import models as _uploads
from server.webhooks import models as _webhooks

__all__ = ["metadata", "open_database"]

metadata = Base.metadata

_ = (
    _accounts,
    _agreements,
    _amendments,
    _audit,
    _challenges,
    _datasets,
    _consignments,
    _editions,
    _evaluations,
    _Event,
    _images,
    _leaderboard,
    _notices,
    _organizers,
    _outbox,
    _published,
    _questions,
    _queue,
    _reference_submissions,
    _reevaluations,
    _retention,
    _sign_in,
    _submissions,
    _teams,
    _uploads,
    _webhooks,
    _workers,
)


def open_database(
    url: str, *, pool_size: int = 10, overflow: int = 20, lock_seconds: float | None = None
) -> SessionFactory:
    """A session factory on the database at `url`, with every table known.

    What its units of work change of released leaderboards is kept with them.
    """
    sessions = session_factory(
        connect(url, pool_size=pool_size, overflow=overflow, lock_seconds=lock_seconds)
    )
    event.listen(sessions, "before_commit", _keep_editions)
    return sessions


def _keep_editions(session: Session) -> None:
    if has_acts(session):  # what makes a board is loaded by whoever changes one
        from server.editions.keeping import keep_acts

        keep_acts(session)
