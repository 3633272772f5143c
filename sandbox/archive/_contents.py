"""What an archive holds that holds no image: a root file system, a folder, another archive."""

from sandbox.archive._errors import SAVE_AGAIN, ArchiveCode, ArchiveInvalid, shown

_ROOT = frozenset(
    {"bin", "dev", "etc", "home", "lib", "opt", "proc", "root", "run", "sbin", "sys", "tmp", "usr", "var"}
)
_LISTS = ("manifest.json", "index.json")
_UPLOADS = (".tar", ".tar.gz", ".tgz", ".sif")
_SOME = 3  # of them, which no other folder has by chance
_MOST_TOPS = 10_000


class Contents:
    """The names of an archive's members, as far as they tell what the archive is."""

    def __init__(self) -> None:
        self._tops: set[str] = set()
        self._list = False
        self._below: str | None = None
        self._recipe: str | None = None
        self._upload: str | None = None

    def add(self, name: str) -> None:
        """Takes a member's name."""
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if not parts:
            return
        if len(self._tops) < _MOST_TOPS:
            self._tops.add(parts[0])
        self._list = self._list or (len(parts) == 1 and parts[0] in _LISTS)
        if len(parts) == 2 and parts[1] in _LISTS:
            self._below = self._below or parts[0]
        if len(parts) <= 2 and parts[-1] in ("Dockerfile", "Containerfile"):
            self._recipe = self._recipe or name
        if len(parts) <= 2 and parts[-1].endswith(_UPLOADS):
            self._upload = self._upload or name

    @property
    def no_image(self) -> ArchiveInvalid | None:
        """The error of an archive without a list of images; None where there is one."""
        return None if self._list or not self._tops else no_image(self._is())

    @property
    def is_root(self) -> bool:
        """Whether this is a root file system."""
        return len(self._tops & _ROOT) >= _SOME and bool({"etc", "usr", "bin"} & self._tops)

    def _is(self) -> str:
        if self.is_root:
            return "it is a root file system, as `docker export` writes it; "
        if self._recipe:
            return f"it is a folder with {shown(self._recipe)}: build that with `docker build --tag IMAGE …`, then "
        if self._below:
            return (
                f"the image lies below {shown(self._below)}: pack what is in that folder, not the folder, or "
            )
        if self._upload:
            return f"it holds the file {shown(self._upload)}: upload that alone, or "
        return "it is another tar, perhaps of a folder; "


def no_image(why: str = "") -> ArchiveInvalid:
    """The error of an archive in which nothing is an image."""
    return ArchiveInvalid(
        ArchiveCode.NO_IMAGE,
        f"the archive holds no image: neither manifest.json nor an OCI index names one; {why}{SAVE_AGAIN}.",
    )
