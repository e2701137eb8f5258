"""A stand-in agent for the `command` runtime: reads the prompt, does a little real work, writes its outcome.

It is told what to do by the title of its ticket: “Write NAME.py” writes that module with a test. In a review it answers
what ends with a question mark, takes a suggestion over, and notes everything else in its module; so it does with the
findings that it is to repair. A wish on the epic it places by the modules' names. With “hang” in
the title it never ends.
"""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

prompt = sys.stdin.read()
if re.search(r"^TITLE: .*\bhang\b", prompt, re.M):
    time.sleep(600)
header = dict(re.findall(r"^([A-Z_]+): ?(.*)$", prompt, re.M)[:9])
name, title = header["PROMPT"], header["TITLE"]
module = (re.search(r"Write (\w+)\.py", title) or [None, "nothing"])[1]
TASKS = [
    {"key": "one", "title": "Write one.py", "description": "The first module.", "scope": "one.py", "depends_on": []},
    {"key": "two", "title": "Write two.py", "description": "It needs one.", "scope": "two.py", "depends_on": ["one"]},
    {"key": "three", "title": "Write three.py", "description": "Alone.", "scope": "three.py", "depends_on": []},
]
PLAN = """## Phase 1: Write it
Write the module.
### Success Criteria
#### Automated Verification:
- [ ] Tests pass: `python3 -m unittest`
#### Manual Verification:
- [ ] The module reads well
"""


def work() -> dict[str, object]:
    Path(f"{module}.py").write_text(f"NAME = {module!r}\nTOLD = {len(prompt)}\n")
    Path(f"test_{module}.py").write_text(f"import {module}\nassert {module}.NAME\n")
    subprocess.run(["git", "add", "-A"], check=True)
    subprocess.run(["git", "commit", "-q", "-m", "work"], check=True)
    return {"status": "success", "summary": f"wrote {module}.py", "verified": ["`python3 -m unittest`"]}


def told(label: str) -> list[str]:
    """The quoted blocks of the prompt with this label."""
    found = re.findall(
        rf"^<<< {label} · data written[^\n]* · (\w+)\n(.*?)\n>>> [^\n]* · \1 · read", prompt, re.M | re.S
    )
    return [text for _, text in found]


def feedback() -> dict[str, object]:
    threads = [json.loads(block) for block in told(r"thread \d+")]
    replies = [answer(thread) for thread in threads]
    done = sum(bool(one["resolved"]) for one in replies)
    return {"status": "success", "summary": f"Worked in {done} of {len(replies)}.", "replies": replies}


def answer(thread: dict[str, object]) -> dict[str, object]:
    said = [one["says"] for one in thread.get("remarks", []) if one["by"] != "you"]  # type: ignore[attr-defined]
    text = str((said or [thread.get("review") or thread.get("comment") or thread.get("finding") or ""])[-1])
    if text.rstrip().endswith("?"):
        return {"thread_id": thread["thread_id"], "body": "Because the spec says so.", "resolved": False}
    if (found := re.search(r"^```suggestion\n(.*?)^```", text, re.M | re.S)) and thread["line"]:
        place, line = Path(str(thread["path"])), int(str(thread["line"]))
        lines = place.read_text().splitlines(keepends=True)
        place.write_text("".join((*lines[: line - 1], found[1], *lines[line:])))
    else:
        note(text)
    return {"thread_id": thread["thread_id"], "body": f"Done in {module}.py.", "resolved": True}


def note(text: str) -> None:
    with Path(f"{module}.py").open("a") as file:
        file.write(f"# noted: {' '.join(text.split())[:60]}\n")


def fix() -> dict[str, object]:
    if base := re.search(r"Merge `(origin/\S+)` and resolve it", prompt):
        return resolve(base[1])
    for finding in told(r"finding \d+"):
        note(finding)
    return {"status": "success", "summary": "Repaired what was found."}


def resolve(base: str) -> dict[str, object]:
    """Merge the base and keep the lines of both sides."""
    subprocess.run(["git", "merge", "-q", base], check=False, capture_output=True)
    clashing = subprocess.run(
        ["git", "diff", "--name-only", "--diff-filter=U"], check=True, capture_output=True, text=True
    )
    for path in map(Path, clashing.stdout.split()):
        path.write_text(re.sub(r"^(<<<<<<<|=======|>>>>>>>).*\n", "", path.read_text(), flags=re.M))
    subprocess.run(["git", "add", "-A"], check=True)
    subprocess.run(["git", "commit", "-q", "--no-edit"], check=True)
    return {"status": "success", "summary": f"Merged {base} and kept both sides."}


def concern() -> dict[str, object]:
    words = " ".join(told(r"comment by [^\n]*"))
    tickets = [json.loads(block) for block in told(r"[A-Z]+-\d+")]
    concerned = [one["identifier"] for one in tickets if one["title"].removeprefix("Write ") in words]
    return {"summary": "by name", "tickets": concerned}


outcome: dict[str, object]
if name == "breakdown":
    outcome = {"summary": "three modules", "tasks": TASKS, "questions": []}
elif name == "research":
    outcome = {"summary": "looked around", "document": f"# What {title} needs\n\nNothing special.\n"}
elif name == "plan":
    outcome = {"summary": "one phase", "document": PLAN}
elif name == "review":
    outcome = {"verdict": "approved", "summary": "fine", "blockers": []}
elif name == "documentation":
    Path("README.md").write_text("# Documented\n")
    outcome = {"status": "success", "summary": "documented"}
elif name == "feedback":
    outcome = feedback()
elif name == "concern":
    outcome = concern()
elif name == "fix" and "phase" not in header["SCOPE"]:
    outcome = fix()
else:
    outcome = work()
folder = Path(os.environ.get("CALLBOARD_OUTCOME", ".callboard/outcome.json"))
folder.parent.mkdir(parents=True, exist_ok=True)
folder.write_text(json.dumps(outcome))
