"""What a user has chosen."""

from __future__ import annotations

from tests.support import AppTest
from youlab import auth, settings
from youlab.settings import NotAChoice, Setting

COLOUR = Setting("colour", ("red", "blue"), "blue")
SIZE = Setting("size", ("small", "large"), "small")


class SettingsTest(AppTest):
    def test_what_was_never_chosen_is_the_default(self) -> None:
        self.assertEqual(settings.read(self.connection, self.user.id, COLOUR), "blue")

    def test_the_last_choice_holds(self) -> None:
        for colour in ("red", "blue", "red"):
            settings.write(self.connection, self.user.id, [(COLOUR, colour)])
        self.assertEqual(settings.read(self.connection, self.user.id, COLOUR), "red")

    def test_a_value_that_is_not_offered_stores_nothing_at_all(self) -> None:
        with self.assertRaises(NotAChoice):
            settings.write(self.connection, self.user.id, [(SIZE, "large"), (COLOUR, "green")])
        self.assertEqual(settings.read(self.connection, self.user.id, SIZE), "small")

    def test_a_choice_that_is_gone_falls_back_to_the_default(self) -> None:
        settings.write(self.connection, self.user.id, [(COLOUR, "red")])
        fewer = Setting("colour", ("blue", "green"), "green")
        self.assertEqual(settings.read(self.connection, self.user.id, fewer), "green")

    def test_each_user_chooses_alone(self) -> None:
        other = auth.create_user(self.connection, "bob", "builder")
        settings.write(self.connection, other.id, [(COLOUR, "red")])
        self.assertEqual(settings.read(self.connection, self.user.id, COLOUR), "blue")
