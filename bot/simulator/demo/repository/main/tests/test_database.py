"""Tables and HTML: what the rest stands on."""

from __future__ import annotations

import sqlite3
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from youlab import database
from youlab.markup import Markup, fill, join


class MigrationTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def test_every_schema_file_is_applied_once(self) -> None:
        path = self.folder / "new.db"
        self.assertEqual(database.migrate(path), sorted(file.name for file in database.SCHEMA.glob("*.sql")))
        self.assertEqual(database.migrate(path), [])

    def test_a_file_that_fails_leaves_nothing_behind(self) -> None:
        (self.folder / "001.sql").write_text("CREATE TABLE good (id INTEGER); CREATE TABLE bad (")
        path = self.folder / "new.db"
        with mock.patch.object(database, "SCHEMA", self.folder), self.assertRaises(sqlite3.Error):
            database.migrate(path)
        with database.opened(path) as connection:
            names = [row["name"] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        self.assertEqual(names, ["schema_applied"])


class MarkupTest(unittest.TestCase):
    def test_values_are_escaped_and_markup_is_not(self) -> None:
        self.assertEqual(fill("<p>{a}{b}</p>", a="<&>", b=Markup("<br>")), "<p>&lt;&amp;&gt;<br></p>")
        self.assertEqual(join(["<", Markup("<hr>")], ", "), "&lt;, <hr>")
