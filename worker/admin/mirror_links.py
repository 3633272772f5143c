"""What a mirror takes along, what its files are called, and how one page's links become those of files.

An address is a path with its query, as `MirroredSite.address` writes it: one way for each page, whatever a link
looks like.
"""

import hashlib
import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from html import escape, unescape
from html.parser import HTMLParser
from urllib.parse import parse_qsl, quote, unquote, urlencode, urljoin, urlsplit

_SAFE = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
_LINKS = frozenset({"href", "src", "srcset", "poster", "xlink:href", "data"})
_TAG = re.compile(r"<([a-zA-Z][\w:-]*)[^<>]*>")
_ATTRIBUTE = re.compile(r"""(\s+)([a-zA-Z][\w:.-]*)(\s*=\s*)("[^"]*"|'[^']*'|[^\s"'>]+)""")
_URL = re.compile(r"""url\(\s*(["']?)([^"')]+)\1\s*\)""")
_IMPORT = re.compile(r"""((?:\bfrom|\bimport|@import)\s*\(?\s*)(["'])((?:\.{0,2}/)[^"'\n]*)\2""")
_EXTENSIONS = {
    "application/json": ".json",
    "text/csv": ".csv",
    "text/css": ".css",
    "text/javascript": ".js",
    "application/javascript": ".js",
    "text/plain": ".txt",
    "image/svg+xml": ".svg",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
    "font/woff2": ".woff2",
}
HTML, SVG, CSS = "text/html", "image/svg+xml", "text/css"
_OF_PAGES = ("/assets/", "/static/")
"""Where what all pages load stands: style sheets, scripts and icons."""
SCRIPTS = ("text/javascript", "application/javascript")
API = "/api/v1"


class Use(Enum):
    """What a link is for: somebody follows it, a browser loads it with the page, or a script may read it."""

    FOLLOWED = 1
    LOADED = 2
    READ = 3


Rewritten = Callable[[str, Use], str | None]
"""From a link as it stands to the one of the mirror; None where it leads nowhere there."""


@dataclass(frozen=True)
class MirroredSite:
    """The pages of one challenge. origins: how the installation calls itself, as scheme and host."""

    slug: str
    origins: frozenset[str]

    @property
    def first(self) -> str:
        """The address of the challenge's own page."""
        return f"/challenges/{quote(self.slug)}"

    def address(self, link: str, at: str) -> str | None:
        """The address that a link on the page `at` leads to; None where it leaves the installation, or stays put."""
        if not link or link.startswith("#"):
            return None
        try:
            there = urlsplit(urljoin(f"http://here.invalid{at}", link.strip()))
        except ValueError:
            return None
        if there.scheme not in ("http", "https"):
            return None
        origin = f"{there.scheme}://{there.netloc}"
        if there.netloc != "here.invalid" and origin not in self.origins:
            return None
        query = urlencode(sorted(parse_qsl(there.query, keep_blank_values=True)))
        path = quote(unquote(there.path or "/"), safe="/")
        return f"{path}?{query}" if query else path

    def holds(self, address: str) -> bool:
        """Whether a mirror takes along what stands there."""
        path = address.partition("?")[0]
        own = (self.first, f"{API}{self.first}")
        return path in own or path.startswith((*_OF_PAGES, *(f"{beginning}/" for beginning in own)))

    def file(self, address: str, kind: str) -> str:
        """The name of the file for what stands at `address` and is of the media type `kind`.

        Every name is one that any file system and any address can have; a query becomes part of it.
        """
        path, _, query = address.partition("?")
        if path.startswith(f"{API}{self.first}"):
            rest = ["api", *(path.removeprefix(f"{API}{self.first}").strip("/") or "challenge").split("/")]
        elif path.startswith(_OF_PAGES):
            rest = path.strip("/").split("/")
        else:
            rest = [part for part in path.removeprefix(self.first).split("/") if part]
        parts = [_part(unquote(part)) for part in rest]
        asked = f"q-{_slug(unquote(query))}-{_short(query)}" if query else ""
        if kind == HTML:
            return "/".join([*parts, *([asked] if asked else []), "index.html"])
        extension = _EXTENSIONS.get(kind, ".bin")
        name = parts[-1].removesuffix(extension)
        return "/".join([*parts[:-1], f"{name}.{asked}{extension}" if asked else f"{name}{extension}"])


def _part(text: str) -> str:
    return text if _SAFE.fullmatch(text) else f"{_slug(text)}-{_short(text)}"


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60] or "x"


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def relative(file: str, at: str) -> str:
    """The link to one file of a mirror from another, which works from any folder and without a server."""
    return quote(posixpath.relpath(file, posixpath.dirname(at) or "."))


_CONTROLS = frozenset({"button", "select", "textarea", "label", "datalist"})
_SHOWN = frozenset({"table", "svg", "figure"})


class _Page(HTMLParser):
    """Goes through a page, hands every link to `link`, and writes all else as it stood.

    What a form asks takes a server, so forms are left out; of one around a table or a picture only what is filled in
    is. So is what would fetch a page anew by itself.
    """

    def __init__(self, link: Rewritten) -> None:
        super().__init__(convert_charrefs=False)
        self._link = link
        self._form: list[str] | None = None
        self._shows = False
        self._control: list[str] = []
        self.out: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag that opens something, or one like <br>."""
        if tag == "form":
            self._form, self._shows = [], False
        elif self._is_filled_in(tag, attrs):
            self._control += [tag] if tag in _CONTROLS else []
        elif not (tag == "meta" and ("http-equiv", "refresh") in attrs):
            self._shows = self._shows or tag in _SHOWN
            self._put(_tag(self.get_starttag_text() or "", tag, self._link))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag that is closed at once."""
        if not self._is_filled_in(tag, attrs):
            self._put(_tag(self.get_starttag_text() or "", tag, self._link))

    def handle_endtag(self, tag: str) -> None:
        """The end of what a tag opened."""
        if tag == "form" and self._form is not None:
            kept, self._form, self._control = self._form if self._shows else [], None, []
            self.out += kept
        elif self._control:
            if tag in self._control:
                del self._control[self._control.index(tag) :]
        else:
            self._put(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        """Text as it stands."""
        self._put(data)

    def handle_entityref(self, name: str) -> None:
        """A character by its name."""
        self._put(f"&{name};")

    def handle_charref(self, name: str) -> None:
        """A character by its number."""
        self._put(f"&#{name};")

    def handle_comment(self, data: str) -> None:
        """A comment."""
        self._put(f"<!--{data}-->")

    def unknown_decl(self, data: str) -> None:
        """A section that is taken as it is."""
        self._put(f"<![{data}]>")

    def handle_decl(self, decl: str) -> None:
        """The kind of document."""
        self._put(f"<!{decl}>")

    def _is_filled_in(self, tag: str, attrs: list[tuple[str, str | None]]) -> bool:
        """Whether a tag is of something that a form sends, in the form or for it."""
        if self._control:
            return True
        of_form = self._form is not None or any(name == "form" for name, _ in attrs)
        return of_form and (tag in _CONTROLS or tag == "input")

    def _put(self, text: str) -> None:
        if not self._control:
            (self.out if self._form is None else self._form).append(text)


def _tag(text: str, name: str, link: Rewritten) -> str:
    """A tag called `name` with its links rewritten."""

    def attribute(found: re.Match[str]) -> str:
        space, key, equals, quoted = found.groups()
        value, key_ = unescape(quoted.strip("\"'")), key.lower()
        if key_ == "srcset":
            there = _srcset(value, link)
        elif key_ in _LINKS:
            there = link(value, Use.FOLLOWED if name in ("a", "area") else Use.LOADED)
        elif key_.startswith("data-") and value.startswith("/"):
            there = link(value, Use.READ)
        else:
            return found[0]
        return "" if there is None else f'{space}{key}{equals}"{escape(there)}"'

    return _ATTRIBUTE.sub(attribute, text)


def _srcset(value: str, link: Rewritten) -> str | None:
    parts = [part.split() for part in value.split(",") if part.strip()]
    found = [(link(part[0], Use.LOADED), part[1:]) for part in parts]
    return ", ".join(" ".join([one, *rest]) for one, rest in found if one is not None) or None


def rewritten(text: str, kind: str, link: Rewritten) -> str:
    """A page, picture, style sheet or script with its links as `link` gives them; of another `kind` as it stands."""
    if kind == HTML:
        page = _Page(link)
        page.feed(text)
        page.close()
        return "".join(page.out)
    if kind == SVG:
        return _TAG.sub(lambda found: _tag(found[0], found[1].lower(), link), text)
    if kind == CSS:
        text = _URL.sub(lambda found: f'url("{link(found[2], Use.LOADED) or found[2]}")', text)
    if kind in (CSS, *SCRIPTS):
        text = _IMPORT.sub(lambda found: f"{found[1]}{found[2]}{_module(found[3], link)}{found[2]}", text)
    return text


def _module(name: str, link: Rewritten) -> str:
    """A module's or a style sheet's name; a browser takes one without a dot in front for no path."""
    there = link(name, Use.LOADED) or name
    return there if there.startswith((".", "/", "http")) else f"./{there}"


def links_of(text: str, kind: str) -> list[tuple[str, Use]]:
    """The links of a page, picture, style sheet or script, and what each is for."""
    found: list[tuple[str, Use]] = []

    def note(link: str, use: Use) -> str:
        found.append((link, use))
        return link

    rewritten(text, kind, note)
    return found


def leading(address: str, use: Use, files: Mapping[str, str], *, at: str, base: str | None) -> str | None:
    """Where a link to `address` leads from the file `at`: to a file, else nowhere, but for what is followed.

    base: the installation's public address, to which the latter leads; None where it has none.
    """
    if (file := files.get(address)) is not None:
        return relative(file, at)
    return f"{base}{address}" if base is not None and use is Use.FOLLOWED else None
