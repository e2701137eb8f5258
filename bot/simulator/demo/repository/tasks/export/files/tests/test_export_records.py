"""What an export reads."""

from __future__ import annotations

from datetime import timedelta

from tests.support import AppTest
from youlab import auth, conversations
from youlab.export import records


class RecordsTest(AppTest):
    def study(self, title: str, days_ago: int, user_id: int | None = None) -> int:
        """Add a conversation of two messages that was not finished."""
        begin = self.now - timedelta(days=days_ago)
        number = conversations.start(self.connection, user_id or self.user.id, title, begin)
        conversations.say(self.connection, number, "user", f"What about {title}?", begin)
        conversations.say(self.connection, number, "tutor", "Think of an apple.", begin)
        return number

    def test_a_user_who_never_studied_has_no_sessions(self) -> None:
        self.assertEqual(list(records.sessions(self.connection, self.user.id)), [])

    def test_sessions_come_oldest_first_with_their_messages_in_order(self) -> None:
        for title, days_ago in (("Recursion", 1), ("Fractions", 9)):
            self.study(title, days_ago)
        found = list(records.sessions(self.connection, self.user.id))
        self.assertEqual([session.conversation.title for session in found], ["Fractions", "Recursion"])
        texts = [message.text for message in found[0].messages]
        self.assertEqual(texts, ["What about Fractions?", "Think of an apple."])

    def test_a_session_that_goes_on_has_no_end_and_a_finished_one_has(self) -> None:
        number = self.study("Fractions", 2)
        self.study("Recursion", 1)
        conversations.finish(self.connection, number, self.now)
        ends = [session.conversation.ended_at for session in records.sessions(self.connection, self.user.id)]
        self.assertEqual(ends, [self.now, None])

    def test_sessions_of_others_stay_with_them(self) -> None:
        other = auth.create_user(self.connection, "bob", "builder")
        self.study("Secrets", 1, other.id)
        self.assertEqual(list(records.sessions(self.connection, self.user.id)), [])
        self.assertEqual(len(list(records.sessions(self.connection, other.id))), 1)
