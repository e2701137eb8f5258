"""Ten years of study go through the export, and nothing is lost on the way.

They take a while, so this stands apart from the tests that run all the time: ``python3 -m unittest tests.check_export``.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections import Counter
from unittest import mock

from tests.support import AppTest
from youlab import sample
from youlab.export import as_markdown, records


class TenYearsTest(AppTest):
    def setUp(self) -> None:
        super().setUp()
        self.connection.execute("DELETE FROM users")
        with mock.patch.object(sample, "DAYS", 3650):
            sample.fill_if_empty(self.connection, self.now)
        self.owner = self.connection.execute("SELECT id FROM users").fetchone()["id"]

    def test_every_session_has_a_file_of_its_own(self) -> None:
        names = Counter(as_markdown.name(session) for session in records.sessions(self.connection, self.owner))
        self.assertGreater(names.total(), 4000)
        shared = {name: count for name, count in names.items() if count > 1}
        some = dict(list(shared.items())[:3])
        self.assertEqual(some, {}, f"{len(shared)} files would hold several sessions, of which the last one stays")

    def test_the_download_holds_every_session_and_message_in_every_form(self) -> None:
        self.log_in()
        with zipfile.ZipFile(io.BytesIO(self.browser.post("/export").body)) as found:
            documents = [found.read(name).decode() for name in found.namelist() if name.startswith("sessions/")]
            everything = json.loads(found.read("data.json"))["sessions"]
            table = list(csv.DictReader(found.read("sessions.csv").decode().splitlines(keepends=True)))
        sessions, messages = (self.count(name) for name in ("conversations", "messages"))
        self.assertEqual((len(documents), len(everything), len(table)), (sessions, sessions, sessions))
        self.assertEqual(sum(text.count("\n> ") for text in documents), messages)
        self.assertEqual(sum(len(one["messages"]) for one in everything), messages)
        self.assertEqual(sum(int(row["messages"]) for row in table), messages)

    def count(self, table: str) -> int:
        """How many rows there are."""
        return int(self.connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
