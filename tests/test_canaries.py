"""What watches over the secrets of all tests finds them (tests/canaries.py)."""

import base64
import logging
import secrets
import subprocess

import pytest

from tests.canaries import BYTES, LONG, MARK, holds_one, written

pytestmark = pytest.mark.proves("S-51")


def test_every_secret_that_is_drawn_bears_the_mark_and_no_two_are_the_same():
    drawn = [secrets.token_hex(BYTES) for _ in range(50)] + [secrets.token_urlsafe(LONG) for _ in range(50)]
    assert all(one.startswith(MARK) for one in drawn)
    assert len(set(drawn)) == 100
    assert len(drawn[0]) == 2 * BYTES
    assert not secrets.token_hex(BYTES - 1).startswith(MARK)


@pytest.mark.parametrize("before", range(3))
def test_a_secret_is_found_as_it_is_reversed_and_as_base64_wherever_it_begins(before):
    secret = secrets.token_hex(BYTES)
    for form in (secret, secret[::-1], base64.b64encode(b"x" * before + secret.encode()).decode()):
        assert holds_one(f"\0some {form} text".encode())
    assert not holds_one(b"nothing " * 100)


def test_files_and_objects_of_git_are_searched_and_what_is_for_secrets_is_not(tmp_path_factory):
    folder = tmp_path_factory.mktemp("searched") / "place"
    repository = folder / "repository"
    subprocess.run(["git", "init", "-q", "--bare", str(repository)], check=True)
    assert written(folder) == []
    text = f"key = {secrets.token_hex(32)}"
    add = ["git", "--git-dir", str(repository), "hash-object", "-w", "--stdin"]
    subprocess.run(add, input=text, text=True, check=True, capture_output=True)
    assert written(folder) == [f"git {repository}"]
    (folder / "notes").write_text(text)
    (folder / "environment").write_text(text)
    assert sorted(written(folder)) == [str(folder / "notes"), f"git {repository}"]
    subprocess.run(["rm", "-r", str(folder)], check=True)


def test_what_a_library_says_is_heard_unless_the_logs_would_cut_it_out(request):
    watched = next(one for one in request.config.pluginmanager.get_plugins() if hasattr(one, "listener"))
    logging.getLogger("github.Requester").debug("token ghs_1_%s", secrets.token_urlsafe(LONG))
    assert watched.listener.heard == []
    logging.getLogger("github.Requester").debug("key %s", secrets.token_hex(BYTES))
    assert len(watched.listener.heard) == 1
    watched.listener.heard.clear()
