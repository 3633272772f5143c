"""Names that look like another name, that cannot be seen, or that spoil what is printed beside them.

Tried: invisible and look-alike twins of a team, heaps of accents, names of blanks, words that the organizers go by, and
whatever else Unicode has. Names of the world's people and laboratories pass.
"""

import unicodedata
from collections.abc import Callable

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.names import display_name, is_reserved, skeleton
from tests.server.conftest import Person

People = Callable[..., Person]

WELCOME = [
    "Müller", "Nguyễn Thị Ánh", "李小龍", "Αθηνά Παπαδοπούλου", "Ольга Иванова", "O’Neil", "O'Neil",
    "São Paulo – Lab 2", "Anne-Marie", "J. R. R. (Ronald) Tolkien", "'t Hooft", "’t Hooft", "محمد بن سلمان",
    "علی\u200cرضا", "שָׁלוֹם", "รัฐบาลน้ำ", "ශ්\u200dරී ලංකා", "हिन्दी", "ড়াঁ", "မြွှာ", "རྒྱུད", "ភ្នំពេញ", "김민준",
    "さくらラボ", "東京大学AI研究室", "Łódź", "Şəhla", "Kāneʻohe", "ʻOkina", "Đặng", "ọ́lá", "Δ-Lab", "Команда AI",
    "Ⅻ Team", "team-1 (MIT) & co.", "Équipe Zürich", "Ñandú", "Iñaki 2", "መለስ ዜናዊ", "Օհանյան", "გიორგი", "ខ្មែរ",
]  # fmt: skip
REFUSED = {
    "Team\u115f A": "cannot be seen",
    "Team A\u034f": "cannot be seen",
    "Baseline\ufe00": "cannot be seen",
    "\u1160\u1160": "cannot be seen",
    "\u3164": "cannot be seen",
    "Team\u200bA": "cannot be seen",
    "Team\u200dA": "cannot be seen",
    "T\u202eeam": "cannot be seen",
    "Team\U000e0041": "cannot be seen",
    "T" + "\u0300\u0301" * 20 + "eam": "more accents",
    "T\u0301\u0301\u0301eam": "more accents",
    "Team \u0301": "without a letter",
    "Ваseline": "mix letters of Cyrillic and Latin",
    "Pаypal": "mix letters",
    "p\u0305а": "mix letters",
    "νan Gogh": "mix letters of Greek and Latin",
    "Team 🎉": "U+1F389 PARTY POPPER",
    "T\ue000": "U+E000",
    "T\u0378": "U+0378",
    "\x1b[2J": "letter or digit",
    "a\x1b]8;;b": "U+001B",
    "=1+1": "letter or digit",
    "@SUM": "letter or digit",
    "-dash": "letter or digit",
    "a\nb": "U+000A",
    "a\u2028b": "U+2028",
    "a\x00b": "U+0000",
    "<b>": "letter or digit",
    "a<b": "U+003C",
    "T\u20dd": "U+20DD",
    " . ": "letter or digit",
    "''": "letter or digit",
    "": "characters",
}
TWINS = [
    ("Team A", "Team Α"),  # Greek
    ("Baseline Lab", "Baseline. Lab"),
    ("Coco", "Сосо"),  # Cyrillic throughout
    ("TEAM I", "TEAM l"),
    ("TEAM I", "team 1"),
    ("AI Group", "ai grоup".replace("о", "0")),
    ("modern", "modem"),
    ("O'Neil", "OʼNeil"),
    ("O’Neil", "ONeil"),
    ("Lab-2", "Lab–2"),
    ("Scope", "Ѕсоре"),
    ("BETA", "ВЕТА"),
    ("Ｔhe First", "the first"),
    ("ロボ", "口ボ"),  # a Han character
]  # fmt: skip


@pytest.mark.parametrize("name", WELCOME)
def test_names_of_the_world_pass_and_stay_as_they_are(name: str) -> None:
    shown = display_name(f"  {name} ")
    assert shown == name or unicodedata.normalize("NFKC", name) == shown
    assert display_name(shown) == shown
    assert skeleton(shown)
    assert not is_reserved(shown)


@pytest.mark.parametrize(("name", "said"), REFUSED.items())
def test_names_that_would_mislead_are_refused_and_it_is_said_why(name: str, said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("+", r"\+")) as refused:
        display_name(name)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(("one", "other"), TWINS)
def test_names_that_look_alike_have_one_skeleton(one: str, other: str) -> None:
    assert skeleton(one) == skeleton(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Müller", "Möller"), ("Nova", "Hona"), ("van", "nav"), ("יעל", "יעלי"), ("Lab 2", "Lab 3")],
)
def test_names_that_do_not_look_alike_have_two(one: str, other: str) -> None:
    assert skeleton(one) != skeleton(other)


@pytest.mark.parametrize(
    "name", ["Baseline", "BASELINE.", "Ваsеlіnе", "The Organizers", "Pr0ctor", "Admin", "A d m i n"]
)
def test_what_the_organizers_go_by_is_known_however_it_is_written(name: str) -> None:
    assert is_reserved(name)


@given(st.text(max_size=60))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_whatever_is_accepted_can_be_seen_printed_and_looked_up_again(name: str) -> None:
    try:
        shown = display_name(name)
    except ValueError:
        return
    assert display_name(shown) == shown
    assert all(one.isprintable() or one in "\u200c\u200d" for one in shown)
    assert any(one.isalnum() for one in shown)
    assert shown[0] not in "=+-@"
    assert skeleton(shown) == skeleton(f" {shown}\u200b ")


@given(st.text(alphabet="abcdefghjkmopqrstuvwxyzАВЕКМНОРСТУХаеорсух ", min_size=2, max_size=20))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_a_twin_in_another_script_never_gets_past_both_rules(name: str) -> None:
    latin = name.translate(str.maketrans("АВЕКМНОРСТУХаеорсух", "ABEKMHOPCTYXaeopcyx"))
    assert skeleton(name) == skeleton(latin)


def found(person: Person, slug: str, name: str) -> httpx.Response:
    return person.http.post(f"/challenges/{slug}/teams", json={"name": name})


@pytest.mark.parametrize(
    "twin", ["THE FIRST", "The First.", "Τhе Fіrst", "The F1rst", "The\u00a0First", "The FirsТ"]
)
def test_no_team_takes_a_name_that_looks_like_anothers(
    captain: Person, person: People, slug: str, twin: str
) -> None:
    refused = found(person(), slug, twin)
    assert refused.status_code in (409, 422), refused.text
    assert refused.json()["code"] in ("team_name_taken", "bad_team_name")


def test_no_team_is_called_as_another_s_id(team_id: str, person: People, slug: str) -> None:
    for name in (team_id, team_id.replace("-", "").upper()):
        refused = found(person(), slug, name)
        assert (refused.status_code, refused.json()["code"]) == (422, "bad_team_name"), refused.text


@pytest.mark.parametrize("name", ["Baseline", "Organizers", "proctor", "Αdmin"])
def test_no_team_takes_a_name_that_is_the_organizers(person: People, slug: str, name: str) -> None:
    refused = found(person(), slug, name)
    assert (refused.status_code, refused.json()["code"]) == (422, "bad_team_name"), refused.text


@pytest.mark.parametrize(
    "name", ["Ada\u2066", "Ada\u115f", "\u1160", "A" + "\u0301" * 40, "Аdmin", "Proctor", "Ada\ufe0f"]
)
def test_no_person_has_a_name_that_misleads(nobody: httpx.Client, name: str) -> None:
    body = {"email": "somebody@example.org", "name": name, "password": "ten characters"}
    refused = nobody.post("/accounts", json=body)
    assert refused.status_code == 422, refused.text
    assert refused.json()["detail"].startswith(("name: ", "The name "))
