"""Every table of the platform on one metadata: importing this module completes `Base.metadata`."""

from server.accounts import models as _accounts
from server.challenges import models as _challenges
from server.database import Base
from server.datasets import models as _datasets
from server.evaluations import models as _evaluations
from server.events import Event as _Event
from server.images import models as _images
from server.submissions import models as _submissions
from server.teams import models as _teams
from server.uploads import models as _uploads

__all__ = ["metadata"]

metadata = Base.metadata

_ = (_accounts, _challenges, _datasets, _evaluations, _Event, _images, _submissions, _teams, _uploads)
