"""What a sign of life may say of a run: not that one was lost which has just ended."""

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from structlog.testing import capture_logs

from bot.engine.executions import Executions
from bot.engine.pace import Pace
from bot.engine.port import RunOrder

ORDER = RunOrder("run", "epic:e", "t", 1, "dev", (), 1, {})


class Rows:
    """One row, which is there until the run has ended."""

    def __init__(self) -> None:
        self.there = True

    async def begin(self, _run: str, _owner: str) -> Any:
        return ORDER, 1

    async def beat(self, _owner: str, _asked: list[str]) -> list[Any]:
        rows = [SimpleNamespace(run_id="run", fence=1, stopping=False)]
        return rows if self.there else []

    async def finish(self, _run: str, _fence: int, _result: Any) -> tuple[bool, Any]:
        self.there = False
        return True, SimpleNamespace(keys=())


async def begun(rows: Rows, execute: Any, settle: Any) -> tuple[Executions, "asyncio.Task[None]"]:
    executions = Executions(rows, SimpleNamespace(execute=execute), "owner", Pace(), settle)  # type: ignore[arg-type]
    return executions, asyncio.create_task(executions.execute("run", lambda: False))


async def test_a_sign_of_life_between_the_end_of_a_run_and_what_comes_of_it_calls_nothing_lost() -> None:
    """It was an error in the log that people are called for, of a run that had ended well."""
    ended, goes_on = asyncio.Event(), asyncio.Event()

    async def execute(_order: RunOrder, _lease: Any) -> dict[str, str]:
        return {"at": str(datetime.now(UTC))}

    async def settle(_after: Any) -> None:
        ended.set()
        await goes_on.wait()

    with capture_logs() as logged:
        executions, task = await begun(Rows(), execute, settle)
        await ended.wait()
        await executions.beat()
        goes_on.set()
        await task
    assert [one["event"] for one in logged if one["log_level"] == "error"] == []


async def test_a_sign_of_life_that_does_not_find_a_run_under_way_ends_it() -> None:
    under_way, rows = asyncio.Event(), Rows()

    async def execute(_order: RunOrder, _lease: Any) -> dict[str, str]:
        under_way.set()
        await asyncio.sleep(3600)
        return {}

    async def settle(_after: Any) -> None: ...

    async def interrupted(_run: str, _fence: int) -> Any:
        return SimpleNamespace(keys=())

    rows.interrupted = interrupted  # type: ignore[attr-defined]
    with capture_logs() as logged:
        executions, task = await begun(rows, execute, settle)
        await under_way.wait()
        rows.there = False
        await executions.beat()
        await task
    assert [one["event"] for one in logged if one["log_level"] == "error"] == ["run_lost"]
