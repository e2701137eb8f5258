"""An agent of the `command` runtime for stories about phases; the title of its ticket says what goes wrong.

“asks” asks a question until somebody said SQLite; “breaks” leaves what the service's verification finds broken, and its
repairs repair it only when somebody said how.
"""

import json
import os
import re
import sys
from pathlib import Path

prompt = sys.stdin.read()
header = dict(re.findall(r"^([A-Z_]+): ?(.*)$", prompt, re.M)[:9])
phase = int((re.match(r"phase (\d+)", header["SCOPE"]) or [None, "0"])[1])
PLAN = """# Plan

## Phase 1: Store it
#### Automated Verification:
- [ ] It is there: `test -f store.py`

## Phase 2: Show it
#### Automated Verification:
- [ ] It is there: `test -f show.py`
- [ ] It is whole: `! grep -q broken show.py`
#### Manual Verification:
- [ ] It looks right
"""


def work() -> dict[str, object]:
    if phase == 1:
        Path("store.py").write_text("STORE = 1\n")
        if "asks" in header["TITLE"] and "SQLite" not in prompt:
            options = ["SQLite", "a file"]
            return {"status": "needs_input", "summary": "?", "question": "Which database?", "options": options}
    elif phase == 2:
        mended = "breaks" not in header["TITLE"] or "write it anew" in prompt
        Path("show.py").write_text("SHOW = 1\n" if mended else "SHOW = broken\n")
    else:
        Path("wish.py").write_text("WISH = 1\n")
    return {"status": "success", "summary": f"did {header['SCOPE'] or 'it'}"}


outcome: dict[str, object]
match header["PROMPT"]:
    case "research":
        outcome = {"summary": "looked", "document": "# Found\n"}
    case "plan":
        outcome = {"summary": "two phases", "document": PLAN}
    case "review":
        outcome = {"verdict": "approved", "summary": "fine", "blockers": []}
    case _:
        outcome = work()
place = Path(os.environ["CALLBOARD_OUTCOME"])
place.parent.mkdir(parents=True, exist_ok=True)
place.write_text(json.dumps(outcome))
