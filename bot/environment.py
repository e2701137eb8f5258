"""The settings that `callboard setup` wrote, as a file of `NAME=value` lines in `CALLBOARD_HOME`.

The lines are those of a systemd EnvironmentFile and of `docker run --env-file`, without quotes. Whatever is set in the
process's own environment goes before them.
"""

import os
from collections.abc import Mapping
from pathlib import Path

NAME = "environment"


def home_of(environment: Mapping[str, str]) -> Path:
    """Where everything of this service lies."""
    user = Path(environment.get("HOME", "~")).expanduser()
    return Path(environment.get("CALLBOARD_HOME") or user / ".callboard").absolute()


def read_lines(path: Path) -> dict[str, str]:
    """What the file sets; nothing when it is not there."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        return {}
    pairs = (line.strip().partition("=") for line in text.splitlines())
    return {name.strip(): value.strip() for name, sign, value in pairs if sign and not name.startswith("#")}


def environment(process: Mapping[str, str] | None = None) -> dict[str, str]:
    """The settings of the file with those of the process (by default this one's environment) before them.

    Naming a secret in one form takes the place of its other form: `NAME` in the process hides `NAME_FILE` in the file.
    """
    own = os.environ if process is None else process
    filed = read_lines(home_of(own) / NAME)
    hidden = {f"{name}_FILE" for name in own} | {name.removesuffix("_FILE") for name in own if name.endswith("_FILE")}
    return {**{name: value for name, value in filed.items() if name not in hidden}, **own}
