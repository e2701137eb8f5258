"""The watchdog says what it finds: in the log, in metrics, on the page; and has things looked at again."""

from datetime import UTC, datetime, timedelta

from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from bot.engine.port import EngineStatus, KeyRow, Parked
from bot.machine.watchdog import Change, Memory
from bot.watchdog import Watchdog
from bot.web.looks import page

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


class Post:
    """What the watchdog asks, and what it has looked at again."""

    def __init__(self, **status: object) -> None:
        self.now, self.hinted, self.state = NOW, list[str](), EngineStatus(**status)
        self.watchdog = Watchdog(Memory(), self.status, self.hint, lambda: self.now)

    async def status(self) -> EngineStatus:
        return self.state

    async def hint(self, key: str) -> None:
        self.hinted.append(key)

    def changes(self, source: str, count: int) -> None:
        """Looking has found so many changes, a while ago."""
        at = self.now - timedelta(minutes=5)
        self.watchdog.memory.changes += [Change(source, f"review {n}", at, at) for n in range(count)]

    async def looks(self) -> str:
        with capture_logs() as logs:
            await self.watchdog.look()
        return " ".join(str(one.get("says")) for one in logs)


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"callboard_{name}", labels) or 0.0


async def test_a_silent_source_is_logged_counted_and_shown_until_it_speaks_again() -> None:
    post = Post(last_delivery={"linear": NOW})
    before = metric("unannounced_changes_total", source="github")
    post.changes("github", 3)
    post.changes("linear", 3)
    assert "GitHub sends no webhooks: 3 changes were found only by looking, none has ever come" in await post.looks()
    await post.looks()
    assert metric("unannounced_changes_total", source="github") == before + 3, "each is counted once"
    assert metric("webhooks_silent", source="github") == 1
    assert metric("webhooks_silent", source="linear") == 0
    assert metric("last_delivery_timestamp_seconds", source="linear") == NOW.timestamp()
    shown = page(
        "health.html", None, path="/health", version="1", status=post.state, parked=Parked(), house={},
        wrong=tuple(post.watchdog.told),
    )  # fmt: skip
    assert "GitHub sends no webhooks" in shown.body.decode()
    post.state = EngineStatus(last_delivery={"github": NOW})
    assert await post.looks() == ""
    assert metric("webhooks_silent", source="github") == 0


async def test_a_live_key_without_a_good_round_is_said_with_its_error_and_looked_at_again() -> None:
    post = Post(waiting=(KeyRow("epic:1", 3, "Transient: Linear is away", None, parked=False),))
    post.watchdog.live(["epic:1", "epic:2", "epic:3"])
    assert await post.looks() == ""
    post.now += timedelta(minutes=20)
    post.watchdog.good("epic:2")
    post.watchdog.live(["epic:1", "epic:2"])
    assert "epic:1 has had no good round for a long time (Transient: Linear is away)" in await post.looks()
    assert post.hinted == ["epic:1"], "the third is over, the second is well"
    assert metric("keys_overdue") == 1
    post.watchdog.good("epic:1")
    assert await post.looks() == ""


async def test_a_parked_key_is_said_at_once_and_left_to_its_own_pace() -> None:
    post = Post(waiting=(KeyRow("epic:1", 8, "KeyError: x", None, parked=True),))
    assert "epic:1 has had no good round for a long time (KeyError: x)" in await post.looks()
    assert post.hinted == []
