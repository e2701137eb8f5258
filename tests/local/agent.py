"""A stand-in agent for plans on one's own machine: does what the script beside it says for its prompt and phase.

The script is a JSON object; the keys that are looked for are `fix 2 attempt 3`, `fix 2`, `fix`; the value is Python.
"""

import json
import os
import re
import sys
from pathlib import Path

prompt = sys.stdin.read()
header = dict(re.findall(r"^([A-Z_]+): ?(.*)$", prompt, re.M)[:9])
name, attempt = header["PROMPT"], header["ATTEMPT"]
phase = (re.match(r"phase (\d+)", header["SCOPE"]) or [None, "0"])[1]
PLAN = Path("plans/parser.md")
outcome = {"status": "success", "summary": f"did phase {phase}"}
if name == "review":
    outcome = {"verdict": "approved", "summary": "fine", "blockers": []}


def write(path, text="1\n"):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)


def tick(label):
    PLAN.write_text(PLAN.read_text().replace(f"- [ ] {label}", f"- [x] {label}"))


sys.stdout.write(f"working on {name} {phase}\n")
sys.stdout.flush()
script = json.loads(Path(__file__).with_name("script.json").read_text())
steps = [script[key] for key in (f"{name} {phase} attempt {attempt}", f"{name} {phase}", name) if key in script]
exec(steps[0] if steps else "")
folder = Path(os.environ["CALLBOARD_OUTCOME"])
folder.parent.mkdir(parents=True, exist_ok=True)
folder.write_text(json.dumps(outcome))
