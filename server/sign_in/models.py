"""Log-ins through a provider that are under way."""

from datetime import datetime

from sqlalchemy import ForeignKey, false
from sqlalchemy.orm import Mapped, mapped_column

from contract.ids import SignInId, UserId
from server.database import Base, Created, identity


class SignIn(Created, Base):
    """A log-in on its way: a command waits for it with one secret, a browser goes to the provider with another.

    `typed`: the sha256 of what the person copies from the command's terminal to the page. `user_id`: who links an
    identity to their account; null where somebody logs in. `asked_by`: where the command runs, in its own words and
    by its network. `subject` and what follows is what the provider said; `refused` why it came to nothing.
    """

    __tablename__ = "sign_ins"

    id: Mapped[SignInId] = identity()
    provider: Mapped[str]
    user_id: Mapped[UserId | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    secret_hash: Mapped[str] = mapped_column(unique=True)
    page_hash: Mapped[str] = mapped_column(unique=True)
    typed: Mapped[str]
    tries: Mapped[int] = mapped_column(default=0, server_default="0")
    asked_by: Mapped[str]
    nonce: Mapped[str]
    verifier: Mapped[str]
    state_hash: Mapped[str | None] = mapped_column(unique=True)
    browser_hash: Mapped[str | None]
    subject: Mapped[str | None]
    email: Mapped[str | None]
    email_verified: Mapped[bool] = mapped_column(default=False, server_default=false())
    name: Mapped[str | None]
    refused: Mapped[str | None]
    expires_at: Mapped[datetime] = mapped_column(index=True)
