"""API tokens that end soon: whoever made one is told by mail once, as early as answers to it say so."""

from sqlalchemy import String, cast, func, literal, select
from sqlalchemy.orm import Session

from contract.accounts import ENDS_SOON
from server.accounts.models import Account, ApiToken, TokenKind
from server.accounts.tokens import LIVE
from server.outbox.models import OutboxMessage
from server.outbox.service import enqueue_mail, mail_is_set_up
from server.settings import Settings

_AT_ONCE = 100


def mail_ending(session: Session, *, settings: Settings) -> None:
    """Mails who has a token that ends soon; not of one that was made for a shorter time, nor of another's child."""
    if not mail_is_set_up(settings):
        return
    key = literal("token-ends:").concat(cast(ApiToken.id, String))
    told = select(OutboxMessage.id).where(OutboxMessage.key == key).exists()
    ending = (
        select(ApiToken, Account)
        .join(Account, Account.id == ApiToken.user_id)
        .where(ApiToken.kind == TokenKind.API, ApiToken.parent_id.is_(None), *LIVE, ~told)
        .where(ApiToken.expires_at <= func.now() + ENDS_SOON, Account.closed_at.is_(None))
        .where(ApiToken.created_at < ApiToken.expires_at - ENDS_SOON)
        .limit(_AT_ONCE)
    )
    for token, account in session.execute(ending):
        enqueue_mail(
            session,
            to=account.email,
            subject="A token of yours ends soon",
            text=f"Your API token {token.name} ({token.id}) ends on {token.expires_at:%Y-%m-%d %H:%M} UTC.\n"
            "What uses it is refused from then on.\n\nMake another one before that: proctor token create\n",
            key=f"token-ends:{token.id}",
            user_id=account.id,
        )
