"""Browsers: sessions in cookies, forms that become requests of the API, and what is refused from other pages."""

import re
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import httpx
import pytest
from starlette.responses import Response

from evaluator.charts import STYLES
from server.app import create_app
from server.browser.cookies import Browser
from server.browser.keys import Keys
from server.errors import BadRequest
from server.forms.form import Form, is_local
from server.settings import Settings
from tests.server.conftest import PASSWORD, Person, serving

_PAGE = {"Accept": "text/html"}


def form_token(page: httpx.Response) -> str:
    found = re.search(r'name="_csrf" value="([^"]+)"', page.text)
    assert found is not None
    return found[1]


def sign_in(browser: httpx.Client, email: str, password: str = PASSWORD, then: str = "/") -> httpx.Response:
    token = form_token(browser.get("/sign-in"))
    fields = {"_csrf": token, "_then": then, "email": email, "password:text": password}
    return browser.post("/api/v1/sessions", data=fields)


@pytest.fixture
def signed_in(browser: httpx.Client, person: Callable[..., Person]) -> httpx.Client:
    answer = sign_in(browser, person().email)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    return browser


def test_who_signs_in_keeps_a_session_that_no_script_reads_and_no_other_site_sends(
    browser: httpx.Client, person: Callable[..., Person]
) -> None:
    answer = sign_in(browser, person().email, then="/notices")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/notices")
    set_ = next(line for line in answer.headers.get_list("set-cookie") if line.startswith("proctor_session="))
    assert "HttpOnly" in set_
    assert "SameSite=lax" in set_
    assert "Sign out" in browser.get("/").text
    assert browser.get("/api/v1/me").status_code == 200


def test_registering_signs_in(browser: httpx.Client) -> None:
    token = form_token(browser.get("/register"))
    fields = {"_csrf": token, "name": "Ada", "email": f"{uuid4().hex}@x.example", "password:text": PASSWORD}
    assert browser.post("/api/v1/accounts", data=fields).status_code == 303
    assert browser.get("/api/v1/me").json()["name"] == "Ada"


def test_a_wrong_password_is_a_page_and_no_session(
    browser: httpx.Client, person: Callable[..., Person]
) -> None:
    answer = sign_in(browser, person().email, "not the password")
    assert answer.status_code == 401
    assert "The e-mail address or the password is wrong." in answer.text
    assert browser.get("/api/v1/me").status_code == 401


def test_signing_out_ends_the_session_here_and_on_the_server(signed_in: httpx.Client) -> None:
    before = signed_in.cookies["proctor_session"]
    token = form_token(signed_in.get("/"))
    answer = signed_in.post("/api/v1/sessions/current?_method=DELETE", data={"_csrf": token})
    assert answer.status_code == 303
    assert "proctor_session" not in signed_in.cookies
    signed_in.cookies["proctor_session"] = before
    assert signed_in.get("/api/v1/me").status_code == 401
    assert signed_in.get("/").status_code == 200, "whose session has ended sees what everybody sees"


def test_forms_without_the_page_s_token_and_from_other_sites_do_nothing(signed_in: httpx.Client) -> None:
    token = form_token(signed_in.get("/"))
    fields = {"name": "mine", "expires_in_days:int": "30"}
    other = {"Origin": "https://elsewhere.example"}
    site = {"Sec-Fetch-Site": "cross-site"}
    forged = Keys("another secret of another installation").form_token("somebody")
    for sent, headers in (
        (fields, {}),
        ({**fields, "_csrf": forged}, {}),
        ({**fields, "_csrf": token}, other),
        ({**fields, "_csrf": token}, site),
    ):
        assert signed_in.post("/api/v1/tokens", data=sent, headers=headers).status_code == 403
    assert signed_in.post("/api/v1/tokens", json={"name": "mine"}).status_code == 403
    assert signed_in.get("/api/v1/tokens").json() == []
    made = signed_in.post("/api/v1/tokens", data={**fields, "_csrf": token})
    assert made.status_code == 200
    assert "prt_" in made.text or "token" in made.text.lower()
    assert [one["name"] for one in signed_in.get("/api/v1/tokens").json()] == ["mine"]


def test_forms_that_are_refused_spend_what_other_requests_do_and_then_are_not_read(
    settings: Settings, person: Callable[..., Person]
) -> None:
    most = 12
    own = settings.model_copy(update={"requests_per_token": most})
    with (
        serving(create_app(own)) as url,
        httpx.Client(base_url=url, headers=_PAGE, timeout=60) as browser,
    ):
        sign_in(browser, person().email)
        token = form_token(browser.get("/account"))  # from here on its session is known
        refused = browser.post("/api/v1/tokens", data={"_csrf": "x", "name": "mine"})
        assert refused.status_code == 403
        assert refused.headers["RateLimit-Policy"] == f'"token";q={most};w=60'
        left = int(refused.headers["RateLimit"].partition("r=")[2].partition(";")[0])
        sent = [browser.post("/api/v1/tokens", json={"name": "mine"}).status_code for _ in range(left)]
        assert sent == [403] * left
        late = browser.post("/api/v1/tokens", data={"_csrf": token, "name": "mine"})
        assert (late.status_code, "more than 12 requests" in late.text) == (429, True)
        assert int(late.headers["Retry-After"]) >= 1
        assert browser.post("/api/v1/tokens", json={"name": "mine"}).json()["code"] == "too_many_requests"


def test_forms_of_strangers_that_are_refused_are_counted_for_their_address(settings: Settings) -> None:
    most = 9
    own = settings.model_copy(update={"requests_per_address": most})
    with (
        serving(create_app(own)) as url,
        httpx.Client(base_url=url, headers=_PAGE, timeout=60) as browser,
    ):
        answers = [browser.post("/api/v1/sessions", data={"email": "x"}).status_code for _ in range(most + 1)]
        assert answers == [403] * most + [429]


def test_scripts_of_a_page_ask_with_its_token(signed_in: httpx.Client) -> None:
    found = re.search(r'name="form-token" content="([^"]+)"', signed_in.get("/").text)
    assert found is not None
    headers = {"X-Form-Token": found[1]}
    assert signed_in.post("/api/v1/tokens", json={"name": "script's"}, headers=headers).status_code == 201
    refused = signed_in.post("/api/v1/tokens", json={"name": "x"}, headers={"X-Form-Token": "x"})
    assert refused.json()["code"] == "form_from_elsewhere"


def test_a_cookie_that_this_server_has_not_signed_is_nobody_s(
    browser: httpx.Client, person: Callable[..., Person]
) -> None:
    browser.cookies["proctor_session"] = person().token
    assert browser.get("/api/v1/me").status_code == 401
    browser.cookies["proctor_session"] = f"{person().token}.{'A' * 43}"
    assert browser.get("/api/v1/me").status_code == 401


def test_a_script_is_answered_in_json_and_told_what_was_wrong(signed_in: httpx.Client) -> None:
    token = form_token(signed_in.get("/"))
    fields = {"_csrf": token, "_then": "/account", "name": ""}
    headers = {"Accept": "application/json"}
    answer = signed_in.post("/api/v1/tokens", data=fields, headers=headers)
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["problems"][0]["field"] == "name"


def test_a_refusal_is_a_page_that_says_why(signed_in: httpx.Client) -> None:
    token = form_token(signed_in.get("/"))
    answer = signed_in.post("/api/v1/challenges/nobody/teams", data={"_csrf": token, "name": "Team"})
    assert answer.status_code == 404
    assert "There is no challenge" in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_a_page_for_people_sends_others_to_sign_in_and_back(browser: httpx.Client) -> None:
    answer = browser.get("/account?tab=tokens")
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/sign-in?then=%2Faccount%3Ftab%3Dtokens"


@pytest.mark.parametrize(
    "then", ["//elsewhere.example", "https://elsewhere.example", "/\\elsewhere", "/a\nb"]
)
def test_nobody_is_led_elsewhere(then: str) -> None:
    assert not is_local(then)
    assert (
        Form.parse(b"_then=" + httpx.QueryParams({"t": then}).__str__()[2:].encode()).next_page({}, "/")
        == "/"
    )


def test_what_is_shown_once_has_its_link_on_this_server_alone() -> None:
    link = httpx.QueryParams({"_link": "/invitations/{code}"})
    assert Form.parse(str(link).encode()).shown_link({"code": "a/b"}) == "/invitations/a%2Fb"
    assert Form.parse(b"_link=//elsewhere.example").shown_link({"code": "a"}) is None
    assert Form.parse(b"name=x").shown_link({"code": "a"}) is None
    assert Form.parse(b"_key=one").key == "one"


def test_fields_become_values_by_their_names() -> None:
    sent = httpx.QueryParams(
        [
            ("scope.tasks[]", "task1"),
            ("scope.tasks[]", "task2"),
            ("repetitions:int", "3"),
            ("yes:bool", "true"),
            ("share:float", "0.5"),
            ("closes:utc", "2026-12-01T12:00"),
            ("empty", ""),
            ("why:text", ""),
            ("names:lines", "a\r\n b \n"),
            ("_then", "/x/{id}"),
        ]
    )
    form = Form.parse(str(sent).encode())
    assert form.body == {
        "scope": {"tasks": ["task1", "task2"]},
        "repetitions": 3,
        "yes": True,
        "share": 0.5,
        "closes": "2026-12-01T12:00:00Z",
        "why": "",
        "names": ["a", "b"],
    }
    assert form.next_page({"id": "a/b"}, "/") == "/x/a%2Fb"


@pytest.mark.parametrize(
    "content", [b"\xff", b"a", b"a:int=x", b"a.b=1&a=2&a.c=3", b"a.b.c.d.e.f=1", b"<b>=1", b"a:odd=1"]
)
def test_what_is_no_form_is_refused_in_words(content: bytes) -> None:
    with pytest.raises(BadRequest):
        Form.parse(content)


def test_tokens_of_forms_differ_each_time_and_hold_for_theirs_alone() -> None:
    keys = Keys("a secret of thirty-two letters or more")
    one, other = keys.form_token("session"), keys.form_token("session")
    assert one != other
    assert keys.is_form_token("session", one)
    assert keys.is_form_token("session", other)
    assert not keys.is_form_token("another", one)
    assert not keys.is_form_token("session", one[:-2])
    assert keys.genuine("said", keys.signed("said", "a.b")) == "a.b"
    assert keys.genuine("session", keys.signed("said", "a.b")) is None


def test_over_https_cookies_are_taken_from_this_host_alone() -> None:
    keys = Keys("a secret of thirty-two letters or more")
    response = Response()
    Browser(keys, secure=True).sign_in(response, token="prs_1", lasts=timedelta(hours=1), device=None)
    set_ = response.headers["set-cookie"]
    assert set_.startswith("__Host-proctor_session=prs_1.")
    assert "Secure" in set_
    value = set_.partition("=")[2].partition(";")[0]
    for name, token in (("__Host-proctor_session", "prs_1"), ("proctor_session", None)):
        scope = {"type": "http", "headers": [(b"cookie", f"a=b; {name}={value}".encode())]}
        assert Browser.of(scope, keys, secure=True).token == token


def test_an_answer_without_the_field_that_leads_on_leads_nowhere_else() -> None:
    assert Form({}, then="/{id}/elsewhere.example").next_page({}, "/here") == "/here"


def test_files_of_pages_are_kept_for_good_under_the_address_of_their_content(browser: httpx.Client) -> None:
    found = re.search(r'href="(/assets/[0-9a-f]{12}/proctor\.css)"', browser.get("/").text)
    assert found is not None
    answer = browser.get(found[1])
    assert answer.headers["Content-Type"] == "text/css; charset=utf-8"
    assert "immutable" in answer.headers["Cache-Control"]
    assert browser.get("/assets/000000000000/proctor.css").headers["Cache-Control"] == "public, max-age=60"
    assert browser.get("/assets/000000000000/../pages.py").status_code == 404
    assert browser.get("/assets/000000000000/pictures.css").text == STYLES
