"""Names that people and teams are shown by: what may be in one, and when two look the same.

Names of the whole world pass. What does not: characters that cannot be seen or that turn a line round, symbols and
emoji, heaps of accents, and words that mix scripts, which is how a name is made to look like another one.
"""

import operator
import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from uuid import UUID

SIGNS = frozenset(".,_&'()+-/’‘‐–·・׳״་")
"""What may stand in a name beside letters, digits and spaces."""
_BETWEEN_WORDS = re.compile(f"[ {re.escape(''.join(sorted(SIGNS)))}]")
_ALLOWED = "letters, digits, spaces and . , _ & ' ( ) + - /"
_FIRST = frozenset("'’‘")  # 't Hooft; and no sign that a spreadsheet takes for a formula
_HARDLY_SEEN = re.compile("[.,'’‘·\u02b0-\u02ff]")
_JOINERS = frozenset("\u200c\u200d")
_VIRAMA = 9  # canonical combining class
_MARKS, _ACCENTS = 4, 2  # in a row: of any script; of those that go on any letter
_EAST_ASIAN = frozenset(
    ("cjk", "ideographic", "hiragana", "katakana", "katakana-hiragana", "hangul", "bopomofo")
)
_COMMON = frozenset(("combining", "modifier", "katakana-hiragana", "arabic-indic", "extended"))
# Their compatibility form splits a vowel that people type and see as one.
_AS_TYPED = re.compile("([\u0e33\u0eb3])")
# Default_Ignorable_Code_Point of the Unicode character database: nothing is drawn for them.
_IGNORABLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
# Letters only: also "The Organizers" and "A d m i n".
_RESERVED = (
    *(
        "admin",
        "admins",
        "administrator",
        "administrators",
        "moderator",
        "moderators",
        "root",
        "staff",
        "support",
    ),
    *("baseline", "baselines", "challenge", "jury", "official", "proctor", "proctoradmin", "system"),
    *("organiser", "organisers", "organizer", "organizers", "organisation", "organization"),
    *("thebaseline", "theorganisers", "theorganizers", "theproctor", "organisingteam", "organizingteam"),
)


def display_name(name: str, *, least: int = 1, most: int = 100) -> str:
    """`name` as it is shown: Unicode's compatibility form (NFKC), single spaces.

    Raises:
        ValueError: the rest of a sentence that begins with what was named, saying what is wrong with it.
    """
    shown = " ".join(word for word in _composed(name).strip().split(" ") if word)
    if not least <= len(shown) <= most:
        raise ValueError(f"has to have {least} to {most} characters")
    if not (shown[0].isalnum() or shown[0] in _FIRST) or not any(character.isalnum() for character in shown):
        raise ValueError(f"has to begin with a letter or digit, and consist of {_ALLOWED}")
    for at, character in enumerate(shown):
        _check_character(shown, at, character)
    _check_marks(shown)
    for word in _BETWEEN_WORDS.split(shown):
        _check_scripts(word)
    return shown


def is_id(shown: str) -> bool:
    """Whether a name is written as ids are, by which something else could be meant."""
    try:
        UUID(shown)
    except ValueError:
        return False
    return True


def skeleton(name: str) -> str:
    """What `name` looks like: two names with the same skeleton are taken for each other.

    After Unicode Technical Standard #39, but without capitals and dots, and with i, l and 1 as one.
    """
    plain = "".join(
        character for character in unicodedata.normalize("NFKC", name) if not _HARDLY_SEEN.match(character)
    )
    as_written = _looks(plain)
    in_small_letters = _looks(as_written.casefold())
    return " ".join(in_small_letters.casefold().replace("i", "l").split())


def is_reserved(name: str) -> bool:
    """Whether a name looks like one that only the organizers have."""
    return _letters(name) in _reserved()


def _composed(name: str) -> str:
    parts = _AS_TYPED.split(name)
    return "".join(
        part if _AS_TYPED.fullmatch(part) else unicodedata.normalize("NFKC", part) for part in parts
    )


def _check_character(shown: str, at: int, one: str) -> None:
    if one in _JOINERS:
        if not _joins(shown, at):
            raise ValueError(f"must not hold {_called(one)} here, which cannot be seen")
    elif _IGNORABLE.match(one):
        raise ValueError(f"must not hold {_called(one)}, which cannot be seen")
    elif not (
        unicodedata.category(one) in ("Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Nd") or one in SIGNS | {" "}
    ):
        raise ValueError(f"must not hold {_called(one)}; it may consist of {_ALLOWED}")


def _joins(shown: str, at: int) -> bool:
    """Whether a joiner changes how the letters around it are written, as in Persian and in scripts of South Asia."""
    before, after = shown[at - 1 : at], shown[at + 1 : at + 2]
    if not before:
        return False
    if unicodedata.combining(before) == _VIRAMA:
        return True
    return shown[at] == "\u200c" and after != "" and {_script(before), _script(after)} == {"arabic"}


def _called(one: str) -> str:
    return f"U+{ord(one):04X}" + (f" {name}" if (name := unicodedata.name(one, "")) else "")


def _check_marks(shown: str) -> None:
    base, run = "", ""
    for character in f"{shown} ":
        if unicodedata.category(character) == "Mn":
            run += character
            continue
        if run and not base.isalnum() and not unicodedata.category(base).startswith("M"):
            raise ValueError(f"must not hold {_called(run[0])} without a letter before it")
        accents = sum(unicodedata.name(mark, "").startswith("COMBINING") for mark in run)
        if len(run) > _MARKS or accents > _ACCENTS or any(map(operator.eq, run, run[1:])):
            raise ValueError("must not have more accents on one letter than any language has")
        base, run = character, ""


def _check_scripts(word: str) -> None:
    found = {script for script in map(_script, word) if script}
    if len(found) > 1 and not (found - _EAST_ASIAN <= {"latin"}):
        named = " and ".join(sorted(script.capitalize() for script in found))
        raise ValueError(
            f"must not mix letters of {named} in one word ({word}), which would look like another name"
        )


def _script(one: str) -> str:
    """The script of a letter or mark, in small letters; nothing where it is common to several."""
    if unicodedata.category(one)[0] not in "LM":
        return ""
    first = unicodedata.name(one, "").partition(" ")[0].lower()
    return "" if first in _COMMON else first


def _looks(name: str) -> str:
    table = _confusables()
    plain = _IGNORABLE.sub("", unicodedata.normalize("NFKD", name))
    return unicodedata.normalize("NFKD", "".join(table.get(character, character) for character in plain))


@cache
def _confusables() -> dict[str, str]:
    return dict(_pairs((Path(__file__).parent / "confusables.txt").read_text(encoding="ascii")))


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        shape, _, sources = line.partition(":")
        looks = "".join(chr(int(code, 16)) for code in shape.split())
        for source in sources.split():
            yield chr(int(source, 16)), looks


def _letters(name: str) -> str:
    return "".join(character for character in skeleton(name) if character.isalnum())


@cache
def _reserved() -> frozenset[str]:
    return frozenset(map(_letters, _RESERVED))
