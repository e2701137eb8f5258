"""A service in a process of its own, which works on one order: it can be killed for real."""

import asyncio
import sys
from pathlib import Path

from bot.git.commit import Author
from bot.runs.agents import Agents
from bot.runs.gateway import Upstream
from bot.runs.place import House
from bot.runs.sandbox import Bubblewrap
from bot.runs.worker import Access, Worker, WorkOrder


class Lease:
    async def still_mine(self) -> bool:
        return True


async def main(folder: str, remote: str, upstream: str, order: str) -> None:
    async def access(_name: str) -> Access:
        return Access(remote, "https://github.example/acme/youlab", None, Author("bot", "bot@example.org"), local=True)

    runner = Agents(Path(folder, "runs"), House(Bubblewrap(), Upstream(upstream, api_key="sk-of-the-service")), tuple)
    worker = Worker(Path(folder, "repositories"), access=access, runner=runner)
    await worker.work(WorkOrder.model_validate_json(order), Lease())


asyncio.run(main(*sys.argv[1:]))
