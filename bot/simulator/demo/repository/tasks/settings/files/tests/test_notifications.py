"""What a user wants to be told about."""

from __future__ import annotations

from tests.support import AppTest
from youlab import notifications


class NotificationsTest(AppTest):
    def test_answers_are_wanted_until_somebody_says_otherwise(self) -> None:
        self.assertEqual(notifications.wanted(self.connection, self.user.id), {"notify_reply"})

    def test_exactly_the_named_ones_are_wanted(self) -> None:
        notifications.choose(self.connection, self.user.id, {"notify_weekly", "form_token"})
        self.assertEqual(notifications.wanted(self.connection, self.user.id), {"notify_weekly"})
