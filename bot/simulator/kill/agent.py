"""The agent of the kill rounds: it takes a second, and does what the title says. Runs behind the walls, alone."""

import json
import os
import random
import re
import sys
import time
from pathlib import Path

LONG = 25.0
"""Seconds that some take: one that outlived its service would be seen."""
PLAN = """## Phase 1: Write it
Write the module.
### Success Criteria
#### Automated Verification:
- [ ] Tests pass: `python3 -m unittest test_{module}`
"""


def work(module: str) -> dict[str, object]:
    """Write the module and its test, which may be there already from a run that was killed; the service commits."""
    Path(f"{module}.py").write_text(f"NAME = {module!r}\n")
    Path(f"test_{module}.py").write_text(f"import {module}\nassert {module}.NAME\n")
    return {"status": "success", "summary": f"wrote {module}.py"}


def tasks(epic: str) -> list[dict[str, object]]:
    """Three modules for an epic; the second needs the first."""
    below = {"one": [], "two": ["one"], "three": []}
    return [
        {"key": key, "title": f"Write {epic}_{key}.py", "description": key, "scope": key, "depends_on": needs}
        for key, needs in below.items()
    ]


def answer(prompt: str) -> dict[str, object]:
    """The outcome for a prompt, after some work in the folder that one stands in."""
    header = dict(re.findall(r"^([A-Z_]+): ?(.*)$", prompt, re.M)[:9])
    name, title = header["PROMPT"], header["TITLE"]
    module = title.removeprefix("Write ").removesuffix(".py")
    if name == "breakdown":
        return {"summary": "three modules", "tasks": tasks(title.removeprefix("Modules ")), "questions": []}
    if name == "research":
        return {"summary": "looked around", "document": f"# What {title} needs\n\nNothing special.\n"}
    if name == "plan":
        return {"summary": "one phase", "document": PLAN.format(module=module)}
    if name == "review":
        return {"verdict": "approved", "summary": "fine", "blockers": []}
    if name == "documentation":
        Path(f"{header['PARENT_TICKET']}.md").write_text("# Documented\n")
        return {"status": "success", "summary": "documented"}
    return work(module)


if __name__ == "__main__":
    told = sys.stdin.read()
    time.sleep(LONG if random.random() < 1 / 8 else 1.0)  # noqa: S311  # no secret
    outcome = Path(os.environ["CALLBOARD_OUTCOME"])
    outcome.parent.mkdir(parents=True, exist_ok=True)
    outcome.write_text(json.dumps(answer(told)))
