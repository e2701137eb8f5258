"""The mirror against real git over HTTP."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bot.git.mirror import Mirror, Pushed
from bot.machine.errors import Refused, Transient, UserError

pytestmark = pytest.mark.usefixtures("remote")


async def test_the_first_fetch_makes_the_mirror(remote, token, tmp_path):
    mirror = Mirror(tmp_path / "fresh" / "youlab.git", remote.url)
    await mirror.fetch(token)
    assert await mirror.tip("main") == remote.git("rev-parse", "main")


async def test_a_fetch_brings_every_branch_and_drops_those_that_are_gone(remote, mirror, token):
    remote.commit({"a.txt": "a"}, branch="feature")
    await mirror.fetch(token)
    assert await mirror.tip("feature") == remote.git("rev-parse", "feature")
    remote.git("branch", "-D", "feature")
    await mirror.fetch(token)
    assert await mirror.tip("feature") is None


async def test_a_fetch_follows_a_branch_that_was_forced_back(remote, mirror, main, token):
    remote.commit({"a.txt": "a"})
    await mirror.fetch(token)
    remote.git("update-ref", "refs/heads/main", main)
    await mirror.fetch(token)
    assert await mirror.tip("main") == main


async def test_fetches_at_the_same_time_all_end_well(remote, mirror, token):
    for number in range(5):
        remote.commit({"a.txt": "a"}, branch=f"b{number}")
    other = Mirror(mirror.path, mirror.url)
    await asyncio.gather(*(one.fetch(token) for one in (mirror, other) * 3))
    assert await mirror.tip("b4") == remote.git("rev-parse", "b4")


LEFT = [
    "packed-refs.lock",
    "packed-refs.new",
    "refs/heads/gone.lock",
    "refs/heads/new.lock",
    "HEAD.lock",
    "config.lock",
]


@pytest.mark.parametrize("left", LEFT)
async def test_what_a_killed_git_left_locked_stops_nobody(remote, mirror, token, main, left):
    remote.commit({"a.txt": "a"}, branch="gone")
    await mirror.fetch(token)
    await mirror.git("pack-refs", "--all")
    remote.git("branch", "-D", "gone")
    remote.commit({"a.txt": "a"}, branch="new")
    (mirror.path / left).write_text("")
    await mirror.fetch(token)
    assert (await mirror.tip("gone"), await mirror.tip("new")) == (None, remote.git("rev-parse", "new"))
    (mirror.path / "refs/callboard/runs").mkdir(parents=True)
    (mirror.path / "refs/callboard/runs/run-1.lock").write_text("")
    await mirror.keep("run-1", main)


async def test_a_commit_that_was_pushed_over_is_had_as_long_as_it_is_there(remote, mirror, main, token):
    over = remote.commit({"a.txt": "a"})
    remote.git("update-ref", "refs/heads/main", main)
    await mirror.fetch(token)
    assert not await mirror.has(over)
    assert await mirror.obtain(over, token)
    assert await mirror.has(over)
    assert not await mirror.obtain("12" * 20, token)
    with pytest.raises(Transient):
        await Mirror(mirror.path, "http://127.0.0.1:1/x").obtain("12" * 20, token)


SERVICE = """
import asyncio, sys
from pathlib import Path
from bot.git.mirror import Mirror
asyncio.run(Mirror(Path(sys.argv[1]), sys.argv[2]).fetch(None))
"""


async def test_a_git_that_outlives_its_service_is_waited_for(remote, mirror, token, tmp_path):
    slow, told = tmp_path / "git", tmp_path / "pid"
    slow.write_text(f"#!/bin/sh\necho $$ > {told}.new\nmv {told}.new {told}\nexec sleep 60\n")
    slow.chmod(0o755)
    command = [sys.executable, "-c", SERVICE, str(mirror.path), mirror.url]
    service = subprocess.Popen(command, env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"})
    while not told.exists():
        await asyncio.sleep(0.01)
    service.kill()
    service.wait()
    fetching = asyncio.create_task(mirror.fetch(token))
    await asyncio.sleep(0.3)
    assert not fetching.done()
    os.kill(int(told.read_text()), signal.SIGKILL)
    await asyncio.wait_for(fetching, 10)


async def test_a_mirror_of_which_only_a_part_was_made_is_made_anew(remote, token, tmp_path):
    mirror = Mirror(tmp_path / "fresh" / "youlab.git", remote.url)
    (tmp_path / "fresh" / "youlab.git.new").mkdir(parents=True)
    (tmp_path / "fresh" / "youlab.git.new" / "HEAD").write_text("")
    await mirror.fetch(token)
    assert await mirror.tip("main") == remote.git("rev-parse", "main")


async def test_a_file_is_read_from_a_commit(mirror, main):
    assert await mirror.read(main, "src/app.py") == b"print('hello')\n"
    assert await mirror.read(main, "src") is None
    assert await mirror.read(main, "src/") is None
    assert await mirror.read(main, "nothing.txt") is None
    assert await mirror.read(main, "*.md") is None


async def test_a_branch_contains_its_commits_and_no_others(remote, mirror, main, token):
    feature = remote.commit({"a.txt": "a"}, branch="feature")
    await mirror.fetch(token)
    assert await mirror.contains(main, "feature")
    assert await mirror.contains(feature, "feature")
    assert not await mirror.contains(feature, "main")
    assert not await mirror.contains("0" * 40, "main")
    assert not await mirror.contains(main, "nowhere")


async def test_a_new_branch_is_pushed_once(remote, mirror, main, token, write):
    commit = await write(main, "a.txt", "a")
    assert await mirror.push("agent/YOU-1", commit, None, token) is Pushed.PUSHED
    assert remote.git("rev-parse", "agent/YOU-1") == commit
    assert await mirror.tip("agent/YOU-1") == commit
    assert await mirror.push("agent/YOU-1", commit, None, token) is Pushed.UNCHANGED


async def test_a_push_replaces_exactly_what_was_expected(remote, mirror, main, token, write):
    old, new = await write(main, "a.txt", "a"), await write(main, "a.txt", "b")
    await mirror.push("agent/YOU-1", old, None, token)
    assert await mirror.push("agent/YOU-1", new, old, token, rewrites=True) is Pushed.PUSHED
    assert remote.git("rev-parse", "agent/YOU-1") == new


async def test_a_push_that_would_drop_commits_is_not_made_unless_it_says_so(remote, mirror, main, token, write):
    old, other = await write(main, "a.txt", "a"), await write(main, "b.txt", "b")
    await mirror.push("agent/YOU-1", old, None, token)
    for wrong in (other, main):
        with pytest.raises(ValueError, match="would drop commits"):
            await mirror.push("agent/YOU-1", wrong, old, token)
    assert remote.git("rev-parse", "agent/YOU-1") == old
    above = await write(old, "b.txt", "b")
    assert await mirror.push("agent/YOU-1", above, old, token) is Pushed.PUSHED


async def test_work_in_hand_is_dropped_by_a_mirror_that_never_fetched_it(remote, mirror, main, token, tmp_path):
    await mirror.push_work("agent/YOU-1", main, None, token)
    fresh = Mirror(tmp_path / "fresh" / "youlab.git", remote.url)
    assert await fresh.drop_work("agent/YOU-1", token) is Pushed.PUSHED
    assert remote.git("for-each-ref", "refs/callboard/unfinished/") == ""
    assert await fresh.drop_work("agent/YOU-1", token) is Pushed.UNCHANGED


@pytest.mark.parametrize("expectation", ["none", "older"])
async def test_a_branch_that_somebody_moved_is_left_alone(remote, mirror, main, token, write, expectation):
    ours = await write(main, "a.txt", "ours")
    theirs = remote.commit({"a.txt": "theirs"}, branch="agent/YOU-1")
    expected = None if expectation == "none" else main
    assert await mirror.push("agent/YOU-1", ours, expected, token) is Pushed.MOVED
    assert remote.git("rev-parse", "agent/YOU-1") == theirs


async def test_a_branch_that_somebody_deleted_is_not_made_again(mirror, main, token, write, remote):
    commit = await write(main, "a.txt", "a")
    assert await mirror.push("agent/YOU-1", commit, main, token) is Pushed.MOVED
    assert "YOU-1" not in remote.git("branch", "--list")


async def test_a_branch_is_deleted_where_it_is_expected_and_twice_is_once(remote, mirror, main, token, write):
    commit = await write(main, "a.txt", "a")
    await mirror.push("agent/YOU-1", commit, None, token)
    assert await mirror.delete("agent/YOU-1", main, token) is Pushed.MOVED
    assert await mirror.delete("agent/YOU-1", commit, token) is Pushed.PUSHED
    assert await mirror.tip("agent/YOU-1") is None
    assert await mirror.delete("agent/YOU-1", commit, token) is Pushed.UNCHANGED
    assert "YOU-1" not in remote.git("branch", "--list")


async def test_a_rule_of_the_other_side_refuses_in_its_own_words(remote, mirror, main, token, write):
    hook = remote.bare / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho 'GH001: Large files detected.' >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(Refused, match="GH001: Large files"):
        await mirror.push("agent/YOU-1", await write(main, "a.txt", "a"), None, token)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (500, "", Transient),
        (502, "<html>", Transient),
        (503, "", Transient),
        (429, "", Transient),
        (403, "Write access to repository not granted.", Refused),
        (404, "Repository not found.", Refused),
    ],
)
async def test_what_the_other_side_answers_tells_the_kind_of_error(remote, mirror, token, status, body, error):
    remote.answers = [(status, body)]
    with pytest.raises(error):
        await mirror.fetch(token)


async def test_without_a_good_token_it_is_refused_and_nobody_is_asked(mirror):
    for token in (None, "ghs_wrong"):
        with pytest.raises(Refused):
            await mirror.fetch(token)


async def test_nobody_listening_is_transient(tmp_path: Path):
    with pytest.raises(Transient):
        await Mirror(tmp_path / "m.git", "http://127.0.0.1:9/x.git").fetch("ghs_some_token")


@pytest.mark.attack("S-30")
async def test_only_http_is_spoken(tmp_path: Path, remote):
    for url in (str(remote.bare), f"file://{remote.bare}", "ext::sh -c touch% /tmp/x", "ssh://localhost/x.git"):
        with pytest.raises(Exception, match="not allowed"):
            await Mirror(tmp_path / "m.git", url).fetch(None)


@pytest.mark.attack("S-30")
async def test_a_redirect_does_not_take_the_token_along(remote, mirror, token):
    async def redirected(request):
        from starlette.responses import RedirectResponse

        seen.append(request)
        return RedirectResponse("/elsewhere.git" + request.url.path[11:] + "?" + request.url.query)

    seen: list[object] = []
    remote.answer = redirected
    with pytest.raises(Exception, match="git"):
        await mirror.fetch(token)
    assert len(seen) <= 1


@pytest.mark.attack("S-30", "S-50", "S-51")
async def test_the_token_is_in_no_argument_no_file_and_no_error(remote, mirror, token, tmp_path, monkeypatch):
    arguments: list[str] = []
    start = asyncio.create_subprocess_exec

    async def spy(*command, **options):
        arguments.extend(command)
        return await start(*command, **options)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", spy)
    remote.answers = [(500, f"oops {token}")]
    with pytest.raises(Transient) as raised:
        await mirror.fetch(token)
    await mirror.fetch(token)
    assert arguments
    assert token not in " ".join(arguments) + str(raised.value)
    assert not [file for file in tmp_path.rglob("*") if file.is_file() and token.encode() in file.read_bytes()]


@pytest.mark.attack("S-40", "S-41")
async def test_a_bad_name_never_reaches_git(mirror, main, token):
    for name in ("--upload-pack=x", "a..b", "a b", "", "agent/YOU-1　;id"):
        with pytest.raises(UserError):
            await mirror.push(name, main, None, token)


async def test_a_call_that_is_cancelled_leaves_no_process(remote, mirror, token):
    reached = asyncio.Event()

    async def silence(request):
        reached.set()
        await asyncio.sleep(30)

    remote.answer = silence
    task = asyncio.create_task(mirror.fetch(token))
    await asyncio.wait_for(reached.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    running = [cmd for one in Path("/proc").glob("[0-9]*") if (cmd := _command(one)) and remote.url in cmd]
    assert not running


def _command(process: Path) -> str:
    try:
        return (process / "cmdline").read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""


async def test_a_push_is_noted_between_fetches_never_during_one(remote, mirror, main, token, write):
    tip = await write(main, "one.txt", "1")
    async with mirror._alone():  # as a fetch holds it, in this process or another
        push = asyncio.create_task(mirror.push("agent/YOU-1", tip, None, token))
        while "agent/YOU-1" not in remote.git("branch", "--list", "agent/*"):
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.1)
        assert not push.done()
        assert await mirror.tip("agent/YOU-1") is None
    assert await push is Pushed.PUSHED
    assert await mirror.tip("agent/YOU-1") == tip
