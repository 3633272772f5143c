"""Names of subjects and sessions: `sub-` or `ses-` and letters or digits; earlier editions write `_` for the hyphen."""

import re

SUBJECT, SESSION = "sub", "ses"
Key = tuple[str, str]
"""A case as (subject, session) in the plain spelling, such as ("sub-01", "ses-01")."""

_LONGEST = 90
_LITTER = frozenset({"thumbs.db", "desktop.ini", "__macosx", "derivatives", "sourcedata", "code", "icon\r"})


def plain(name: str, kind: str) -> str | None:
    """The name in its plain spelling, with `kind` before it if it was left out; None where it is no name."""
    match = re.fullmatch(rf"(?:{kind}[-_])?([A-Za-z0-9]{{1,{_LONGEST}}})", name)
    return f"{kind}-{match[1]}" if match else None


def folder_name(name: str, kind: str) -> str | None:
    """As `plain`, of a folder, which has to say its kind."""
    return plain(name, kind) if name[:4] in (f"{kind}-", f"{kind}_") else None


def why_no_name(name: str, kind: str) -> str:
    """What is wrong with a folder's name, and what to do."""
    example = f"{kind}-01"
    lowered = plain(name.lower(), kind)
    if lowered and name[:3].lower() == kind and name[3:4] in "-_" and name[4:].isalnum():
        return f"is written with capitals; rename it {kind}-{name[4:]}"
    if not re.fullmatch(r"[A-Za-z0-9_-]*", name):
        return (
            f"has other characters in its name than letters A-Z, digits, - and _; rename it, as in {example}"
        )
    if name[:3].lower() == kind and len(name) > _LONGEST:
        return f"has a name longer than {_LONGEST} characters; rename it"
    if name[:4] in (f"{kind}-", f"{kind}_"):
        more = (
            "; a second scan of a subject is a session of it, as in sub-01/ses-02" if kind == SUBJECT else ""
        )
        return f"has more in its name than {kind}- and letters or digits; rename it, as in {example}{more}"
    return f"is not called {kind}- and letters or digits, as in {example}"


def is_litter(name: str) -> bool:
    """Whether this is what operating systems and BIDS tools leave beside data: it is not looked at, on purpose."""
    return name.startswith(".") or name.casefold() in _LITTER
