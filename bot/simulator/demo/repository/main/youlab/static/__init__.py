"""The style sheets. Every ``.css`` file in this folder is linked from every page, in the order of their names."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent


def names() -> list[str]:
    """The names of all style sheets."""
    return sorted(file.name for file in FOLDER.glob("*.css"))


def read(name: str) -> str | None:
    """The text of a style sheet, or ``None`` when there is none of this name."""
    return (FOLDER / name).read_text(encoding="utf-8") if name in names() else None
