"""The registry as its own protocol shows it: manifests and blobs by digest, compared with it before they are used."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from uuid import UUID

import httpx

from server.registry.signing import OURS, Grant, sign
from server.settings import RegistrySettings, Settings

MOST_MANIFEST = 4 * 2**20
_PAGE = 100
_MOST_PAGES = 1000
_CATALOG = Grant("registry", "catalog", ("*",))
_SLOWEST = 256 * 2**10  # bytes a second, over all of a blob
_PATIENCE = httpx.Timeout(30.0, connect=5.0)
_ACCEPTED = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
)


class RegistryAway(Exception):
    """The registry does not answer, or stopped in the middle: it is asked again later."""


class RegistryLies(Exception):
    """The registry gives something else than it was asked for: asking again is no use."""


class WrongSize(Exception):
    """The registry gives the blob whose digest was asked for, and its manifest gives it another size."""


class Remote:
    """The registry at `settings.registry_inside`, or where people push, asked as the platform itself.

    Nothing follows a redirect: the registry has to give its bytes itself. A blob has `grace` seconds and those that
    it takes at 256 KiB/s.
    """

    def __init__(
        self, settings: Settings, *, timeout: httpx.Timeout = _PATIENCE, grace: float = 60.0
    ) -> None:
        self._settings, self._grace = settings, grace
        base = settings.registry_inside or settings.registry_url or ""
        self._http = httpx.Client(base_url=base, timeout=timeout, follow_redirects=False, trust_env=False)

    def __enter__(self) -> "Remote":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def manifest(self, repository: str, digest: str) -> bytes:
        """The manifest with this digest.

        Raises:
            RegistryAway, RegistryLies: it is not to be had, or is another.
        """
        parts: list[bytes] = []
        headers = {"Accept": ", ".join(_ACCEPTED)}
        with self._asked("GET", f"/v2/{repository}/manifests/{digest}", repository, headers) as answer:
            self._copy(answer, parts.append, digest, most=MOST_MANIFEST, size=None)
        return b"".join(parts)

    def blob(self, repository: str, digest: str, size: int, write: Callable[[bytes], object]) -> None:
        """Writes the blob's bytes as they come; only when this returns are they known to be right.

        No more than `size` are written, but all are looked at, up to the most that an image may have: the digest tells
        whether the registry is wrong or the manifest.

        Raises:
            RegistryAway, RegistryLies: they end early, or are others.
            WrongSize: they are right, but for their number.
        """
        headers = {"Accept-Encoding": "identity"}
        with self._asked("GET", f"/v2/{repository}/blobs/{digest}", repository, headers) as answer:
            self._copy(answer, write, digest, most=max(size, self._settings.upload_limit), size=size)

    def delete(self, repository: str, digest: str) -> bool:
        """Takes a manifest out of the registry; False where the registry does not let us."""
        grant = Grant("repository", repository, ("pull", "push", "delete", "*"))
        path = f"/v2/{repository}/manifests/{digest}"
        try:
            return self._http.delete(path, headers=self._bearer(grant)).status_code in (202, 404)
        except httpx.HTTPError:
            return False

    def tagged(self, *, most: int) -> Iterator[tuple[str, str, str]]:
        """Every repository's tags, each with the digest of its manifest, or none where that is gone.

        Of each team `most` repositories and tags together are looked at, so that no team's are in the way of the
        next one's.

        Raises:
            RegistryAway: it does not answer.
        """
        team, left, last = "", most, ""
        for _ in range(_MOST_PAGES):
            page, more = self._page("/v2/_catalog", "repositories", _CATALOG, last)
            for last in page:
                if last.partition("/")[0] != team:
                    team, left = last.partition("/")[0], most
                left -= 1
                for told in islice(self._tags_of(last), left):
                    left -= 1
                    yield told
                if left <= 0:
                    last = f"{team}0"  # comes right behind all TEAM/…, for '0' follows '/'
                    more = True
                    break
            if not more or not page:
                return

    def _tags_of(self, repository: str) -> Iterator[tuple[str, str, str]]:
        grant, last, more = Grant("repository", repository, ("pull",)), "", True
        while more:
            page, more = self._page(f"/v2/{repository}/tags/list", "tags", grant, last)
            for tag in page:
                path, headers = f"/v2/{repository}/manifests/{tag}", {"Accept": ", ".join(_ACCEPTED)}
                with self._said():
                    answer = self._http.head(path, headers=headers | self._bearer(grant))
                yield repository, tag, answer.headers.get("Docker-Content-Digest", "")
            more = more and bool(page) and page[-1] != last
            last = page[-1] if page else ""

    def _page(self, path: str, key: str, grant: Grant, last: str) -> tuple[list[str], bool]:
        """The names that follow `last`, a hundred at most, and whether more follow."""
        with self._said():
            answer = self._http.get(path, params={"n": _PAGE, "last": last}, headers=self._bearer(grant))
        if answer.status_code == httpx.codes.NOT_FOUND:
            return [], False
        if answer.status_code != httpx.codes.OK:
            raise RegistryAway(f"it answers {answer.status_code} to {path}")
        try:
            found = [name for name in json.loads(answer.content)[key] or () if isinstance(name, str)]
        except (ValueError, KeyError, TypeError):
            raise RegistryAway(f"it answers no list to {path}") from None
        return found, "Link" in answer.headers

    @contextmanager
    def _asked(
        self, method: str, path: str, repository: str, headers: dict[str, str]
    ) -> Iterator[httpx.Response]:
        told = headers | self._bearer(Grant("repository", repository, ("pull",)))
        with self._said(), self._http.stream(method, path, headers=told) as answer:
            if answer.is_redirect:
                raise RegistryLies("it sends us to another address, which we do not follow")
            if answer.status_code == httpx.codes.NOT_FOUND:
                raise RegistryLies("it no longer has a part of what was pushed")
            if answer.status_code != httpx.codes.OK:
                raise RegistryAway(f"it answers {answer.status_code}")
            yield answer

    def _copy(
        self,
        answer: httpx.Response,
        write: Callable[[bytes], object],
        digest: str,
        *,
        most: int,
        size: int | None,
    ) -> None:
        found, count, began = hashlib.sha256(), 0, time.monotonic()
        awaited = most if size is None else size
        # As they come: a larger piece would be waited for, however long it takes.
        for chunk in answer.iter_raw():
            count += len(chunk)
            if count > most:
                raise self._too_many(digest, size, most)
            if time.monotonic() - began > self._grace + max(awaited, count) / _SLOWEST:
                raise RegistryAway("it is too slow")
            found.update(chunk)
            if count <= awaited:
                write(chunk)
        if f"sha256:{found.hexdigest()}" == digest:
            if size not in (None, count):
                raise WrongSize(f"{digest} has {size:,} bytes, and it has {count:,}")
            return
        if count < (size or 0) and "Content-Length" not in answer.headers:
            raise RegistryAway("it stopped in the middle of a layer")
        raise RegistryLies(f"what it gives as {digest} has another digest")

    def _too_many(self, digest: str, size: int | None, most: int) -> Exception:
        if size is None:
            return RegistryLies(f"{digest} has more than {most:,} bytes")
        return WrongSize(f"{digest} has {size:,} bytes, and it has more than {most:,}")

    @contextmanager
    def _said(self) -> Iterator[None]:
        try:
            yield
        except httpx.HTTPError as error:
            raise RegistryAway(f"it does not answer ({type(error).__name__})") from None

    def _bearer(self, grant: Grant) -> dict[str, str]:
        return {"Authorization": f"Bearer {sign(self._settings, OURS, [grant])}"}


def lets_delete(settings: RegistrySettings) -> bool:
    """Whether a registry that takes our tokens lets manifests be deleted; it is asked for one that is nowhere."""
    repository = f"{UUID(int=0)}/none"
    token = sign(settings, OURS, [Grant("repository", repository, ("pull", "push", "delete", "*"))])
    base = settings.registry_inside or settings.registry_url or ""
    try:
        answer = httpx.delete(
            f"{base.rstrip('/')}/v2/{repository}/manifests/sha256:{'0' * 64}",
            headers={"Authorization": f"Bearer {token}"},
            timeout=_PATIENCE,
            trust_env=False,
        )
    except httpx.HTTPError:
        return True  # whether it answers at all is another question
    return answer.status_code != httpx.codes.METHOD_NOT_ALLOWED
