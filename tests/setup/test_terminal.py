"""Set-up in a terminal: asked step by step, or with nothing asked at all; twice is harmless; nothing is lost."""

import io
import stat

import pytest
from rich.console import Console

from bot.config import read_policy, read_settings
from bot.environment import environment, read_lines
from bot.machine.errors import UserError
from bot.setup import files, steps
from bot.setup.terminal import Ask, Terminal, Wanted
from bot.words import setup_text


def terminal(newcomer, answers=(), **wanted):
    """A terminal at which somebody gives these answers, in this order; to be asked more is a mistake."""
    given, out = iter(answers), io.StringIO()
    ask = Ask(text=lambda question: next(given), secret=lambda question: next(given))
    one = Terminal(newcomer.process, Wanted(**wanted), Console(file=out, width=200), ask)
    return one, given, out


def with_credentials(newcomer):
    app = newcomer.github.app("mine")
    newcomer.process |= {
        "LINEAR_CLIENT_ID": "callboard",
        "LINEAR_CLIENT_SECRET": "callboard-secret",
        "LINEAR_WEBHOOK_SECRET": "s",
        "GITHUB_APP_ID": str(app.id),
        "GITHUB_APP_PRIVATE_KEY": app.private_key,
        "GITHUB_WEBHOOK_SECRET": "s",
        "ANTHROPIC_API_KEY": "sk-ant-none",
    }
    return {"yes": True, "base_url": "https://callboard.example.org", "repository": "acme/youlab", "teams": ("YOU",)}


async def test_step_by_step_with_a_mistake_on_the_way(newcomer, tmp_path):
    app = newcomer.github.app("mine")
    key = tmp_path / "key.pem"
    key.write_text(app.private_key)
    answers = [
        *("n", ""),  # keep the addresses of this shell? no; the public address: this machine
        *("e", str(app.id), str(key), "webhook-secret"),
        *("callboard", "wrong", "s"),
        *("callboard", "callboard-secret", "s"),
        *("sk-ant-oat01-none",),
        *("", "", "NO"),  # the only repository, its base, a team that is not there
        *("", "", "YOU"),
        *("y",),  # create what the team lacks
    ]
    one, given, out = terminal(newcomer, answers)
    await one.run()
    assert next(given, None) is None
    assert "Client authentication failed" in out.getvalue()
    assert "Linear shows no team NO; there are YOU." in out.getvalue()
    assert "sk-ant" not in out.getvalue()
    settings = read_settings(environment(newcomer.process))
    assert settings.claude_code_oauth_token == "sk-ant-oat01-none"
    assert read_policy(settings.config).repositories[0].name == "acme/youlab"
    assert newcomer.linear.state("In Dev")
    again, _, out = terminal(newcomer, ["n"])
    await again.run()
    assert setup_text("nothing_to_do") in out.getvalue()


async def test_with_yes_nothing_is_asked_and_twice_changes_nothing(newcomer):
    wanted = with_credentials(newcomer)
    one, _, _ = terminal(newcomer, **wanted)
    await one.run()
    before = {path: path.read_text() for path in newcomer.home.rglob("*") if path.is_file()}
    made = len(newcomer.linear.team("YOU").states)
    again, _, out = terminal(newcomer, **wanted)
    await again.run()
    assert setup_text("nothing_to_do") in out.getvalue()
    assert {path: path.read_text() for path in newcomer.home.rglob("*") if path.is_file()} == before
    assert len(newcomer.linear.team("YOU").states) == made
    for name in [name for name in newcomer.process if name.startswith(("LINEAR_", "GITHUB_", "ANTHROPIC_"))]:
        del newcomer.process[name]
    assert not steps.unconfigured(newcomer.process)  # the file alone is enough


async def test_with_yes_what_is_missing_is_named(newcomer):
    wanted = with_credentials(newcomer)
    del newcomer.process["LINEAR_WEBHOOK_SECRET"]
    one, _, _ = terminal(newcomer, **wanted)
    with pytest.raises(UserError, match="LINEAR_WEBHOOK_SECRET"):
        await one.run()


async def test_an_admins_key_makes_the_webhook_itself(newcomer):
    home = newcomer.home
    files.apply(steps.address(steps.stand(newcomer.process), "http://127.0.0.1:8080"))
    entry = steps.LinearEntry(api_key="lin_api_alice")
    changes, who = await steps.linear(steps.stand(newcomer.process), entry)
    files.apply(changes)
    assert who == "Alice, a person in Acme"
    [webhook] = newcomer.linear.all(type(newcomer.linear.add_webhook("http://127.0.0.1:1", "x")))[:1]
    assert (webhook.url, webhook.resource_types) == (
        "http://127.0.0.1:8080/webhooks/linear",
        ["Issue", "Comment", "Document", "Attachment"],
    )
    assert (home / "secrets" / "linear-webhook-secret").read_text().strip() == webhook.secret
    with pytest.raises(UserError, match="already"):
        await steps.linear(steps.stand(newcomer.process), entry)


def test_what_a_person_wrote_stays(tmp_path):
    path = tmp_path / "environment"
    path.write_text("# mine\nPORT=9000\nCALLBOARD_BASE_URL=https://old.example.org\n")
    [added] = files.settings_changes(tmp_path, {"LINEAR_CLIENT_ID": "id"})
    assert not added.overwrites
    [changed] = files.settings_changes(tmp_path, {"CALLBOARD_BASE_URL": "https://new.example.org"})
    assert changed.overwrites
    assert "-CALLBOARD_BASE_URL=https://old.example.org" in changed.shown()
    files.apply([added])
    assert path.read_text() == "# mine\nPORT=9000\nCALLBOARD_BASE_URL=https://old.example.org\nLINEAR_CLIENT_ID=id\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert files.settings_changes(tmp_path, {"LINEAR_CLIENT_ID": "id"}) == ()


def test_a_policy_is_added_to_and_never_rewritten(tmp_path):
    path = tmp_path / "callboard.toml"
    path.write_text("# ours\n[limits]\nworkers = 3\n")
    path.chmod(0o644)
    change = files.policy_change(path, "acme/youlab", ["YOU"], "main")
    assert not change.overwrites
    files.apply([change])
    assert path.read_text().startswith("# ours\n[limits]\nworkers = 3\n\n[[repositories]]\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert files.policy_change(path, "acme/youlab", ["YOU"], "main") is None
    with pytest.raises(UserError, match="change it there by hand"):
        files.policy_change(path, "acme/youlab", ["OPS"], "main")
    path.write_text("[limits]\nworkerz = 3\n")
    with pytest.raises(UserError, match="stays as it is"):
        files.policy_change(path, "acme/youlab", ["YOU"], "main")


@pytest.mark.parametrize(
    "url", ["", "callboard", "ftp://x", "https://x/path", "https://x?q=1", "http://callboard.example.org"]
)
def test_what_is_no_address_is_refused(newcomer, url):
    with pytest.raises(UserError, match="address must"):
        steps.address(steps.stand(newcomer.process), url)


def test_the_process_goes_before_the_file_in_either_form_of_a_secret(tmp_path):
    (tmp_path / "environment").write_text("PORT=1\nLINEAR_API_KEY_FILE=/filed\nGITHUB_TOKEN=filed\n# HOST=x\n\n")
    found = environment({"CALLBOARD_HOME": str(tmp_path), "LINEAR_API_KEY": "own", "GITHUB_TOKEN_FILE": "/own"})
    assert {name: found.get(name) for name in ("PORT", "LINEAR_API_KEY_FILE", "GITHUB_TOKEN", "HOST")} == {
        **{"PORT": "1", "LINEAR_API_KEY_FILE": None},
        **{"GITHUB_TOKEN": None, "HOST": None},
    }
    assert read_lines(tmp_path / "none") == {}


def test_half_an_environment_is_a_mistake_and_no_invitation(tmp_path):
    home = {"CALLBOARD_HOME": str(tmp_path)}
    assert steps.unconfigured(home)
    assert not steps.unconfigured({**home, "LINEAR_API_KEY": "x"})
    assert not steps.unconfigured({**home, "GITHUB_APP_PRIVATE_KEY_FILE": "/x"})
    assert list(tmp_path.iterdir()) == []
