"""How to push, as a page says it: whole names, however narrow, and a log-in that is copied by itself."""

import pytest

from server.app import create_app
from server.settings import Settings
from tests.browser.conftest import OpenWindow
from tests.browser.season import sign_in
from tests.browser.windows import axe, sideways
from tests.server.conftest import Person, serving

HOST = "registry.challenge.example"


@pytest.mark.parametrize("width", [360, 1280])
def test_names_to_push_to_are_read_whole_and_the_password_is_asked_for_before_the_rest_is_pasted(
    width: int, window: OpenWindow, settings: Settings, captain: Person, team_id: str, slug: str
) -> None:
    with serving(create_app(settings.model_copy(update={"registry_url": f"https://{HOST}"}))) as url:
        page = window(width=width, at=url)
        sign_in(page.context, url, settings, captain)
        for path, last in (("take-part", f"proctor submit {HOST}/{team_id}"), ("submit", "docker push")):
            page.goto(f"/challenges/{slug}/{path}")
            if path == "submit":
                page.locator("#push summary").click()
            assert (axe(page), sideways(page)) == ([], 0)
            blocks = page.locator("#push pre")
            log_in, rest = blocks.all_inner_texts()
            assert log_in == f"docker login {HOST} -u me"
            assert rest.startswith(f"docker tag my-image {HOST}/{team_id}/my-image:v1\n")
            assert last in rest
            for block in blocks.all():
                assert block.evaluate("(one) => one.scrollWidth <= one.clientWidth"), "nothing is cut off"
