"""Somebody who has no mouse: what they reach with Tab, and what they do there with Enter, Space and typing."""

from playwright.sync_api import Locator, Page, expect

_MOST_TABS = 400
_HERE = "(one) => one === document.activeElement"


class Keyboard:
    """A keyboard before a page. What cannot be reached with Tab fails, by name."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def reach(self, what: Locator) -> None:
        """Goes on with Tab until this has the focus."""
        expect(what).to_have_count(1)
        for _ in range(_MOST_TABS):
            if what.evaluate(_HERE):
                return
            self._page.keyboard.press("Tab")
        raise AssertionError(f"Tab does not lead to {what}")

    def press(self, what: Locator, key: str = "Enter") -> None:
        self.reach(what)
        self._page.keyboard.press(key)

    def button(self, name: str) -> None:
        self.press(self._page.get_by_role("button", name=name, exact=True))

    def link(self, name: str) -> None:
        self.press(self._page.get_by_role("link", name=name, exact=True))

    def unfold(self, summary: str) -> None:
        self.press(self._page.locator("summary", has_text=summary))

    def type(self, field: Locator, text: str) -> None:
        """Types into a field in place of what stands there."""
        self.reach(field)
        self._page.keyboard.press("ControlOrMeta+A")
        self._page.keyboard.type(text)

    def tick(self, box: Locator) -> None:
        self.press(box, "Space")
        expect(box).to_be_checked()

    def choose(self, field: Locator, text: str) -> None:
        """Chooses of a list by typing what stands there."""
        self.reach(field)
        self._page.keyboard.type(text)
        assert field.locator("option:checked").inner_text().startswith(text)
