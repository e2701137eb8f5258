"""The loop: what it does with a key that is nobody's."""

from types import SimpleNamespace

from bot.engine.port import RunState
from bot.reconcile import Reconciler


class Engine:
    """Knows three runs of the epic."""

    def __init__(self):
        self.stopped = []

    async def runs(self, key):
        states = enumerate((RunState.RUNNING, RunState.QUEUED, RunState.FINISHED))
        return tuple(SimpleNamespace(order=SimpleNamespace(run_id=f"{key} {n}"), state=one) for n, one in states)

    async def cancel_run(self, run_id, reason):
        self.stopped.append(run_id)


async def nothing(*_):
    return None


async def test_what_runs_for_an_epic_that_somebody_deleted_for_ever_is_stopped():
    """It went on spending, up to its limits, and nobody could see it."""
    engine = Engine()
    loop = Reconciler(nothing, {}, nothing, nothing, engine, nothing)
    assert await loop.reconcile("epic:gone") is None
    assert engine.stopped == ["epic:gone 0", "epic:gone 1"]
