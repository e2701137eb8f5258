"""Managing keys on the settings page."""

from __future__ import annotations

import re

from tests.support import AppTest
from youlab import api_keys


class ApiKeysPageTest(AppTest):
    def setUp(self) -> None:
        super().setUp()
        self.log_in()

    def make(self, label: str = "notebook") -> str:
        """Make a key with the form and return it."""
        answer = self.browser.post("/settings/api-keys", label=label)
        self.assertEqual(answer.headers["Cache-Control"], "no-store")
        found = re.search(r'class="new-key">([^<]+)<', answer.text)
        assert found is not None
        return found[1]

    def test_a_new_key_is_shown_once(self) -> None:
        key = self.make("<notebook>")
        self.assertEqual(api_keys.owner(self.connection, key), self.user.id)
        text = self.browser.get("/settings").text
        self.assertNotIn(key, text)
        self.assertIn(f"<td>&lt;notebook&gt;</td><td><code>…{key[-4:]}</code></td><td>2025-03-14</td>", text)

    def test_a_key_can_be_revoked(self) -> None:
        key = self.make()
        number = api_keys.listed(self.connection, self.user.id)[0].id
        self.assertEqual(self.browser.post("/settings/api-keys/revoke", id=str(number)).status, 303)
        self.assertIsNone(api_keys.owner(self.connection, key))
        self.assertIn("You have no keys.", self.browser.get("/settings").text)

    def test_what_can_not_be_done_is_said(self) -> None:
        self.assertIn("A label has", self.browser.post("/settings/api-keys", label=" ").text)
        for number in ("7", "x", ""):
            self.assertEqual(self.browser.post("/settings/api-keys/revoke", id=number).status, 404)
