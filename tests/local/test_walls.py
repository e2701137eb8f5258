"""What agents and Ctrl-C can't do to the user's repository."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bot.git.mirror import Mirror, Pushed
from bot.runs.sandbox import Bubblewrap

FILE = "plans/parser.md"
HOSTILE = """
seen = []
for path in ({root!r} + '/README.md', {root!r} + '/.git/config', {root!r} + '/.callboard/plan.lock', {tools!r} + '/x'):
    try:
        open(path, 'r+' if path[-1] != 'x' else 'w').write('owned')
        seen.append('wrote ' + path)
    except OSError as error:
        seen.append(type(error).__name__)
write('seen.txt', ' '.join(seen))
os.makedirs('hooks', exist_ok=True)
for name in ('post-receive', 'reference-transaction', 'push-to-checkout', 'post-index-change'):
    write('hooks/' + name, '#!/bin/sh\\ntouch ' + {home!r} + '/owned\\n')
    os.chmod('hooks/' + name, 0o755)
write('lexer.py')
write('.envrc', 'touch owned')
"""


@pytest.mark.attack("S-33", "S-44")
def test_an_agent_reaches_neither_the_repository_nor_its_hooks(desk):
    if missing := asyncio.run(Bubblewrap().missing()):
        pytest.skip(missing)
    desk.small()
    desk.git("config", "core.hooksPath", "hooks")
    desk.script(implement_1=HOSTILE.format(root=str(desk.root), tools=str(desk.tools), home=str(desk.home)))
    code, said = desk.run()
    assert code == 0, said
    assert "wrote" not in (desk.root / "seen.txt").read_text()
    assert (desk.root / "README.md").read_text() == "# Youlab\n"
    assert os.access(desk.root / "hooks/post-receive", os.X_OK)
    assert desk.run()[0] == 0, "once more, with the hooks in the working tree"
    assert not (desk.home / "owned").exists(), "a hook that an agent wrote was run"
    assert "Look at these changes twice; they can run code here or change what agents may see:\n  .envrc\n" in said


def agents_of(desk):
    """Processes that run the agent of this desk."""
    found = []
    for one in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = one.read_bytes()
        except OSError:
            continue
        if str(desk.tools / "agent.py").encode() in words:
            found.append(one.parent.name)
    return found


def test_ctrl_c_leaves_nothing_running_and_no_phase_is_repeated(desk):
    desk.script(implement_2="time = __import__('time'); time.sleep(60)")
    command = [sys.executable, "-P", "-m", "bot.cli", "plan", "run", FILE]
    environment = desk.environment | {"PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen(command, cwd=desk.root, env=environment, stdout=-1, stderr=-1, text=True)
    end = time.monotonic() + 30
    while "implement 2" not in desk.runs() or not agents_of(desk):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "the second phase never began"
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)  # somebody impatient
    said, errors = process.communicate(timeout=90)
    assert process.returncode == 130, errors
    assert "Stopped: interrupted in phase 2 of 2: Add the parser · implement.\n" in said
    assert "To go on from there:\n  callboard plan run plans/parser.md" in said
    assert agents_of(desk) == []
    state = desk.state
    assert (state["phase_status"], state["current_phase"], state["completed_phases"]) == ("interrupted", 2, [1])
    assert desk.git("status", "--porcelain") == ""
    code, checked = desk.check()
    assert f"✓ Phase 1: Add the lexer (committed {desk.git('rev-parse', 'HEAD')[:10]})\n    [x] test -f" in checked
    assert "  Phase 2: Add the parser (to do)" in checked
    assert "It would begin with phase 2 of 2: Add the parser (implement)." in checked
    desk.script()
    code, said = desk.run()
    assert code == 0, said
    assert desk.runs() == ["implement 1", "review 1", "implement 2", "implement 2", "review 2"]
    assert desk.log() == ["Begin", "Phase 1: Add the lexer", "Phase 2: Add the parser"]


async def test_a_push_into_a_working_tree_is_finished_even_when_it_is_cancelled(desk, tmp_path, monkeypatch):
    mirror = Mirror(tmp_path / "mirror.git", str(desk.root), local=True)
    await mirror.fetch(None)
    old = desk.git("rev-parse", "HEAD")
    desk.commit({"new.py": "1\n"}, "new")
    new = desk.git("rev-parse", "HEAD")
    await mirror.fetch(None)
    desk.git("reset", "-q", "--hard", old)
    real, pushing = Mirror.git, asyncio.Event()

    async def slow(self, *arguments, **named):
        if arguments[0] == "push":
            pushing.set()
            await asyncio.sleep(0.1)
        return await real(self, *arguments, **named)

    monkeypatch.setattr(Mirror, "git", slow)
    push = asyncio.create_task(mirror.push("main", new, old, None))
    await pushing.wait()
    push.cancel()
    with pytest.raises(asyncio.CancelledError):
        await push
    assert desk.git("rev-parse", "HEAD") == new
    assert (desk.root / "new.py").exists()
    monkeypatch.setattr(Mirror, "git", real)
    assert await mirror.push("main", new, old, None) is Pushed.UNCHANGED
