"""Taking one's data away, as a user does it."""

from __future__ import annotations

import io
import zipfile

from tests.support import AppTest
from youlab import auth, conversations


class ExportPageTest(AppTest):
    def test_the_menu_leads_to_a_button(self) -> None:
        self.log_in()
        self.assertIn('<a href="/export">Your data</a>', self.browser.get("/dashboard").text)
        self.assertIn("<button>Download my data</button>", self.browser.get("/export").text)

    def test_the_button_downloads_the_archive(self) -> None:
        conversations.start(self.connection, self.user.id, "Fractions", self.now)
        self.log_in()
        answer = self.browser.post("/export")
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, "application/zip"))
        self.assertEqual(answer.headers["Content-Disposition"], 'attachment; filename="youlab-2025-03-14.zip"')
        with zipfile.ZipFile(io.BytesIO(answer.body)) as found:
            self.assertIn("fractions", " ".join(found.namelist()))

    def test_nobody_gets_the_data_of_another(self) -> None:
        other = auth.create_user(self.connection, "bob", "builder")
        conversations.start(self.connection, other.id, "Secrets", self.now)
        self.log_in()
        with zipfile.ZipFile(io.BytesIO(self.browser.post("/export").body)) as found:
            self.assertNotIn("secrets", " ".join(found.namelist()))

    def test_who_is_not_logged_in_or_comes_from_another_site_gets_nothing(self) -> None:
        self.assertEqual(self.browser.post("/export").location, "/login")
        self.log_in()
        self.assertEqual(self.browser.post("/export", token="forged").status, 403)
