"""The mails about an account, whole: what happened, what to type, and what to do if it was not you."""

from datetime import datetime
from shlex import quote

_NOT_YOU = "If this was not you, do nothing: without the code nothing happens."


def _typed(command: str, code: str, expires_at: datetime) -> str:
    until = f"It works until {expires_at:%Y-%m-%d %H:%M} UTC."
    return (
        f"Type\n\n  {command}\n\nand, when it asks for it, this code:\n\n  {code}\n\n{until}\n\n{_NOT_YOU}\n"
    )


def to_verify(server: str, code: str, expires_at: datetime) -> tuple[str, str]:
    """Subject and text of the mail that asks whether an address is its person's."""
    said = f"This address was given for an account at {server}.\n\n"
    return "Is this your address?", said + _typed("proctor verify-address", code, expires_at)


def to_change(server: str, email: str, code: str, expires_at: datetime) -> tuple[str, str]:
    """Subject and text of the mail to the address that an account is to have."""
    said = f"Somebody logged in at {server} wants this to be the address of their account.\n\n"
    return "Your new address", said + _typed(
        f"proctor change-address {quote(email)} --have-code", code, expires_at
    )


def changed(server: str, email: str) -> tuple[str, str]:
    """Subject and text of the mail to the address that an account had."""
    return (
        "Your address was changed",
        f"Your account at {server} has the address {email} from now on, and mails go there.\n\n"
        "If this was not you, tell the organizers at once: they can end all that lets somebody in.\n",
    )


def to_reset(server: str, email: str, code: str, expires_at: datetime) -> tuple[str, str]:
    """Subject and text of the mail to somebody who forgot their password."""
    said = f"Somebody asked for a new password of your account at {server}.\n\n"
    return "A new password", said + _typed(
        f"proctor passwd {server} --forgotten --email {quote(email)}", code, expires_at
    )
