"""The theme on every page."""

from __future__ import annotations

from tests.support import AppTest
from youlab import settings
from youlab.theme import THEME


class ThemeTest(AppTest):
    def test_before_the_login_it_is_light(self) -> None:
        self.assertIn('data-theme="light"', self.browser.get("/login").text)

    def test_every_page_has_the_theme_of_the_user(self) -> None:
        settings.write(self.connection, self.user.id, [(THEME, "dark")])
        self.log_in()
        for path in ("/dashboard", "/settings", "/nowhere"):
            self.assertIn('data-theme="dark"', self.browser.get(path).text)

    def test_each_theme_but_the_default_has_its_colours(self) -> None:
        sheet = self.browser.get("/static/theme.css").text
        for name in set(THEME.choices) - {THEME.default}:
            self.assertIn(f':root[data-theme="{name}"]', sheet)
