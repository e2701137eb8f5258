"""Answers that are files."""

from __future__ import annotations

from unittest import mock

from tests.support import AppTest
from youlab import pages, web
from youlab.pages import Page
from youlab.web import Request, Response


class DownloadsTest(AppTest):
    def ask(self, response: Response) -> tuple[bytes, dict[str, str]]:
        """What a browser gets when a page answers with this."""

        def show(_request: Request) -> Response:
            return response

        with mock.patch.object(self.app, "_pages", {**pages.discover(), ("GET", "/file"): Page("GET", "/file", show)}):
            self.log_in()
            answer = self.browser.get("/file")
        return answer.body, answer.headers

    def test_bytes_arrive_as_they_are(self) -> None:
        everything = bytes(range(256))
        body, headers = self.ask(web.download(everything, "all.bin", "application/octet-stream"))
        self.assertEqual(body, everything)
        self.assertEqual((headers["Content-Length"], headers["Content-Type"]), ("256", "application/octet-stream"))

    def test_a_download_is_saved_and_never_cached(self) -> None:
        _, headers = self.ask(web.download(b"", "youlab-ada.zip", "application/zip"))
        self.assertEqual(headers["Content-Disposition"], 'attachment; filename="youlab-ada.zip"')
        self.assertEqual(headers["Cache-Control"], "no-store")

    def test_text_still_arrives_as_utf_8(self) -> None:
        body, headers = self.ask(Response("Größe"))
        self.assertEqual(body, "Größe".encode())
        self.assertEqual(headers["Content-Length"], "7")

    def test_a_name_can_not_add_a_header_or_lead_elsewhere(self) -> None:
        for name in ("", ".zip", "a/b", 'a"b', "a\r\nSet-Cookie: b", "ä", "a" * 200):
            with self.subTest(name), self.assertRaises(ValueError):
                web.download(b"", name, "application/zip")
