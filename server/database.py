"""The database: the declarative base, the engine, and the one place where a unit of work commits."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from enum import Enum, StrEnum
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import (
    DateTime,
    Dialect,
    Engine,
    MetaData,
    Row,
    Select,
    TypeDecorator,
    Uuid,
    create_engine,
    func,
)
from sqlalchemy import Enum as EnumType
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedColumn, Session, mapped_column, sessionmaker

from contract import ids
from server.ids import new_id

SessionFactory = sessionmaker[Session]

_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


def _values(members: type[StrEnum]) -> list[str]:
    return [member.value for member in members]


class Base(DeclarativeBase):
    """Base of all tables: timestamps are timestamptz, JSON is jsonb, enums are their values as text.

    Constraints have predictable names.
    """

    metadata = MetaData(naming_convention=_NAMES)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: DateTime(timezone=True),
        StrEnum: EnumType(Enum, native_enum=False, length=None, values_callable=_values),
        dict[str, Any]: JSONB,
        dict[str, str]: JSONB,
        list[Any]: JSONB,
        list[str]: JSONB,
        **dict.fromkeys(ids.EVERY, Uuid()),
    }


_Stored = TypeVar("_Stored", bound=BaseModel)


class JsonOf(TypeDecorator[_Stored]):
    """A column of jsonb that holds one model; what is stored and does not fit it raises pydantic's ValidationError."""

    impl = JSONB
    cache_ok = True

    def __init__(self, model: type[_Stored]) -> None:
        super().__init__()
        self.model = model

    def process_bind_param(self, value: _Stored | None, dialect: Dialect) -> Any:
        """What is stored of a model."""
        return None if value is None else value.model_dump(mode="json")

    def process_result_value(self, value: Any, dialect: Dialect) -> _Stored | None:
        """The model of what is stored."""
        return None if value is None else self.model.model_validate(value)


def identity() -> MappedColumn[Any]:
    """The column of a UUIDv7 primary key; its annotation says whose it is, see `contract.ids`."""
    return mapped_column(primary_key=True, default=new_id)


class Identified:
    """Mixin: a primary key that nothing else refers to."""

    id: Mapped[UUID] = identity()


class Created:
    """Mixin: when the row was made, on the database's clock."""

    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


def connect(
    url: str, *, pool_size: int = 10, overflow: int = 20, lock_seconds: float | None = None
) -> Engine:
    """An engine for PostgreSQL, the only dialect; connections are checked before use and work in UTC.

    `pool_size` connections stay open, `overflow` more are opened while they are needed. A statement waits
    `lock_seconds` for a lock, then it fails; by default as long as it takes.
    """
    # A plan for any status takes no index of the rows of one status: it would read all cases of an evaluation.
    options = "-c timezone=UTC -c plan_cache_mode=force_custom_plan"
    if lock_seconds is not None:
        options += f" -c lock_timeout={round(lock_seconds * 1000)}"
    return create_engine(
        url,
        pool_size=pool_size,
        max_overflow=overflow,
        pool_pre_ping=True,
        hide_parameters=True,  # an error's text reaches the logs, and parameters hold case names and token hashes
        connect_args={
            "options": options,
            # A database that went away with its machine: noticed within seconds, not when the kernel gives up.
            "connect_timeout": 5,
            "tcp_user_timeout": 20_000,
        },
    )


def session_factory(engine: Engine) -> SessionFactory:
    """A factory of sessions whose objects stay readable after the commit."""
    return sessionmaker(engine, expire_on_commit=False)


def after_commit(session: Session, action: Callable[[], None]) -> None:
    """Runs `action` once the unit of work has committed, and not at all if it fails: wake-ups leave here."""
    session.info.setdefault("after_commit", []).append(action)


@contextmanager
def unit_of_work(factory: SessionFactory) -> Iterator[Session]:
    """A session that commits at the end of the block, or rolls back if it raises."""
    with factory() as session:
        yield session
        commit(session)


def commit(session: Session) -> None:
    """Commits the unit of work; then does what was to be done after it."""
    session.commit()
    for action in session.info.pop("after_commit", []):
        action()


def plain_rows(session: Session, query: Select[Any]) -> Sequence[Row[Any]]:
    """The rows of a query for columns alone, in a third less time than `session.execute` takes for thousands of them.

    The session looks in every row for entities to keep; what it has not written yet is written before, as it does.
    """
    session.flush()
    return session.connection().execute(query).all()
