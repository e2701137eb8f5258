"""Keys for programs."""

from __future__ import annotations

from tests.support import AppTest
from youlab import api_keys, auth


class ApiKeysTest(AppTest):
    def make(self, label: str = "notebook") -> str:
        """Make a key of ``ada``."""
        return api_keys.create(self.connection, self.user.id, label, self.now)

    def test_a_key_leads_to_its_owner(self) -> None:
        self.assertEqual(api_keys.owner(self.connection, self.make()), self.user.id)

    def test_an_unknown_key_leads_nowhere(self) -> None:
        self.assertIsNone(api_keys.owner(self.connection, "youlab_guess"))

    def test_only_the_ending_can_be_read_back(self) -> None:
        key = self.make()
        self.assertEqual([one.ending for one in api_keys.listed(self.connection, self.user.id)], [key[-4:]])
        self.assertNotIn(key, "\n".join(self.connection.iterdump()))

    def test_a_revoked_key_is_dead(self) -> None:
        key = self.make()
        number = api_keys.listed(self.connection, self.user.id)[0].id
        self.assertTrue(api_keys.revoke(self.connection, self.user.id, number))
        self.assertIsNone(api_keys.owner(self.connection, key))
        self.assertFalse(api_keys.revoke(self.connection, self.user.id, number))

    def test_nobody_revokes_the_key_of_another(self) -> None:
        key = self.make()
        number = api_keys.listed(self.connection, self.user.id)[0].id
        other = auth.create_user(self.connection, "bob", "builder")
        self.assertFalse(api_keys.revoke(self.connection, other.id, number))
        self.assertEqual(api_keys.owner(self.connection, key), self.user.id)

    def test_a_label_is_needed_and_has_an_end(self) -> None:
        for label in ("", "   ", "x" * (api_keys.LONGEST_LABEL + 1)):
            with self.assertRaises(api_keys.Refused):
                self.make(label)

    def test_keys_are_limited(self) -> None:
        for _ in range(api_keys.MOST_KEYS):
            self.make()
        with self.assertRaisesRegex(api_keys.Refused, "Revoke one first"):
            self.make()
