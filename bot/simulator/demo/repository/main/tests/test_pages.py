"""Pages, panels and the frame around them."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

from tests.support import AppTest
from youlab import conversations, pages, panels, static
from youlab.markup import fill
from youlab.panels import Panel


class PagesTest(AppTest):
    def test_every_module_of_the_package_is_found(self) -> None:
        folder = Path(pages.__file__).parent
        expected = {file.stem for file in folder.glob("*.py")} - {"__init__"}
        found = {page.render.__module__.rpartition(".")[2] for page in pages.discover().values()}
        self.assertEqual(found, expected)

    def test_an_unknown_page_is_not_found(self) -> None:
        self.assertEqual(self.browser.get("/nowhere").status, 404)

    def test_every_page_of_the_menu_answers(self) -> None:
        self.log_in()
        for page in pages.menu():
            with self.subTest(page.path):
                answer = self.browser.get(page.path)
                self.assertEqual(answer.status, 200)
                self.assertIn(f'<a href="{page.path}" aria-current="page">{page.navigation}</a>', answer.text)

    def test_a_page_links_every_style_sheet(self) -> None:
        text = self.browser.get("/login").text
        self.assertTrue(text.startswith('<!doctype html>\n<html lang="en"'))
        for name in static.names():
            self.assertIn(f'href="/static/{name}"', text)
            self.assertEqual(self.browser.get(f"/static/{name}").headers["Content-Type"], "text/css; charset=utf-8")

    def test_only_style_sheets_are_served(self) -> None:
        for name in ("__init__.py", "../app.py", "none.css"):
            self.assertEqual(self.browser.get(f"/static/{name}").status, 404)

    def test_a_form_of_impossible_length_is_refused(self) -> None:
        self.assertEqual(self.browser.post("/login", name="a" * 70_000).status, 400)


class PanelsTest(AppTest):
    def test_a_place_shows_its_panels_in_order(self) -> None:
        some = {
            "later": Panel("dashboard", "Later", lambda _: fill("<p>two</p>"), order=20),
            "first_one": Panel("dashboard", "First", lambda _: fill("<p>one</p>"), order=10),
            "other": Panel("elsewhere", "Other", lambda _: fill("<p>three</p>")),
        }
        self.log_in()
        with mock.patch.object(panels, "discover", return_value=some):
            text = self.browser.get("/dashboard").text
        self.assertLess(text.index('id="first-one"'), text.index('id="later"'))
        self.assertNotIn("three", text)

    def test_a_place_without_panels_says_so(self) -> None:
        self.log_in()
        with mock.patch.object(panels, "discover", return_value={}):
            self.assertIn("There is nothing here yet.", self.browser.get("/dashboard").text)


class ConversationPageTest(AppTest):
    def test_it_shows_the_messages_and_escapes_them(self) -> None:
        number = conversations.start(self.connection, self.user.id, "Tags", self.now)
        conversations.say(self.connection, number, "user", "What does <b> do?", self.now)
        self.log_in()
        self.assertIn("What does &lt;b&gt; do?", self.browser.get(f"/conversation?id={number}").text)

    def test_it_hides_what_is_not_there(self) -> None:
        self.log_in()
        for number in ("7", "", "x", "9" * 40):
            self.assertEqual(self.browser.get(f"/conversation?id={number}").status, 404)
