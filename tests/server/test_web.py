"""Pages for people: the API's documentation as a browser shows it."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from swagger_ui_bundle import swagger_ui_path

from server.database import SessionFactory
from server.openapi import as_3_0

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


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
    schema = httpx.get(f"{site}/api/v1/openapi.json").json()
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


@pytest.mark.skipif(CHROMIUM is None, reason="there is no browser on this machine")
def test_a_browser_shows_every_endpoint(site: str, tmp_path: Path) -> None:
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=8000", "--dump-dom"]
    command = [str(CHROMIUM), *options, f"--user-data-dir={tmp_path}", f"{site}/docs"]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    assert "Unable to render" not in shown
    schema = httpx.get(f"{site}/api/v1/openapi.json").json()
    assert shown.count('class="opblock opblock-') >= sum(map(len, schema["paths"].values()))
