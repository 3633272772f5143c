"""What a browser shows to be recognised: a signed cookie, and in each form a token that no other page can know.

A cookie alone proves nothing about who wrote a request: a page elsewhere may have its reader's browser send one. So
whatever changes something has to bring a token as well, which only this installation's own pages hold. The token is
masked anew in each page: a body that is compressed would otherwise give it away bit by bit to who can add to it.
"""

import base64
import binascii
import hashlib
import hmac
import secrets

_SIZE = hashlib.sha256().digest_size


class Keys:
    """Signs and checks with the installation's secret."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def signed(self, purpose: str, value: str) -> str:
        """`value` with a signature, to be given to a browser."""
        return f"{value}.{_text(self._mac(purpose, value))}"

    def genuine(self, purpose: str, shown: str | None) -> str | None:
        """The value that was signed for this purpose; None where the signature is not ours."""
        value, dot, signature = (shown or "").rpartition(".")
        mac = _bytes(signature)
        if not dot or mac is None or not hmac.compare_digest(mac, self._mac(purpose, value)):
            return None
        return value

    def form_token(self, of: str) -> str:
        """A token for the forms of the session, or the visit, `of`: another one each time, and each is good."""
        mask = secrets.token_bytes(_SIZE)
        return _text(mask + _xor(mask, self._mac("form", of)))

    def is_form_token(self, of: str, shown: str | None) -> bool:
        """Whether a page made for `of` held this token."""
        content = _bytes(shown or "")
        if content is None or len(content) != 2 * _SIZE:
            return False
        return hmac.compare_digest(_xor(content[:_SIZE], content[_SIZE:]), self._mac("form", of))

    def _mac(self, purpose: str, value: str) -> bytes:
        told = f"browser\0{purpose}\0{value}".encode(errors="replace")
        return hmac.new(self._secret, told, hashlib.sha256).digest()


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode("ascii")


def _bytes(text: str) -> bytes | None:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
