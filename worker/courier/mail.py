"""Handing mails to the mail server: many by one connection, each with an answer of its own."""

import smtplib
import ssl
from collections.abc import Iterator, Sequence
from email.errors import MessageError
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr

from server.mail_server import Encryption, MailServer
from server.outbox.models import OutboxMessage
from server.outbox.tries import TAKEN, Tried

_SECONDS = 15.0
_PERMANENT = 500
_NO_ADDRESS = (AttributeError, LookupError, MessageError, RecursionError, TypeError, ValueError)


def send(
    server: MailServer,
    sender: str,
    deliveries: Sequence[OutboxMessage],
    *,
    context: ssl.SSLContext | None = None,
) -> Iterator[tuple[OutboxMessage, Tried]]:
    """What came of each mail. One that the server refuses for its address is final; all else is tried again.

    context: what the server's certificate is looked at with, by default this host's authorities.
    """
    left = list(deliveries)
    try:
        with _connected(server, context or ssl.create_default_context()) as connection:
            while left:
                tried = _hand_over(connection, sender, left[0])
                yield left.pop(0), tried
    except (smtplib.SMTPException, OSError) as error:
        for delivery in left:
            yield delivery, Tried(f"The mail server {server.host}:{server.port}: {_said(error)}")


def message_of(delivery: OutboxMessage, sender: str) -> EmailMessage:
    """The mail: plain text, and the delivery's id as its own, so that one that comes twice is known.

    Raises:
        ValueError: its address or a line of its head cannot be.
    """
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = delivery.address
    # What reads as several addresses, or as one in other words, would go to mailboxes that nobody counted mails for.
    if [mailbox.addr_spec for mailbox in message["To"].addresses] != [delivery.address]:
        raise ValueError(f"{delivery.address} is not one mailbox")
    message["Subject"] = delivery.payload["subject"]
    message["Date"] = format_datetime(delivery.created_at)
    message["Message-ID"] = f"<{delivery.id}@{parseaddr(sender)[1].rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(delivery.payload["text"])
    return message


def _connected(server: MailServer, context: ssl.SSLContext) -> smtplib.SMTP:
    """A connection that is ready to take mail."""
    if server.encryption is Encryption.TLS:
        connection: smtplib.SMTP = smtplib.SMTP_SSL(
            server.host, server.port, timeout=_SECONDS, context=context
        )
    else:
        connection = smtplib.SMTP(server.host, server.port, timeout=_SECONDS)
    try:
        if server.encryption is Encryption.STARTTLS:
            connection.starttls(context=context)
        if server.user is not None and server.password is not None:
            connection.login(server.user, server.password)
    except BaseException:
        connection.close()
        raise
    return connection


def _hand_over(connection: smtplib.SMTP, sender: str, delivery: OutboxMessage) -> Tried:
    try:
        connection.send_message(message_of(delivery, sender))
    except smtplib.SMTPRecipientsRefused as error:
        code, said = next(iter(error.recipients.values()))
        return Tried(f"{code} {said.decode(errors='replace')}", final=code >= _PERMANENT)
    except smtplib.SMTPResponseException as error:
        return Tried(_said(error))
    except smtplib.SMTPNotSupportedError as error:  # an address that this server cannot have
        return Tried(_said(error), final=True)
    except (smtplib.SMTPException, OSError):
        raise
    except _NO_ADDRESS as error:  # over what is no address the parser of `email` breaks in many ways
        return Tried(f"No mail can be made of it: {_said(error)}", final=True)
    return TAKEN


def _said(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error
        return f"{error.smtp_code} {said.decode(errors='replace') if isinstance(said, bytes) else said}"
    return str(error) or type(error).__name__
