"""Conversations and sample data."""

from __future__ import annotations

from datetime import timedelta

from tests.support import AppTest
from youlab import auth, conversations, sample


class ConversationsTest(AppTest):
    def test_a_conversation_is_kept_with_its_messages(self) -> None:
        number = conversations.start(self.connection, self.user.id, "Fractions", self.now)
        conversations.say(self.connection, number, "user", "What is a half?", self.now)
        conversations.say(self.connection, number, "tutor", "Cut an apple.", self.now)
        conversations.finish(self.connection, number, self.now + timedelta(minutes=5))
        found = conversations.find(self.connection, self.user.id, number)
        assert found is not None
        self.assertEqual((found.title, found.ended_at), ("Fractions", self.now + timedelta(minutes=5)))
        senders = [message.sender for message in conversations.messages(self.connection, number)]
        self.assertEqual(senders, ["user", "tutor"])

    def test_it_ends_once(self) -> None:
        number = conversations.start(self.connection, self.user.id, "Fractions", self.now)
        for minutes in (5, 90):
            conversations.finish(self.connection, number, self.now + timedelta(minutes=minutes))
        found = conversations.find(self.connection, self.user.id, number)
        self.assertEqual(found and found.ended_at, self.now + timedelta(minutes=5))

    def test_nobody_finds_the_conversation_of_another(self) -> None:
        number = conversations.start(self.connection, self.user.id, "Fractions", self.now)
        other = auth.create_user(self.connection, "bob", "builder")
        self.assertIsNone(conversations.find(self.connection, other.id, number))

    def test_sample_data_goes_into_an_empty_database_only(self) -> None:
        sample.fill_if_empty(self.connection, self.now)
        self.assertEqual(self.connection.execute("SELECT count(*) FROM conversations").fetchone()[0], 0)
        self.connection.execute("DELETE FROM users")
        sample.fill_if_empty(self.connection, self.now)
        self.assertGreater(self.connection.execute("SELECT count(*) FROM conversations").fetchone()[0], 30)
