"""What a browser is shown of what became of its form: the next page, a refusal, a question, or a secret, once."""

import re
from http import HTTPStatus
from typing import Any
from urllib.parse import SplitResult, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from contract.problems import ErrorCode
from server.browser.cookies import Browser
from server.errors import Forbidden, Problem
from server.forms.asking import Answered
from server.forms.form import Form, is_local
from server.pages import page

OPENS = frozenset({"/api/v1/sessions", "/api/v1/sign-ins/accounts"})
"""What begins a session."""

_SECRETS = ("token", "code", "secret")
_CONFIRMS = {"/api/v1/admin/challenges": "confirmed:bool"}
"""The field that says yes to what has consequences, where it is not `yes`."""


def shown(request: Request, browser: Browser, form: Form, answered: Answered, site: str) -> Response:
    """What a browser is shown of the API's answer to a form."""
    content = answered.content
    if answered.status >= HTTPStatus.BAD_REQUEST:
        problem = content if isinstance(content, dict) else {}
        if problem.get("code") == ErrorCode.NEEDS_CONFIRMATION and not _wants_json(request):
            return _asks(request, form, problem)
        response = _refused(
            request,
            answered.status,
            str(problem.get("title", "Not done")),
            str(problem.get("detail", "The server gave no reason.")),
            problem=problem,
        )
        if (after := answered.headers.get("retry-after")) is not None:
            response.headers["Retry-After"] = after
        return response
    if isinstance(content, dict) and any(content.get(name) for name in _SECRETS) and not _wants_json(request):
        return page(
            request,
            "forms/once.html",
            shown=content,
            then=form.next_page(content, _back(request)),
            done=form.done,
            link=form.shown_link(content),
            site=site,
        )
    return onward(request, browser, form, content)


def refusal(request: Request, problem: Problem) -> Response:
    """What became of a form that asked the API nothing."""
    response = _refused(request, problem.status, problem.title, problem.detail)
    response.headers.update(problem.headers)
    return response


def onward(
    request: Request, browser: Browser, form: Form, content: object, *, otherwise: str | None = None
) -> Response:
    """On to the next page, which says what was done."""
    then = form.next_page(content, otherwise or _back(request))
    response: Response
    if _wants_json(request):
        response = JSONResponse({"then": then, "answer": content})
    else:
        response = RedirectResponse(then, status_code=HTTPStatus.SEE_OTHER)
    if form.done:
        browser.say(response, form.done)
    return response


def _refused(
    request: Request, status: int, title: str, detail: str, *, problem: dict[str, Any] | None = None
) -> Response:
    if _wants_json(request):
        content = problem or {"title": title, "detail": detail, "status": status}
        return JSONResponse(content, status_code=status, media_type="application/problem+json")
    if status == HTTPStatus.UNAUTHORIZED and not request.url.path.startswith(tuple(OPENS)):
        return RedirectResponse(
            f"/sign-in?{urlencode({'then': _back(request)})}", status_code=HTTPStatus.SEE_OTHER
        )
    problems = (problem or {}).get("problems", ())
    return page(
        request,
        "forms/refused.html",
        status=status,
        title=title,
        detail=detail,
        problems=problems if len(problems) > 1 else (),
        plan=(problem or {}).get("plan"),
        back=_back(request),
    )


def _asks(request: Request, form: Form, problem: dict[str, Any]) -> Response:
    """A page that says what would happen, and sends the same again with a yes."""
    yes = _CONFIRMS.get(request.url.path, "yes:bool")
    return page(
        request,
        "forms/confirm.html",
        status=HTTPStatus.CONFLICT,
        action=request.url.path + (f"?{request.url.query}" if request.url.query else ""),
        sent=[(name, value) for name, value in form.sent if name not in ("_csrf", yes)],
        yes=yes,
        problem=problem,
        back=_back(request),
    )


def _wants_json(request: Request) -> bool:
    return "application/json" in request.headers.get("accept", "")


def _back(request: Request) -> str:
    """The page that the form stands on."""
    parts = parts_of(request.headers.get("referer", ""))
    address = re.sub("^/{2,}", "/", parts.path) + (f"?{parts.query}" if parts.query else "")
    return address if is_local(address) else "/"


def parts_of(address: str) -> SplitResult:
    """An address as a browser sent it; of what is none, nothing."""
    try:
        return urlsplit(address)
    except ValueError:
        return urlsplit("")


def from_elsewhere() -> Forbidden:
    """The refusal of what no page of this server sent, as it was made for this browser."""
    return Forbidden(
        ErrorCode.FORM_FROM_ELSEWHERE,
        "This was not sent from a page of this server as it was made for this browser. Load the page again, and send "
        "it once more.",
    )
