"""The export as text files."""

from __future__ import annotations

from datetime import timedelta
from unittest import TestCase

from tests.support import NOW
from youlab.conversations import Conversation, Message
from youlab.export import as_markdown
from youlab.export.records import Session


def session(title: str, *messages: Message, number: int = 7, minutes: int | None = None) -> Session:
    ended_at = None if minutes is None else NOW + timedelta(minutes=minutes)
    return Session(Conversation(number, title, NOW, ended_at), messages)


class MarkdownTest(TestCase):
    def test_a_name_tells_the_day_and_the_title(self) -> None:
        self.assertTrue(as_markdown.name(session("Why the sky is blue")).startswith("2025-03-14-why-the-sky-is-blue"))

    def test_no_title_leads_out_of_the_folder_or_makes_an_empty_name(self) -> None:
        for title in ("../../etc/passwd", "C:\\windows", "a/b", "???", "", "x" * 300):
            with self.subTest(title):
                self.assertRegex(as_markdown.name(session(title)), r"^2025-03-14-[\w-]{1,70}\.md$")

    def test_a_session_reads_from_its_title_to_its_last_message(self) -> None:
        question, answer = Message("user", "What is a half?", NOW), Message("tutor", "Cut an apple.", NOW)
        expected = """\
# Fractions

14 March 2025, 12:00 to 12:20 (UTC)

**You**, 12:00

> What is a half?

**Tutor**, 12:00

> Cut an apple.
"""
        self.assertEqual(as_markdown.text(session("Fractions", question, answer, minutes=20)), expected)

    def test_a_session_that_goes_on_names_its_beginning_only(self) -> None:
        self.assertIn("14 March 2025, 12:00 (UTC)", as_markdown.text(session("Fractions")))

    def test_no_message_or_title_passes_for_a_heading(self) -> None:
        text = as_markdown.text(session("A\n# B", Message("user", "# C\n\n## D", NOW)))
        self.assertEqual([line for line in text.splitlines() if line.startswith("#")], ["# A # B"])
