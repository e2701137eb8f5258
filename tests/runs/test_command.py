"""Any program can be an agent: it reads the prompt, works, and leaves its outcome in a file."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.runs.contract import Ending
from bot.runs.runner import House, Place, run_agent
from bot.runs.runtimes.command import read_outcome
from bot.runs.sandbox import Bubblewrap

Make = Callable[..., Any]
OUT = 'mkdir -p .callboard; cat > "$CALLBOARD_OUTCOME"'


async def run(spec: Make, place: Place, script: str, prompt: str = "implement", **more: Any) -> Any:
    order = spec(prompt, runtime="command", command=["sh", "-c", script], **more)
    return await run_agent(order, place, House(Bubblewrap()))


async def test_a_program_reads_the_prompt_works_and_hands_back_its_outcome(place: Place, spec: Make, git: Make) -> None:
    script = (
        'read -r first; echo "$first" > said; cmp -s "$CALLBOARD_PROMPT" /dev/null || echo yes >> said; '
        f'echo \'{{"status":"success","summary":"did it"}}\' | ({OUT})'
    )
    handover = await run(spec, place, script)
    assert handover.result.kind is Ending.SUCCESS
    assert handover.result.summary == "did it"
    assert (place.checkout / "said").read_text() == "TASK_ID: YOU-7\nyes\n"
    assert handover.bundle is not None
    assert git("ls-tree", "--name-only", "HEAD", cwd=place.checkout).split() == ["README.md", "said"]


@pytest.mark.parametrize(
    ("script", "kind", "said"),
    [
        ("echo working; echo 'no disk' >&2; exit 3", Ending.WORK_FAILED, "code 3: no disk"),
        ("exit 75", Ending.TRANSPORT_FAILED, "code 75"),
        ("true", Ending.WORK_FAILED, "without handing back"),
        (f"echo nonsense | ({OUT})", Ending.WORK_FAILED, "can't be read"),
        (f'echo \'{{"status":"great"}}\' | ({OUT})', Ending.WORK_FAILED, "not valid"),
        ("mkdir .callboard; ln -s /etc/passwd .callboard/outcome.json", Ending.WORK_FAILED, "can't be read"),
        ("ln -s /etc .callboard", Ending.WORK_FAILED, "can't be read"),
        ("mkdir .callboard; mkfifo .callboard/outcome.json", Ending.WORK_FAILED, "can't be read"),
        (f"head -c 5000000 /dev/zero | ({OUT})", Ending.WORK_FAILED, "larger than 4 MB"),
    ],
)
async def test_anything_less_is_a_failure_with_its_reason(
    place: Place, spec: Make, script: str, kind: Ending, said: str
) -> None:
    result = (await run(spec, place, script)).result
    assert result.kind is kind
    assert said in result.error


async def test_an_outcome_that_lay_there_before_does_not_count(place: Place, spec: Make) -> None:
    (place.checkout / ".callboard").mkdir()
    (place.checkout / ".callboard/outcome.json").write_text('{"summary": "old", "document": "old"}')
    result = (await run(spec, place, "true", "research")).result
    assert result.kind is Ending.WORK_FAILED


async def test_a_program_of_the_name_that_is_not_there_says_so(place: Place, spec: Make) -> None:
    result = (await run_agent(spec("research", runtime="command", command=["nope"]), place, House(Bubblewrap()))).result
    assert result.kind is Ending.WORK_FAILED
    assert "nope" in result.error


async def test_what_is_left_of_a_ruined_repository_is_a_failure_and_no_bundle(place: Place, spec: Make) -> None:
    script = f'echo x > new; rm .git/HEAD; echo \'{{"status":"success","summary":"s"}}\' | ({OUT})'
    handover = await run(spec, place, script)
    assert handover.result.kind is Ending.WORK_FAILED
    assert "could not be committed" in handover.result.error
    assert handover.bundle is None


async def test_git_hooks_and_filters_of_the_agent_run_behind_the_walls_only(place: Place, spec: Make) -> None:
    outside = place.checkout.parent / "outside"
    outside.mkdir()
    script = (
        f"git config filter.evil.clean 'touch {outside}/fired; cat'; echo '* filter=evil' > .gitattributes; "
        f"git config core.fsmonitor 'touch {outside}/fired'; echo x > new; "
        f'echo \'{{"status":"success","summary":"s"}}\' | ({OUT})'
    )
    handover = await run(spec, place, script)
    assert handover.result.kind is Ending.SUCCESS
    assert list(outside.iterdir()) == []


async def test_a_bundle_that_the_agent_made_a_link_is_not_handed_on(place: Place, spec: Make) -> None:
    bundle = place.folder / "handover" / "work.bundle"
    script = (
        f"git config filter.evil.clean 'ln -sf /etc/passwd {bundle}; cat'; echo '* filter=evil' > .gitattributes; "
        f'echo x > new; echo \'{{"status":"success","summary":"s"}}\' | ({OUT})'
    )
    handover = await run(spec, place, script)
    assert handover.result.kind is Ending.WORK_FAILED
    assert handover.bundle is None


def test_a_hard_link_is_no_outcome(tmp_path: Path) -> None:
    (tmp_path / ".callboard").mkdir()
    (tmp_path / "other").write_text("{}")
    os.link(tmp_path / "other", tmp_path / ".callboard/outcome.json")
    with pytest.raises(OSError, match="of its own"):
        read_outcome(tmp_path)
