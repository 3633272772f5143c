"""Uploads of image archives."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, func
from sqlalchemy.orm import Mapped, Session, mapped_column

from contract.ids import TeamId, UploadId, UserId
from contract.statuses import UploadStatus
from server.database import Base, Created, identity
from server.moves import move

UPLOAD_MOVES: dict[UploadStatus, frozenset[UploadStatus]] = {
    UploadStatus.RECEIVING: frozenset({UploadStatus.CHECKING, UploadStatus.REJECTED}),
    UploadStatus.CHECKING: frozenset({UploadStatus.READY, UploadStatus.REJECTED}),
    UploadStatus.READY: frozenset(),
    UploadStatus.REJECTED: frozenset(),
}


class Upload(Created, Base):
    """One archive on its way in. The first `offset` bytes of its file are on the disk for good.

    `pushed`: NAME@DIGEST of the manifest that was pushed to the registry, of which a score worker makes the archive, or
    @DIGEST once it was fetched or ran out and who pushed it was erased; its `length` and `sha256` are known once the
    archive is made. `pushed_to`: the team under whose id it lies there, which may have been merged into this one since.
    """

    __tablename__ = "uploads"
    __table_args__ = (
        CheckConstraint("0 <= offset_bytes AND offset_bytes <= length", name="offset_within_length"),
        Index("ix_uploads_open", "status", postgresql_where="status IN ('receiving', 'checking')"),
        Index("ix_uploads_pushed", "team_id", "pushed", postgresql_where="pushed IS NOT NULL"),
    )

    id: Mapped[UploadId] = identity()
    team_id: Mapped[TeamId] = mapped_column(ForeignKey("teams.id"), index=True)
    user_id: Mapped[UserId | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    filename: Mapped[str | None]
    pushed: Mapped[str | None] = mapped_column(default=None)
    pushed_to: Mapped[TeamId | None] = mapped_column(ForeignKey("teams.id"), default=None)
    fetch_began_at: Mapped[datetime | None] = mapped_column(default=None)  # for the last time
    sha256: Mapped[str]
    length: Mapped[int] = mapped_column(BigInteger)
    offset: Mapped[int] = mapped_column("offset_bytes", BigInteger, default=0, server_default="0")
    status: Mapped[UploadStatus] = mapped_column(default=UploadStatus.RECEIVING)
    expires_at: Mapped[datetime]
    image: Mapped[str | None] = mapped_column(default=None)
    code: Mapped[str | None] = mapped_column(default=None)
    message: Mapped[str | None] = mapped_column(default=None)
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())
    # The checker's lease: who took the upload last is the only one who may settle it.
    check_claim_no: Mapped[int] = mapped_column(default=0, server_default="0")
    check_lease_until: Mapped[datetime | None] = mapped_column(default=None)
    check_faults: Mapped[int] = mapped_column(default=0, server_default="0")  # checks that came to no end
    check_not_before: Mapped[datetime | None] = mapped_column(default=None)
    check_began_at: Mapped[datetime | None] = mapped_column(default=None)
    # Bytes of room without which its check need not begin again, for it was put back when the disk had less.
    check_needs: Mapped[int | None] = mapped_column(BigInteger, default=None)
    # What its checks took by the clock, in seconds; one under way is not in it.
    check_seconds: Mapped[float] = mapped_column(default=0.0, server_default="0")

    def let_go(self) -> None:
        """Nothing is fetched for it any more: where whoever pushed it was erased, the name that they chose goes too.

        The digest stays, by which a look into the registry knows what lies there still.
        """
        if self.filename is None and self.pushed is not None:
            self.pushed = without_name(self.pushed)

    def move_to(
        self,
        session: Session,
        status: UploadStatus,
        *,
        actor: str,
        code: str | None = None,
        why: str | None = None,
    ) -> None:
        """Changes the status and records the event.

        Raises:
            IllegalMove: the table of moves does not hold it.
        """
        self.status = move(
            session, "upload", self.id, UPLOAD_MOVES, self.status, status, actor=actor, code=code, why=why
        )


def without_name(pushed: str) -> str:
    """What stays of NAME@DIGEST where whoever chose the name was erased."""
    return f"@{pushed.rpartition('@')[2]}"
