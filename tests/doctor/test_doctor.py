"""The doctor: what is planted is found, by its name and with what mends it; a healthy patient is told so."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.cli import main
from bot.config import read_settings
from bot.doctor import Level, github, linear, machine
from bot.doctor.github import AppSeen, RepositorySeen
from bot.engine.port import EngineStatus
from bot.github.hook import Hook, Sending
from bot.github.manifest import PERMISSIONS
from bot.linear.hooks import RESOURCE_TYPES, Webhook
from bot.policy import Policy, RepositoryPolicy
from bot.runs.runtimes import claude
from bot.simulator.linear import Webhook as LinearWebhook
from bot.words import findings

# ---- what is planted: each is one thing that somebody gets wrong


async def a_workflow_state_is_missing(patient):
    patient.linear.team("YOU").states.remove(patient.linear.state("In Dev"))


async def a_label_is_missing(patient):
    patient.linear.drop(patient.linear.label("needs input"))


async def linear_moves_tickets_by_itself(patient):
    patient.linear.automate(patient.linear.team("YOU"), "start", "In Progress")


async def linear_closes_sub_issues(patient):
    patient.linear.team("YOU").auto_close_child_issues = True


async def the_secret_of_linear_is_another(patient):
    [webhook] = patient.linear.all(LinearWebhook)
    webhook.secret = "another"
    await patient.hears_of_linear()


async def the_app_lacks_a_permission(patient):
    app = patient.github.apps["callboard"]
    app.permissions["checks"] = app.installations[0].permissions["checks"] = "read"


async def nobody_accepted_a_permission(patient):
    patient.github.apps["callboard"].installations[0].permissions["issues"] = "read"


async def the_app_is_not_told_of_comments(patient):
    app = patient.github.apps["callboard"]
    app.events = tuple(one for one in app.events if one != "issue_comment")


async def the_secret_of_github_is_another(patient):
    patient.github.apps["callboard"].webhook_secret = "another"
    await patient.hears_of_github()


async def the_app_tells_somebody_else(patient):
    patient.github.apps["callboard"].webhook_url = "https://old.example.org/webhooks/github"


async def the_base_branch_is_not_there(patient):
    patient.rewrite('teams = ["YOU"]\n', 'teams = ["YOU"]\nbase = "develop"\n')


async def a_secret_lies_open(patient):
    Path(patient.environment["LINEAR_WEBHOOK_SECRET_FILE"]).chmod(0o644)


async def there_are_no_walls(patient):
    patient.environment["CALLBOARD_SANDBOX"] = "off"


async def the_program_is_not_there(patient):
    patient.rewrite('["true"]', '["no-such-program"]')


async def there_is_no_key_for_the_model(patient):
    del patient.environment["ANTHROPIC_API_KEY"]


PLANTED = {
    a_workflow_state_is_missing: ("states_missing", "In Dev", "callboard setup"),
    a_label_is_missing: ("labels_missing", "needs input", "callboard setup"),
    linear_moves_tickets_by_itself: ("automation", "“On PR open”", "No action"),
    linear_closes_sub_issues: ("closes_children", "sub-issues", "Auto-close sub-issues"),
    the_secret_of_linear_is_another: ("refused_lately", "does not fit", "LINEAR_WEBHOOK_SECRET"),
    the_app_lacks_a_permission: ("permissions", "checks: write", "/organizations/acme/settings/apps/callboard"),
    nobody_accepted_a_permission: ("permissions_waiting", "issues: write", "accept the new permissions at http"),
    the_app_is_not_told_of_comments: ("events", "issue_comment", "Subscribe to events"),
    the_secret_of_github_is_another: ("deliveries_refused", "signature", "GITHUB_WEBHOOK_SECRET"),
    the_app_tells_somebody_else: ("hook_address", "old.example.org", "set the Webhook URL to http://127.0.0.1"),
    the_base_branch_is_not_there: ("base_missing", "develop", "the default branch is main"),
    a_secret_lies_open: ("readable", "mode 644", "chmod 600"),
    there_are_no_walls: ("sandbox_off", "without walls", "unset CALLBOARD_SANDBOX"),
    the_program_is_not_there: ("runtime", "no-such-program", "`command` under [agent]"),
    there_is_no_key_for_the_model: ("model_key", "no key for the model", "ANTHROPIC_API_KEY"),
}


async def as_json(patient, monkeypatch, capsys):
    for name, value in patient.environment.items():
        monkeypatch.setenv(name, value)
    code = await asyncio.to_thread(main, ["doctor", "--json"])
    return code, json.loads(capsys.readouterr().out)


async def test_a_healthy_patient_is_clean(patient, monkeypatch, capsys):
    code, told = await as_json(patient, monkeypatch, capsys)
    assert told["findings"] == []
    assert (code, told["clean"]) == (0, True)
    assert {one["code"] for one in told["notes"]} - {"sandbox_watched"} == {"linear_webhook_hidden"}
    assert {one["code"] for one in told["passed"]} == {
        *("configuration", "sandbox_works", "runtime_works", "disk_free", "clock_right", "database_answers", "arrived"),
        *("linear_app", "states", "labels", "no_automation"),
        *("github_app", "events_subscribed", "hook", "base", "merging", "permissions_granted"),
    }


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
async def test_what_is_planted_is_found_and_nothing_else(patient, plant):
    await plant(patient)
    [complaint] = await patient.complaints()
    code, what, mend = PLANTED[plant]
    assert complaint.code == code
    assert what in complaint.what
    assert complaint.why
    assert mend in complaint.mend


async def test_all_that_is_planted_at_once_is_found_at_once(patient, monkeypatch, capsys):
    for plant in PLANTED:
        await plant(patient)
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    code, told = await as_json(patient, monkeypatch, capsys)
    assert code == 1
    assert not told["clean"]
    assert {one["code"] for one in told["findings"]} == {code for code, _, _ in PLANTED.values()}
    for _, what, mend in PLANTED.values():
        assert any(what in one["what"] and mend in one["mend"] for one in told["findings"])


# ---- what can't be planted together with the rest


async def test_settings_that_lack_are_named_with_where_they_go(patient):
    del patient.environment["GITHUB_WEBHOOK_SECRET"]
    [settings] = await patient.examined()
    assert (settings.code, settings.level) == ("settings", Level.FAIL)
    assert "GITHUB_WEBHOOK_SECRET" in settings.what


async def test_a_policy_that_is_wrong_does_not_hide_the_machine(patient):
    patient.policy.write_text("[limits]\nworkerz = 1\n")
    patient.environment["CALLBOARD_SANDBOX"] = "off"
    codes = await patient.codes()
    assert codes[:2] == ["policy", "sandbox_off"]


async def test_a_team_that_is_not_there_hides_no_repository(patient):
    patient.rewrite("YOU", "NO")
    found = await patient.examined()
    assert any(one.code == "linear" and "no team NO" in one.what for one in found)
    assert any(one.code == "base" for one in found)


async def test_a_repository_out_of_reach_hides_no_other(patient):
    patient.policy.write_text('[[repositories]]\nname = "acme/other"\nteams = ["YOU"]\n' + patient.policy.read_text())
    found = await patient.examined()
    assert [one.about for one in found if one.code == "repository"] == ["acme/other"]
    assert [one.about for one in found if one.code == "base"] == ["acme/youlab"]


async def test_a_state_of_another_type_and_a_label_that_is_a_group_are_named(patient):
    patient.policy.write_text(patient.policy.read_text() + '[states]\nmerge = "Backlog"\n')
    patient.linear.label("blocked").is_group = True
    wrong, group = await patient.complaints()
    assert (wrong.code, wrong.what) == ("states_type", "Backlog has the type backlog, the stage merge needs started")
    assert (group.code, group.what) == ("labels_group", "blocked is a group of labels")


def test_that_nothing_arrived_is_said_with_how_to_try():
    fresh = list(machine.arrivals(EngineStatus(), "https://c.example.org"))
    assert [one.code for one in fresh] == ["silent", "silent"]
    assert "https://c.example.org/webhooks/linear" in fresh[0].mend


def test_a_signature_that_never_fitted_fails_and_one_that_fitted_since_is_well():
    now = datetime(2026, 11, 21, 12, tzinfo=UTC)
    never = EngineStatus(last_refusal={"linear": now}, last_delivery={"github": now})
    assert [one.code for one in machine.arrivals(never, "")] == ["refused", "arrived"]
    since = EngineStatus(last_refusal={"linear": now - timedelta(1)}, last_delivery={"linear": now, "github": now})
    assert [one.code for one in machine.arrivals(since, "")] == ["arrived", "arrived"]


async def test_an_admins_key_shows_the_webhooks_of_linear(patient):
    del patient.environment["LINEAR_CLIENT_ID"], patient.environment["LINEAR_CLIENT_SECRET"]
    patient.environment["LINEAR_API_KEY"] = "lin_api_alice"
    examined = await patient.examined()
    assert [one.code for one in examined if not one.well] == ["linear_key"]
    assert "linear_webhook" in [one.code for one in examined]
    [webhook] = patient.linear.all(LinearWebhook)
    webhook.enabled = False
    assert await patient.codes() == ["linear_key", "linear_webhook_off"]


URL = "https://callboard.example.org/webhooks/linear"
HOOK = Webhook(URL, enabled=True, types=frozenset(RESOURCE_TYPES))


@pytest.mark.parametrize(
    ("seen", "codes"),
    [
        ([HOOK], ["linear_webhook"]),
        ([], ["linear_webhook_missing"]),
        ([replace(HOOK, url="https://elsewhere.example.org")], ["linear_webhook_missing"]),
        ([replace(HOOK, types=frozenset({"Issue"}))], ["linear_webhook_types"]),
        ([replace(HOOK, team="OPS")], ["linear_webhook_teams"]),
        ([replace(HOOK, team="OPS"), replace(HOOK, team="YOU")], ["linear_webhook"]),
        ([replace(HOOK, team="OPS", types=frozenset())], ["linear_webhook_types", "linear_webhook_teams"]),
    ],
)
def test_what_the_webhooks_of_linear_lack(seen, codes):
    assert [one.code for one in linear.webhooks(seen, URL, ["YOU"])] == codes


WELL = RepositorySeen(
    policy=RepositoryPolicy(name="acme/youlab"),
    default_branch="main",
    base_exists=True,
    archived=False,
    methods=("squash",),
    queue=False,
    role="WRITE",
    granted=None,
    asked={},
)
ALL = {**PERMISSIONS, "actions": "write"}


@pytest.mark.parametrize(
    ("seen", "code"),
    [
        (WELL, "no_merge_commits"),
        (replace(WELL, methods=("merge",)), "merging"),
        (replace(WELL, methods=()), "no_merging"),
        (replace(WELL, methods=(), queue=True), "merging"),
    ],
)
def test_how_pull_requests_are_merged(seen, code):
    assert [one.code for one in github.merging(seen)] == [code]


@pytest.mark.parametrize(
    ("seen", "codes"),
    [
        (WELL, ["role_write"]),
        (replace(WELL, role="READ"), ["role"]),
        (replace(WELL, role=""), ["role"]),
        (replace(WELL, granted=PERMISSIONS), ["permissions_granted", "permissions_useful"]),
        (replace(WELL, granted=ALL), ["permissions_granted"]),
        (replace(WELL, queue=True, granted=ALL), ["permissions_granted", "permissions_useful"]),
        (replace(WELL, granted={}), ["permissions"]),
        (replace(WELL, granted={}, asked=ALL), ["permissions_waiting"]),
    ],
)
def test_what_we_may_do(seen, codes):
    assert [one.code for one in github.permissions(seen)] == codes


def test_an_archived_repository_can_not_be_worked_on():
    assert [one.code for one in github.base_branch(replace(WELL, archived=True))] == ["archived"]


NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SENT = Sending(1, "guid", NOW, "OK", 200)
APP = AppSeen(
    frozenset(), "", Hook("https://c.example.org/webhooks/github"), (SENT,), "https://c.example.org/webhooks/github"
)


@pytest.mark.parametrize(
    ("seen", "codes"),
    [
        (APP, ["hook"]),
        (replace(APP, hook=Hook("")), ["hook_off"]),
        (replace(APP, hook=replace(APP.hook, content_type="form")), ["hook_form", "hook"]),
        (replace(APP, hook=replace(APP.hook, verified=False)), ["hook_unchecked", "hook"]),
        (
            replace(APP, sendings=(replace(SENT, status="failed to connect to host", code=0), SENT)),
            ["hook", "deliveries_failing"],
        ),
        (replace(APP, sendings=(SENT, replace(SENT, status="Invalid HTTP Response: 401", code=401))), ["hook"]),
        (replace(APP, sendings=(replace(SENT, status="pending", code=0), SENT)), ["hook"]),
    ],
)
def test_how_github_tells_us(seen, codes):
    assert [one.code for check in (github.hook, github.sendings) for one in check(seen)] == codes


def test_room_on_the_disk_is_measured_where_everything_will_lie(tmp_path):
    def says(left):
        return machine.disk(tmp_path / "not" / "yet", free=lambda path: left if path == tmp_path else 0).code

    assert [says(size * machine.GIGABYTE) for size in (0.5, 3, 50)] == ["disk", "disk_low", "disk_free"]


@pytest.mark.parametrize(
    ("off", "code", "words"), [(20, "clock_right", ""), (90, "clock", "seconds ahead of"), (-90, "clock", "behind")]
)
async def test_the_clock_is_held_against_the_apis(patient, off, code, words):
    settings = read_settings(patient.environment)
    finding = await machine.clock(settings, now=lambda: datetime.now(UTC).timestamp() + off)
    assert finding.code == code
    assert words in finding.what


async def test_claude_code_of_another_version_is_named(monkeypatch):
    assert [one.code async for one in machine.runtimes(Policy())] == ["runtime_works"]
    monkeypatch.setattr(claude, "TRIED", "1.0.0")
    assert [one.code async for one in machine.runtimes(Policy())] == ["runtime_version"]


async def test_a_database_that_does_not_answer_is_named(patient):
    patient.environment["DATABASE_URL"] = "postgresql://127.0.0.1:1/none"
    assert await patient.codes() == ["database"]


def test_an_address_that_nobody_else_reaches_is_named_when_linear_and_github_are_real():
    base = {"CALLBOARD_SECRET_KEY": "k" * 32, "HOME": "/h", "ANTHROPIC_API_KEY": "x"}

    def codes(**more):
        settings = read_settings({**base, **more})
        return [one.code for one in machine.configuration(settings, {}, policy_read=True)]

    assert codes() == ["address_local"]
    assert codes(CALLBOARD_BASE_URL="http://callboard.example.org") == ["address_plain"]
    assert codes(CALLBOARD_BASE_URL="https://callboard.example.org") == ["configuration"]


async def test_people_read_it_in_groups_with_why_and_how(patient, monkeypatch, capsys):
    for name, value in patient.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COLUMNS", "200")
    await a_label_is_missing(patient)
    assert await asyncio.to_thread(main, ["doctor"]) == 1
    out = capsys.readouterr().out
    assert (
        "team YOU\n  ✓ has a workflow state for every stage\n  ! lacks the labels needs input\n    why  nobody" in out
    )
    assert out.endswith("1 should be mended.\n")


def test_what_is_not_well_says_why_and_what_mends_it():
    for code, words in findings().items():
        level = Level(words["level"])
        assert set(words) == ({"level", "what"} if level is Level.OK else {"level", "what", "why", "mend"}), code
        assert "." not in words["what"][-1:], code


def test_every_finding_can_be_found():
    source = "".join(path.read_text() for path in Path(machine.__file__).parent.glob("*.py"))
    assert [code for code in findings() if f'"{code}"' not in source] == []
