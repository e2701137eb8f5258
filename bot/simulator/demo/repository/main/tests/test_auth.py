"""Users, logins and forms."""

from __future__ import annotations

from datetime import timedelta

from tests.support import PASSWORD, AppTest, Browser
from youlab import auth


class PasswordTest(AppTest):
    def test_the_right_password_logs_in(self) -> None:
        token = auth.log_in(self.connection, "ada", PASSWORD, self.now)
        self.assertIsNotNone(token)
        login = auth.find_login(self.connection, token or "", self.now)
        self.assertEqual(login and login.user, self.user)

    def test_a_wrong_password_and_a_wrong_name_do_not(self) -> None:
        self.assertIsNone(auth.log_in(self.connection, "ada", "guess", self.now))
        self.assertIsNone(auth.log_in(self.connection, "eve", PASSWORD, self.now))
        self.assertIsNone(auth.log_in(self.connection, "eve", "", self.now))

    def test_a_name_can_be_taken_once(self) -> None:
        with self.assertRaises(auth.NameTaken):
            auth.create_user(self.connection, "ada", "another")

    def test_neither_password_nor_token_is_in_the_database(self) -> None:
        token = auth.log_in(self.connection, "ada", PASSWORD, self.now) or ""
        dump = "\n".join(self.connection.iterdump())
        self.assertNotIn(PASSWORD, dump)
        self.assertNotIn(token, dump)

    def test_a_login_ends_after_two_weeks(self) -> None:
        token = auth.log_in(self.connection, "ada", PASSWORD, self.now) or ""
        later = self.now + auth.LOGIN_LASTS
        self.assertIsNotNone(auth.find_login(self.connection, token, later - timedelta(seconds=1)))
        self.assertIsNone(auth.find_login(self.connection, token, later))


class LoginPageTest(AppTest):
    def test_pages_ask_for_a_login_first(self) -> None:
        self.assertEqual(self.browser.get("/dashboard").location, "/login")

    def test_a_wrong_password_shows_the_form_again(self) -> None:
        answer = self.browser.post("/login", name="ada", password="guess")
        self.assertEqual(answer.status, 401)
        self.assertIn("Name or password is wrong.", answer.text)

    def test_logging_out_ends_the_login(self) -> None:
        self.log_in()
        cookies = dict(self.browser.cookies)
        self.assertEqual(self.browser.post("/logout").location, "/login")
        thief = Browser(self.app)
        thief.cookies = cookies
        self.assertEqual(thief.get("/dashboard").status, 303)

    def test_a_form_without_the_token_is_refused(self) -> None:
        self.log_in()
        self.assertEqual(self.browser.post("/logout", token="forged").status, 403)
        self.assertEqual(self.browser.get("/dashboard").status, 200)

    def test_the_cookie_is_out_of_reach_of_scripts(self) -> None:
        answer = self.browser.post("/login", name="ada", password=PASSWORD)
        self.assertIn("HttpOnly; SameSite=Lax", answer.headers["Set-Cookie"])
