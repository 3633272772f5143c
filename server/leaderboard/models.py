"""How sure places are, as it was worked out when scores had changed."""

import zlib
from typing import TYPE_CHECKING

from sqlalchemy import ForeignKey, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from contract.ids import ChallengeId
from server.database import Base, Created

if TYPE_CHECKING:  # commands that ask the database alone shall not load what computes
    from evaluator.comparison import CertainPlaces, PlacesBehind


class KeptCertainty(Created, Base):
    """How sure the places of one track of a board are; `key` is of all that it follows from, and the same for ever.

    places and behind: JSON, packed; teams go by their ids. Until `behind` is worked out too it is null. trouble: why
    there are no sets; then both are null for good. seconds: how long it took.
    """

    __tablename__ = "certainties"
    __table_args__ = (Index(None, "challenge_id", "phase", "track"),)

    key: Mapped[str] = mapped_column(primary_key=True)
    challenge_id: Mapped[ChallengeId] = mapped_column(ForeignKey("challenges.id"))
    phase: Mapped[str]
    track: Mapped[str]
    places: Mapped[bytes | None] = mapped_column(LargeBinary, default=None)
    behind: Mapped[bytes | None] = mapped_column(LargeBinary, default=None, deferred=True)
    trouble: Mapped[str | None] = mapped_column(default=None)
    seconds: Mapped[float] = mapped_column(default=0.0)

    @property
    def certain(self) -> "CertainPlaces | None":
        """The sets of places; None where there are none."""
        from evaluator.comparison import CertainPlaces

        return (
            None if self.places is None else CertainPlaces.model_validate_json(zlib.decompress(self.places))
        )

    @property
    def stands_behind(self) -> "PlacesBehind | None":
        """What stands behind them; None where it is not worked out, or there is nothing."""
        from evaluator.comparison import PlacesBehind

        return None if self.behind is None else PlacesBehind.model_validate_json(zlib.decompress(self.behind))


def packed(found: "CertainPlaces | PlacesBehind") -> bytes:
    """As a column holds it."""
    return zlib.compress(found.model_dump_json().encode(), 6)
