"""Editions: what a released leaderboard showed, written once. Teams go by their ids, and are named when it is read."""

from datetime import datetime
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict
from sqlalchemy import ForeignKey, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from contract.editions import EditionCause
from contract.ids import ChallengeId
from server.database import Base, Identified, JsonOf


class PlaceThen(NamedTuple):
    """A team over all boards of a track: its place and mean rank, and the places that could not be excluded.

    place: None for a baseline and for who was disqualified. low, high: None where they were not known at the time.
    """

    team: str
    place: int | None
    overall: float | None
    low: int | None
    high: int | None


class RankThen(NamedTuple):
    """A team on one board: its rank, the places that could not be excluded, and its values in the board's order."""

    team: str
    rank: float | None
    low: int | None
    high: int | None
    values: list[float | None]


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PlacesThen(_Kept):
    """The places of every track that had any, in the order of the board."""

    tracks: dict[str, list[PlaceThen]]


class BoardThen(_Kept):
    """One board: the names of its metrics, and who had something on it."""

    metrics: list[str]
    entries: list[RankThen]


class BoardsThen(_Kept):
    """The boards of every track, by name; values with so many decimals as the phase showed."""

    decimals: int
    tracks: dict[str, dict[str, BoardThen]]


class Edition(Identified, Base):
    """Written once: a phase's leaderboard as it was shown from `created_at` on; numbers of a phase count from 1.

    digest: of the places, ranks and values. version: the challenge file that they follow from. what: what was done, as
    everybody reads it among the amendments. Who did it is in the event log.
    """

    __tablename__ = "editions"
    __table_args__ = (UniqueConstraint("challenge_id", "phase", "number"),)

    challenge_id: Mapped[ChallengeId] = mapped_column(ForeignKey("challenges.id"))
    phase: Mapped[str]
    number: Mapped[int]
    cause: Mapped[EditionCause]
    what: Mapped[list[str]]
    version: Mapped[str]
    digest: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    places: Mapped[PlacesThen] = mapped_column(JsonOf(PlacesThen), deferred=True)
    boards: Mapped[BoardsThen] = mapped_column(JsonOf(BoardsThen), deferred=True)
