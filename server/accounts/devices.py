"""Where somebody has logged in before: a signed sign that the device keeps and shows at the next log-in.

Guesses from such a device are counted apart, so that nobody else's guesses shut its owner out. It proves nothing else:
the password is needed all the same.
"""

import hashlib
import hmac
import secrets
import time

_PREFIX = "prd"
LASTS = 365 * 86_400  # seconds


def sign(key: str, email: str, device: str | None = None) -> str:
    """The sign for a device on which the owner of `email` has just logged in; `device` keeps its name."""
    name = device or secrets.token_hex(16)
    ends = int(time.time()) + LASTS
    return f"{_PREFIX}_{name}_{ends}_{_mac(key, email, name, ends)}"


def known(key: str, email: str, shown: str | None) -> str | None:
    """The device's name if the sign is genuine, for this address, and not out of date."""
    parts = (shown or "").split("_")
    if len(parts) != 4 or parts[0] != _PREFIX or not parts[2].isascii() or not parts[2].isdecimal():
        return None
    _, name, ends, mac = parts
    genuine = hmac.compare_digest(_mac(key, email, name, int(ends)).encode(), mac.encode(errors="replace"))
    return name if genuine and int(ends) > time.time() else None


def _mac(key: str, email: str, name: str, ends: int) -> str:
    told = f"device\0{email}\0{name}\0{ends}"
    return hmac.new(key.encode(), told.encode(errors="replace"), hashlib.sha256).hexdigest()
