"""The files of a mirror: made of what was found, written whole or not at all, and compared with what is there now."""

import hashlib
import json
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from worker.admin.mirror_crawl import Fetched, NoMirror, PublicPages
from worker.admin.mirror_links import CSS, HTML, SCRIPTS, SVG, MirroredSite, Use, leading, rewritten

FORMAT = "proctor-mirror-1"
INDEX, SUMS = "mirror.json", "SHA256SUMS"
_NOTE = re.compile(r'<p class="note mirrored">.*?</p>\n?', re.DOTALL)

Files = dict[str, bytes]
"""By the name of the file."""


def files_of(found: PublicPages, site: MirroredSite, *, base: str | None, at: datetime) -> Files:
    """The files of a mirror, with an index of what each is and a list of checksums.

    base: the installation's public address; what takes a server leads there, and nowhere where it is None.

    Raises:
        NoMirror: two addresses would be one file.
    """
    names = {address: site.file(address, one.kind) for address, one in found.fetched.items()}
    twice = [name for name, count in Counter(names.values()).items() if count > 1]
    if twice:
        raise NoMirror(f"Several pages would be the file {min(twice)}.")
    where = names | {address: names[to] for address, to in found.same.items() if to in names}
    files = {
        names[address]: _content(one, site, address, where, base=base, at=at)
        for address, one in found.fetched.items()
    }
    index = {
        "format": FORMAT,
        "challenge": site.slug,
        "mirrored_at": at.astimezone(UTC).isoformat(timespec="seconds"),
        "base_url": base,
        "files": {names[address]: address for address in sorted(names, key=names.__getitem__)},
    }
    files[INDEX] = (json.dumps(index, indent=1) + "\n").encode()
    files[SUMS] = _sums(files)
    return files


def _sums(files: Mapping[str, bytes]) -> bytes:
    lines = (f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files) if name != SUMS)
    return "".join(lines).encode()


def _content(
    one: Fetched,
    site: MirroredSite,
    address: str,
    where: Mapping[str, str],
    *,
    base: str | None,
    at: datetime,
) -> bytes:
    if one.kind not in (HTML, SVG, CSS, *SCRIPTS):
        return one.body
    own = where[address]

    def link(there: str, use: Use) -> str | None:
        target = site.address(there, address)
        if target is None:
            return there
        fragment = there.partition("#")[2]
        found = leading(target, use, where, at=own, base=base)
        return f"{found}#{fragment}" if found and fragment else found

    text = rewritten(one.body.decode(), one.kind, link)
    return (_noted(text, site, base=base, at=at) if one.kind == HTML else text).encode()


def _noted(page: str, site: MirroredSite, *, base: str | None, at: datetime) -> str:
    """The page with a line that says since when it stands still."""
    moment = f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    live = f' from <a href="{escape(f"{base}{site.first}")}">{escape(base)}</a>' if base else ""
    note = f'<p class="note mirrored">Mirrored at {moment}{live}: a copy that does not change.</p>\n'
    place = max(page.rfind("</footer>"), 0) or page.rfind("</body>")
    return f"{page[:place]}{note}{page[place:]}" if place > 0 else page + note


def write(out: Path, files: Files, slug: str) -> None:
    """Puts a mirror at `out`, in the place of an earlier one of the same challenge; all of it or nothing.

    Raises:
        NoMirror: what stands at `out` is no mirror of that challenge.
        OSError: it cannot be written; `out` is as it was.
    """
    require_mirror(out, slug)
    out.parent.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    made, old = making / "new", making / "old"
    try:
        for name, content in files.items():
            path = made / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        if out.exists():
            out.rename(old)
        try:
            made.rename(out)
        except OSError:
            if old.exists():
                old.rename(out)
            raise
    finally:
        if out.exists() or not old.exists():  # what was there is never lost, whatever failed
            shutil.rmtree(making, ignore_errors=True)


def require_mirror(out: Path, slug: str) -> None:
    """Refuses a place that holds anything but a mirror of this challenge; an empty folder, or nothing, is fine.

    Raises:
        NoMirror: naming what is there.
    """
    if not out.exists() and not out.is_symlink():
        return
    if not out.is_dir():
        raise NoMirror(f"{out} is no folder; it stays as it is.")
    if any(out.iterdir()) and (index := index_of(out)).get("challenge") != slug:
        what = (
            f"is a mirror of {index['challenge']}" if "challenge" in index else "holds files and is no mirror"
        )
        raise NoMirror(f"{out} {what}; it stays as it is.")


def index_of(out: Path) -> dict[str, object]:
    """What a mirror says of itself; {} where there is none."""
    try:
        index = json.loads((out / INDEX).read_bytes())
    except (OSError, ValueError):
        return {}
    return index if isinstance(index, dict) and index.get("format") == FORMAT else {}


@dataclass(frozen=True)
class MirrorDifferences:
    """How a mirror differs from what would be made now.

    damaged: files that are not as the mirror's own list of checksums has them.
    """

    changed: list[str]
    new: list[str]
    gone: list[str]
    damaged: list[str]

    @property
    def any(self) -> bool:
        """Whether there is one."""
        return bool(self.changed or self.new or self.gone or self.damaged)


def compared(out: Path, files: Files) -> MirrorDifferences:
    """A mirror beside the files that would be made now; when each was made is no difference."""
    there = {
        str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()
    }
    lines = there.get(SUMS, b"").decode("utf-8", "replace").splitlines()
    listed = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    damaged = [
        name for name, digest in listed.items() if hashlib.sha256(there.get(name, b"")).hexdigest() != digest
    ]
    damaged += [name for name in there if name not in listed and name != SUMS]
    own = {name for name in there if name not in (INDEX, SUMS)}
    now = {name for name in files if name not in (INDEX, SUMS)}
    changed = [
        name for name in sorted(own & now) if _lasting(name, there[name]) != _lasting(name, files[name])
    ]
    return MirrorDifferences(changed, sorted(now - own), sorted(own - now), sorted(damaged))


def _lasting(name: str, content: bytes) -> object:
    """What of a file stays the same while nothing of the challenge changes."""
    if name.endswith(".html"):
        return _NOTE.sub("", content.decode("utf-8", "replace"))
    if name.endswith(".json"):
        try:
            answer = json.loads(content)
        except ValueError:
            return content
        return (
            {key: said for key, said in answer.items() if key != "at"} if isinstance(answer, dict) else answer
        )
    return content
