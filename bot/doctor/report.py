"""What the doctor found, as people and as machines read it."""

import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from bot.doctor.finding import Finding, Level

_MARKS = {Level.OK: ("✓", "green"), Level.NOTE: ("·", "cyan"), Level.WARN: ("!", "yellow"), Level.FAIL: ("✗", "red")}


def as_json(findings: Iterable[Finding]) -> str:
    """One object: `clean`, what there is to mend under `findings`, and the rest under `notes` and `passed`."""
    rows = [asdict(one) for one in findings]

    def of(*levels: Level) -> list[dict[str, Any]]:
        return [row for row in rows if row["level"] in levels]

    mend = sorted(of(Level.WARN, Level.FAIL), key=lambda row: row["level"] != Level.FAIL)
    whole = {"clean": not mend, "findings": mend, "notes": of(Level.NOTE), "passed": of(Level.OK)}
    return json.dumps(whole, indent=2, ensure_ascii=False)


async def show(findings: AsyncIterator[Finding], console: Console) -> list[Finding]:
    """Print each as it comes, under what it is about; returns them all."""
    seen: list[Finding] = []
    async for one in findings:
        if not seen or seen[-1].about != one.about:
            console.print(Text(one.about, style="bold"))
        mark, colour = _MARKS[one.level]
        console.print(Padding(Text.assemble((mark, colour), " ", one.what), (0, 0, 0, 2), expand=False))
        for name, text in (("why", one.why), ("mend", one.mend)):
            if text:
                console.print(Padding(Text.assemble((f"{name:<5}", "dim"), text), (0, 0, 0, 4), expand=False))
        seen.append(one)
    console.print(_sum(seen))
    return seen


def _sum(seen: Iterable[Finding]) -> Text:
    counts = {level: sum(one.level is level for one in seen) for level in Level}
    fails, warns = counts[Level.FAIL], counts[Level.WARN]
    if not fails and not warns:
        return Text("\nAll is well.", style="bold green")
    parts = [f"{fails} must be mended" if fails else "", f"{warns} should be mended" if warns else ""]
    return Text(f"\n{', '.join(part for part in parts if part)}.", style="bold red" if fails else "bold yellow")
