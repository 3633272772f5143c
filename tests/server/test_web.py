"""Pages for people, and the API's description; tests/browser looks at both as a browser shows them."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from swagger_ui_bundle import swagger_ui_path

from evaluator.spec import Challenge
from server.challenges.service import apply
from server.database import SessionFactory, unit_of_work
from server.openapi import as_3_0
from server.pages import prose


@pytest.fixture
def site(served: tuple[str, SessionFactory]) -> str:
    """The address of the pages."""
    return served[0]


def _all_keys(schema: Any) -> set[str]:
    if isinstance(schema, list):
        return set().union(*map(_all_keys, schema))
    if isinstance(schema, dict):
        return set(schema) | set().union(*map(_all_keys, schema.values()))
    return set()


def test_the_api_describes_itself_in_a_version_that_the_bundled_page_reads(site: str) -> None:
    schema = httpx.get(f"{site}/api/v1/openapi.json", timeout=60).json()
    bundle = (Path(swagger_ui_path) / "swagger-ui-bundle.js").read_text(encoding="utf-8")
    assert schema["openapi"].startswith("3.0.") or "3.1" in Path(swagger_ui_path).name or "OAS31" in bundle
    assert '{"type": "null"}' not in json.dumps(schema)
    assert "const" not in _all_keys(schema)


def test_what_only_the_newer_version_says_is_said_in_the_words_of_the_older() -> None:
    reference = {"$ref": "#/components/schemas/Gpu"}
    assert as_3_0({"anyOf": [{"type": "string"}, {"type": "null"}]}) == {"type": "string", "nullable": True}
    assert as_3_0({"anyOf": [reference, {"type": "null"}]}) == {"allOf": [reference], "nullable": True}
    assert as_3_0({"exclusiveMinimum": 0.0}) == {"minimum": 0.0, "exclusiveMinimum": True}
    assert as_3_0({"const": "one"}) == {"enum": ["one"]}


def test_what_people_write_has_links_and_bold_words_and_nothing_else() -> None:
    assert prose("See **all** of https://a.example/b?c=1&d=2, or [it](https://e.example).\n# Rules\n#1") == (
        'See <strong>all</strong> of <a href="https://a.example/b?c=1&amp;d=2" rel="noreferrer nofollow">'
        'https://a.example/b?c=1&amp;d=2</a>, or <a href="https://e.example" rel="noreferrer nofollow">it</a>.\n'
        "<strong>Rules</strong>\n#1"
    )
    for hostile in (
        "<script>alert(1)</script>",
        "[x](javascript:alert(1))",
        '[<img src=x>](https://a.example/"onclick="x)',
        'https://a.example/"><b>',
        "**<b>**",
        "# <i>",
    ):
        told = re.sub(
            r'</?strong>|<a href="https://[^"<>]*" rel="noreferrer nofollow">|</a>', "", prose(hostile)
        )
        assert not re.search(r"[<>\"]", told), told


_BROWSER = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}


def test_a_challenge_has_a_page_that_says_what_it_asks_and_how_to_take_part(site: str, slug: str) -> None:
    answer = httpx.get(f"{site}/challenges/{slug}")
    assert answer.status_code == 200
    assert "script-src 'self';" in answer.headers["Content-Security-Policy"]
    assert not re.search(r"<script(?![^>]* src=\"/)|<[^>]* (style|on\w+)=", answer.text), "nothing inline"
    for part in (
        "Brain age regression",
        "<code>--t2s</code> t2s.nii.gz or <code>--swi</code>",
        "120 s, 32 CPU, 64 GiB of memory, 1 GPU of 80 GB",
        f'href="/challenges/{slug}/leaderboards/validation"',
        "leaderboard sealed",
        "proctor register ADDRESS",
        "proctor team create",
        "proctor submit my-image --task task1 --track method",
    ):
        assert part in answer.text
    assert answer.text.count("120 s, 32 CPU") == 1, "what holds for every task is said once"
    assert f'href="/challenges/{slug}"' in httpx.get(site).text


def test_a_challenge_s_page_names_a_phase_that_is_open_or_says_that_none_is(
    site: str, slug: str, fomo26: Challenge, sessions: SessionFactory
) -> None:
    assert "--phase sanity --watch" in httpx.get(f"{site}/challenges/{slug}").text
    none = {name: one.model_copy(update={"opens": None}) for name, one in fomo26.phases.items()}
    for phases, says in (
        (none, "No phase takes submissions now."),
        (none | {"validation": fomo26.phases["validation"]}, "--phase validation --watch"),
    ):
        with unit_of_work(sessions) as session:
            apply(session, fomo26.model_copy(update={"challenge": slug, "phases": phases}), actor="tests")
        assert says in httpx.get(f"{site}/challenges/{slug}").text


def test_a_sealed_board_leads_back_to_its_challenge(site: str, slug: str) -> None:
    shown = httpx.get(f"{site}/challenges/{slug}/leaderboards/test", headers=_BROWSER).text
    assert f'href="/challenges/{slug}">Back to the challenge</a>' in shown
    assert "Who decides" in shown
    assert "Back to the challenge" not in httpx.get(f"{site}/challenges/nobody", headers=_BROWSER).text


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/challenges/{slug}/leaderboards/test", 403, "sealed until the organizers release it"),
        ("/challenges/{slug}/leaderboards/none", 404, "There is no phase"),
        ("/challenges/<b>", 404, "There is no challenge &#39;&lt;b&gt;&#39;"),
        ("/nothing", 404, "The address may be mistyped"),
    ],
)
def test_an_error_is_a_page_for_a_browser_and_json_for_programs(
    site: str, slug: str, path: str, status: int, says: str
) -> None:
    address = site + path.format(slug=slug)
    shown = httpx.get(address, headers=_BROWSER)
    assert (shown.status_code, shown.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
    assert says in shown.text
    assert "default-src 'none'" in shown.headers["Content-Security-Policy"]
    assert httpx.get(address).headers["Content-Type"] == "application/problem+json"


def test_the_api_answers_in_json_whoever_asks(site: str) -> None:
    answer = httpx.get(f"{site}/api/v1/challenges/nobody", headers=_BROWSER)
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_refused_address_is_refused_in_words(site: str) -> None:
    body = {"email": "no-at-sign", "name": "Ada", "password": "long enough"}
    answer = httpx.post(f"{site}/api/v1/accounts", json=body)
    assert answer.json()["problems"] == [{"field": "email", "message": "not an e-mail address"}]
