"""What conversations add up to."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from tests.support import AppTest
from youlab import auth, conversations, metrics


class MetricsTest(AppTest):
    def study(self, begin: datetime, minutes: int | None = None, user_id: int | None = None) -> None:
        """Add a conversation; without ``minutes`` it goes on."""
        number = conversations.start(self.connection, user_id or self.user.id, "Fractions", begin)
        if minutes is not None:
            conversations.finish(self.connection, number, begin + timedelta(minutes=minutes))

    def test_nothing_adds_up_to_nothing(self) -> None:
        self.assertEqual(metrics.totals(self.connection, self.user.id), metrics.Totals(0, None))

    def test_the_average_leaves_out_sessions_that_go_on(self) -> None:
        self.study(self.now, minutes=10)
        self.study(self.now, minutes=25)
        self.study(self.now)
        expected = metrics.Totals(3, timedelta(minutes=17, seconds=30))
        self.assertEqual(metrics.totals(self.connection, self.user.id), expected)

    def test_sessions_of_others_do_not_count(self) -> None:
        self.study(self.now, minutes=5, user_id=auth.create_user(self.connection, "bob", "builder").id)
        self.assertEqual(metrics.totals(self.connection, self.user.id).sessions, 0)
        self.assertEqual(metrics.sessions_since(self.connection, self.user.id, datetime.min), 0)

    def test_sessions_since_a_moment_include_that_moment(self) -> None:
        self.study(self.now)
        self.study(self.now - timedelta(seconds=1))
        self.assertEqual(metrics.sessions_since(self.connection, self.user.id, self.now), 1)

    def test_days_are_counted_with_the_empty_ones(self) -> None:
        for begin in ("2025-03-12T00:00:00", "2025-03-12T23:59:59", "2025-03-14T08:00:00", "2025-03-11T23:59:59"):
            self.study(datetime.fromisoformat(begin))
        counted = metrics.sessions_per_day(self.connection, self.user.id, date(2025, 3, 14), days=3)
        self.assertEqual([count.day.day for count in counted], [12, 13, 14])
        self.assertEqual([count.sessions for count in counted], [2, 0, 1])

    def test_a_length_is_said_in_words(self) -> None:
        said = {45: "45 s", 60: "1 min", 749: "12 min", 3599: "1 h 00 min", 3900: "1 h 05 min"}
        for seconds, words in said.items():
            self.assertEqual(metrics.length_in_words(timedelta(seconds=seconds)), words)
