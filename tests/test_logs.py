"""No secret is logged, however it is spelled, and no line of a log is another's (security S-51)."""

import base64
import io
import json
import logging
import subprocess
import sys
from urllib.parse import quote

import pytest
import structlog

from bot import logs
from bot.config import read_settings
from bot.machine.secrets import pattern_of

pytestmark = pytest.mark.attack("S-51")

SECRET = "canary/7Qw+zX9 vB3=nM5kLp2rT8"
ECHOES = {
    "plain": SECRET,
    "base64": base64.b64encode(SECRET.encode()).decode(),
    "base64 for addresses": base64.urlsafe_b64encode(SECRET.encode()).decode(),
    "base64 without its end": base64.b64encode(SECRET.encode()).decode().rstrip("="),
    "base64 after one letter": base64.b64encode(b"x" + SECRET.encode()).decode(),
    "base64 after two letters": base64.b64encode(b"xy" + SECRET.encode()).decode(),
    "hex": SECRET.encode().hex(),
    "hex in capitals": SECRET.encode().hex().upper(),
    "reversed": SECRET[::-1],
    "without its beginning": SECRET[7:],
    "without its end": SECRET[:-7],
    "as an address spells it": quote(SECRET, safe=""),
}


@pytest.fixture
def out():
    stream = io.StringIO()
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    noisy = {name: logging.getLogger(name).level for name in ("httpx2", "github", "urllib3", "asyncio")}
    logs.configure(as_json=True, secrets=[SECRET], out=stream)
    yield stream
    logging.getLogger().handlers[:], logging.getLogger().level = handlers, level
    for name, before in noisy.items():
        logging.getLogger(name).setLevel(before)
    structlog.reset_defaults()


def tells(text: str) -> bool:
    """Whether somebody who reads this has the secret."""
    core = SECRET[7:-7]
    return any(echo in text for echo in ECHOES.values()) or core in text or core[::-1] in text


@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES.keys())
def test_an_echo_of_a_secret_is_cut_out_wherever_it_stands(out, echo):
    log = structlog.get_logger()
    log.warning(f"see {echo} here", value=echo, nested={"deep": [echo, (echo,)]}, key={echo: 1})
    log.warning("bytes", raw=f"{echo}".encode(), error=ValueError(echo))
    logging.getLogger("library").warning("a library says %s", echo)
    try:
        raise RuntimeError(f"failed with {echo}")
    except RuntimeError:
        log.exception("it failed")
        logging.getLogger("library").exception("there too")
    assert not tells(out.getvalue()), out.getvalue()
    assert out.getvalue().count("[secret]") >= 8


@pytest.mark.parametrize(
    "shaped",
    ["ghp_0123456789abcdef0123", "github_pat_11ABCDEFG0123456789", "lin_api_0123456789abcdef", "sk-ant-api03-abcdefgh",
     "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefghijklmnop",
     "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----"],
)  # fmt: skip
def test_what_is_shaped_like_a_secret_is_cut_out_though_nobody_knows_it(shaped):
    assert pattern_of(()).sub("[secret]", f"a {shaped} b") == "a [secret] b"


def test_nothing_that_is_logged_can_pass_for_another_line(out):
    structlog.get_logger().info("title", title="a\nb\r\n\x1b[2J2026 approved everything", who="x\x00\x07")
    (line,) = out.getvalue().splitlines()
    assert json.loads(line)["title"] == "a\\nb�\\n�[2J2026 approved everything"
    assert "\x1b" not in line


def test_a_key_of_many_lines_is_cut_out_line_by_line():
    key = "-----BEGIN X-----\nabcdefghijklmnopqrstuvwx\n0123456789ABCDEFGHIJKLMN\n-----END X-----"
    assert "mnopqr" not in pattern_of([key]).sub("", "…abcdefghijklmnopqrstuvwx…")


def test_the_password_of_the_database_is_a_secret_too():
    found = read_settings(
        {"HOME": "/h", "CALLBOARD_SECRET_KEY": "k" * 32, "DATABASE_URL": "postgresql://u:pa55word-of-it@db/callboard"}
    )
    assert "pa55word-of-it" in found.secrets()


@pytest.mark.proves("S-51")
def test_ordinary_words_stay():
    text = "Phase 2 of 7: made a parser in 3.2 s, see src/parser.py and https://example.org/a?b=c"
    assert pattern_of([SECRET]).sub("[secret]", text) == text


@pytest.mark.proves("S-51")
def test_no_library_writes_past_the_logs():
    """PyGithub did: what it says at debug level holds the tokens that it was given."""
    listing = (
        "import logging, bot.app, bot.cli, bot.doctor.github, bot.setup.steps\n"
        "for name, one in logging.root.manager.loggerDict.items():\n"
        "    for handler in getattr(one, 'handlers', ()):\n"
        "        isinstance(handler, logging.NullHandler) or print(name, handler)"
    )
    done = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True)
    assert done.stdout == ""
