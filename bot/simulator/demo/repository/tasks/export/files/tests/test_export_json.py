"""The export as JSON."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from unittest import TestCase

from tests.support import NOW
from youlab.conversations import Conversation, Message
from youlab.export import as_json
from youlab.export.records import Session


def session(number: int, text: str = "Why?", ended_at: datetime | None = None) -> Session:
    return Session(Conversation(number, f"Title {number}", NOW, ended_at), (Message("user", text, NOW),))


class JsonTest(TestCase):
    def read(self, *sessions: Session) -> Any:
        """The document as another program reads it."""
        return json.loads("".join(as_json.lines("ada", sessions, NOW)))

    def test_it_says_whose_it_is_when_it_was_made_and_how_to_read_it(self) -> None:
        expected = {"format": 1, "user": "ada", "exported_at": "2025-03-14T12:00:00Z", "sessions": []}
        self.assertEqual(self.read(), expected)

    def test_every_session_is_in_it_with_its_messages(self) -> None:
        found = self.read(session(1), session(2, ended_at=NOW))["sessions"]
        self.assertEqual([one["title"] for one in found], ["Title 1", "Title 2"])
        self.assertEqual([one["ended_at"] for one in found], [None, "2025-03-14T12:00:00Z"])
        said = [{"sender": "user", "sent_at": "2025-03-14T12:00:00Z", "text": "Why?"}]
        self.assertEqual(found[0]["messages"], said)

    def test_texts_come_back_sign_for_sign(self) -> None:
        for text in ('"quoted"', "two\nlines", "ünïcödé 🌍", "\\", "\u2028"):
            with self.subTest(text):
                self.assertEqual(self.read(session(1, text))["sessions"][0]["messages"][0]["text"], text)

    def test_each_session_is_a_line_of_its_own(self) -> None:
        text = "".join(as_json.lines("ada", [session(1, "two\nlines"), session(2)], NOW))
        self.assertEqual(len(text.splitlines()), 4)
