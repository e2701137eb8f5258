"""A stand-in agent for the `command` runtime: reads the prompt, does a little real work, writes its outcome.

It is told what to do by the title of its ticket: “Write NAME.py” writes that module with a test.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

prompt = sys.stdin.read()
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
"""


def work() -> dict[str, object]:
    Path(f"{module}.py").write_text(f"NAME = {module!r}\nTOLD = {len(prompt)}\n")
    Path(f"test_{module}.py").write_text(f"import {module}\nassert {module}.NAME\n")
    subprocess.run(["git", "add", "-A"], check=True)
    subprocess.run(["git", "commit", "-q", "-m", "work"], check=True)
    return {"status": "success", "summary": f"wrote {module}.py", "verified": ["`python3 -m unittest`"]}


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
else:
    outcome = work()
folder = Path(os.environ.get("CALLBOARD_OUTCOME", ".callboard/outcome.json"))
folder.parent.mkdir(parents=True, exist_ok=True)
folder.write_text(json.dumps(outcome))
