"""The text that explains every file of a bundle."""

from jinja2 import Environment, PackageLoader, StrictUndefined

from evaluator.bundle._manifest import Bundle
from evaluator.bundle._parquet import TABLES

_TEMPLATES = Environment(  # noqa: S701 - it makes no HTML
    loader=PackageLoader("evaluator.bundle"),
    undefined=StrictUndefined,
    trim_blocks=True,
    keep_trailing_newline=True,
)


def readme(bundle: Bundle, absent: str | None) -> str:
    """The text of README.md; absent: why parts of the bundle could not be made."""
    parquet = all((bundle.folder / name).is_file() for name in TABLES)
    return _TEMPLATES.get_template("README.md").render(of=bundle.manifest, absent=absent, parquet=parquet)
