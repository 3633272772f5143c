"""Windows of a browser that are watched, and what is asked of a page in one: axe-core, its width, a picture."""

import os
import tomllib
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    FloatRect,
    Page,
    Request,
    Response,
    WebError,
)

Scheme = Literal["light", "dark"]

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "docs" / "images"
WIDTHS = (360, 768, 1440)
SCHEMES: tuple[Scheme, Scheme] = ("light", "dark")
PATIENCE = 60_000
"""Milliseconds that a condition may take to come true: a machine that does much else is slow, and not wrong."""

_HEIGHT = 900
_TALLEST = 1600
_NO_ANSWER = "Failed to load resource"
# What a script was refused and has caught stands in no console.
_TELL_OF_POLICY = """
    document.addEventListener("securitypolicyviolation", ({ effectiveDirective, blockedURI }) =>
        console.error(`the policy refused ${blockedURI} by ${effectiveDirective}`));
"""


class PageFault(AssertionError):
    """What a page did that no page of ours does."""


@dataclass
class Watch:
    """Windows of one test, and what went wrong in them.

    A request to anywhere but the window's own server is a fault, and so is whatever the console calls an error (what
    the content security policy forbids among it) and an exception that nobody caught. That the page itself was
    answered with an error is none: a test says which status it expects. `allow` takes what else a test expects.
    """

    folder: Path
    faults: list[str] = field(default_factory=list)
    _allowed: list[str] = field(default_factory=list)
    _opened: set[str] = field(default_factory=set)
    _contexts: list[BrowserContext] = field(default_factory=list)

    def allow(self, *parts: str) -> None:
        """Faults with one of these parts in them are expected, such as the address that refuses what a test sends."""
        self._allowed += parts

    def window(
        self, browser: Browser, site: str, *, width: int = 1440, scheme: Scheme = "light", **options: Any
    ) -> Page:
        """A new window in a context of its own, which knows nobody; its paths are those of `site`."""
        context = browser.new_context(
            base_url=site,
            viewport={"width": width, "height": _HEIGHT},
            color_scheme=scheme,
            locale="en-GB",
            timezone_id="Europe/Zurich",
            reduced_motion="reduce",
            **options,
        )
        context.set_default_timeout(PATIENCE)
        context.add_init_script(_TELL_OF_POLICY)
        self._contexts.append(context)
        self._listen(context, site)
        return context.new_page()

    def _listen(self, context: BrowserContext, site: str) -> None:
        own = urlsplit(site).netloc

        def requested(request: Request) -> None:
            if (
                request.url.startswith(("http:", "https:", "ws:", "wss:"))
                and urlsplit(request.url).netloc != own
            ):
                self.faults.append(f"asked another server: {request.method} {request.url}")

        def answered(response: Response) -> None:
            if response.request.is_navigation_request():
                self._opened.add(response.url)

        def said(message: ConsoleMessage) -> None:
            if message.type == "error":
                address = str(message.location.get("url", ""))
                self.faults.append(f"console: {message.text} ({address})")

        def raised(error: WebError) -> None:
            self.faults.append(f"exception: {error.error}")

        context.on("request", requested)
        context.on("response", answered)
        context.on("console", said)
        context.on("weberror", raised)

    def found(self) -> list[str]:
        """The faults until now."""
        for page in self._pages():
            _let_tell(page)
        return [fault for fault in self.faults if not self._is_expected(fault)]

    def _is_expected(self, fault: str) -> bool:
        page_itself = _NO_ANSWER in fault and any(fault.endswith(f"({url})") for url in self._opened)
        return page_itself or any(part in fault for part in self._allowed)

    def require(self) -> None:
        """Raises `PageFault` if anything went wrong."""
        if found := self.found():
            raise PageFault("\n".join(found))

    def pictures(self) -> list[Path]:
        """What each window shows now, in files; one that shows nothing any more has none."""
        paths = []
        for number, page in enumerate(self._pages()):
            path = self.folder / f"window-{number}.png"
            with suppress(Error):
                page.screenshot(path=path)
                paths.append(path)
        return paths

    def _pages(self) -> list[Page]:
        return [page for context in self._contexts for page in context.pages if not page.is_closed()]

    def close(self) -> None:
        """Closes every window."""
        for context in self._contexts:
            context.close()
        self._contexts.clear()


def _let_tell(page: Page) -> None:
    """Until the page has told of what happened in it before."""
    turn = "() => new Promise((done) => setTimeout(done))"
    try:
        page.evaluate(turn)
    except Error:  # it was on its way to another page
        page.wait_for_load_state()
        page.evaluate(turn)


@cache
def _axe() -> str:
    lock = tomllib.loads((ROOT / "server" / "web" / "third_party.toml").read_text(encoding="utf-8"))
    served = next(row["served"] for row in lock["script"] if row["name"] == "axe-core")
    path = ROOT / ".cache" / "third_party" / served
    assert path.is_file(), "`make third-party ARGS=--tests` fetches axe-core"
    return path.read_text(encoding="utf-8")


def axe(page: Page, *, without: tuple[str, ...] = ()) -> list[str]:
    """What axe-core finds serious or critical on the page as it is now, with where.

    `without`: selectors of parts that others have made. The script goes in through the browser's debugger, which the
    page's policy does not bind; the page itself stays as strict as it is.
    """
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(_axe())
    found: list[str] = page.evaluate(
        """async (without) => {
            const context = without.length ? { include: [["html"]], exclude: without.map((one) => [one]) } : document;
            const options = { resultTypes: ["violations"], preload: false };
            const { violations } = await axe.run(context, options);
            return violations
                .filter(({ impact }) => impact === "serious" || impact === "critical")
                .flatMap(({ id, help, nodes }) => nodes.map(({ target, failureSummary }) =>
                    `${id}: ${help}: ${target.join(" ")}: ${failureSummary.replaceAll("\\n", " ")}`));
        }""",
        list(without),
    )
    return found


def sideways(page: Page) -> int:
    """By how many pixels the page itself can be scrolled sideways; parts of it may have boxes that can."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def examined(page: Page, name: str, *, without: tuple[str, ...] = ()) -> list[str]:
    """What is wrong with the page as it is now at any width, light or dark; `name` is for its pictures."""
    found = []
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": _HEIGHT})
            screenshot(page, name)
            wrong = axe(page, without=without)
            if (pixels := sideways(page)) > 0:
                wrong.append(f"the page is {pixels} pixels too wide")
            found += [f"{width} px, {scheme}: {one}" for one in wrong]
    return found


def screenshot(page: Page, name: str) -> None:
    """The page to a height as docs/images/NAME-WIDTH[-dark].png, where `PROCTOR_WRITE_IMAGES` is 1; else nothing."""
    if os.environ.get("PROCTOR_WRITE_IMAGES") != "1":
        return
    assert page.viewport_size is not None
    dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    width = page.viewport_size["width"]
    path = IMAGES / f"{name}-{width}{'-dark' if dark else ''}.png"
    height = min(_TALLEST, int(page.evaluate("document.documentElement.scrollHeight")))
    clip: FloatRect = {"x": 0, "y": 0, "width": width, "height": height}
    page.screenshot(path=path, full_page=True, clip=clip, animations="disabled")
