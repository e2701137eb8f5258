"""The archive."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from unittest import mock

from tests.support import AppTest
from youlab import auth, conversations, database
from youlab.export import archive, as_json


class ArchiveTest(AppTest):
    def setUp(self) -> None:
        super().setUp()
        self.number = conversations.start(self.connection, self.user.id, "Größen", self.now)
        conversations.say(self.connection, self.number, "user", "Wie groß?", self.now)

    def made(self) -> bytes:
        """The user's archive."""
        target = io.BytesIO()
        archive.write(target, self.connection, self.user, self.now)
        return target.getvalue()

    def opened(self) -> zipfile.ZipFile:
        """The archive as another program opens it."""
        return self.enterContext(zipfile.ZipFile(io.BytesIO(self.made())))

    def test_it_holds_every_form_of_the_export(self) -> None:
        found = self.opened()
        self.assertIsNone(found.testzip())
        session = f"sessions/2025-03-14-größen-{self.number}.md"
        self.assertEqual(found.namelist(), ["README.txt", "data.json", "sessions.csv", session])
        self.assertIn("# Größen", found.read(session).decode())
        self.assertEqual(json.loads(found.read("data.json"))["sessions"][0]["title"], "Größen")
        self.assertIn("Größen", found.read("sessions.csv").decode())

    def test_it_says_whose_it_is(self) -> None:
        self.assertIn("the sessions of ada, as of 14 March 2025", self.opened().read("README.txt").decode())

    def test_the_same_moment_makes_the_same_bytes(self) -> None:
        self.assertEqual(self.made(), self.made())

    def test_no_hash_and_no_token_is_in_it(self) -> None:
        self.log_in()
        found = self.opened()
        everything = b"".join(found.read(name) for name in found.namelist()).decode()
        rows = self.connection.execute(
            "SELECT password_hash, token_digest, form_token FROM users JOIN logins ON logins.user_id = users.id"
        )
        for secret in rows.fetchone():
            self.assertNotIn(secret, everything)

    def test_what_is_written_meanwhile_is_in_none_of_its_files(self) -> None:
        lines = as_json.lines

        def slowly(*arguments: object) -> Iterator[str]:
            yield from lines(*arguments)  # type: ignore[arg-type]
            with database.opened(self.path) as other:
                conversations.start(other, self.user.id, "Meanwhile", self.now)

        with mock.patch.object(as_json, "lines", slowly):
            found = self.opened()
        self.assertNotIn("meanwhile", " ".join(found.namelist()))
        self.assertIn("meanwhile", " ".join(self.opened().namelist()))

    def test_a_user_who_never_studied_gets_one_too(self) -> None:
        self.user = auth.create_user(self.connection, "bob", "builder")
        self.assertNotIn("sessions/", " ".join(self.opened().namelist()))
