"""The reference of the policy, made from its models: `make docs` writes it into docs/configuration.md.

What stands in that file before the mark is written by hand; below it nothing is.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from bot.policy import ModelPrice, Policy, RepositoryPolicy, StageAgent, Strict

PAGE = Path(__file__).parents[1] / "docs" / "configuration.md"
MARK = "<!-- From here on `make docs` writes. -->"


def reference() -> str:
    """Every key of `callboard.toml`: what it takes, its default, and what it does."""
    sections = [_section("[[repositories]]", RepositoryPolicy)]
    for name, field in Policy.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Strict):
            sections.append(_section(f"[{name}]", field.annotation))
    sections.append(_section("[agent.stages.NAME]", StageAgent))
    sections.append(_section('[prices."MODEL"]', ModelPrice))
    states = Policy.model_fields["states"].description
    sections.append(f"### `[states]`\n\n{states} The keys are the stages: `{'`, `'.join(Policy().state_names())}`.\n")
    return "\n".join(sections)


def page(before: str) -> str:
    """The page with its reference made anew; `before` is the page as it stands."""
    head, mark, _ = before.partition(MARK)
    if not mark:
        raise ValueError(f"{PAGE.name} has lost its mark")
    return f"{head}{MARK}\n\n{reference()}"


def _section(title: str, model: type[Strict]) -> str:
    rows = "\n".join(_rows(model))
    told = " ".join((model.__doc__ or "").split())
    return f"### `{title}`\n\n{told}\n\n| key | takes | default | what it does |\n| --- | --- | --- | --- |\n{rows}\n"


def _rows(model: type[Strict]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        if field.annotation is not None and get_origin(field.annotation) is not Mapping and name != "stages":
            cells = (f"`{name}`", _takes(field), _default(field), str(field.description or "").replace("|", "\\|"))
            yield f"| {' | '.join(cells)} |"


def _takes(field: FieldInfo) -> str:
    """The kind of value in words, with its bounds."""
    bounds = [
        f"{sign} {limit:g}"
        for one in field.metadata
        for key, sign in (("ge", "≥"), ("gt", ">"), ("le", "≤"))
        if (limit := getattr(one, key, None)) is not None
    ]
    return ", ".join([_kind(field.annotation), *bounds])


def _kind(kind: Any) -> str:
    if get_origin(kind) is Annotated:
        return _kind(get_args(kind)[0])
    if get_origin(kind) is Literal:
        return " or ".join(f"`{one}`" for one in get_args(kind))
    if get_origin(kind) is tuple:
        return "a list"
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "a name"
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
    plain = [one for one in (get_args(kind) or (kind,)) if one is not type(None)]
    return words.get(_bare(plain[0]), "a value")


def _bare(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "must be given"
    if field.default in (None, ()):
        return "none"
    if isinstance(field.default, tuple):
        return "see the text" if len(field.default) > 4 else f"`{json.dumps(field.default)}`"
    return f"`{json.dumps(field.default)}`"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
    sys.stdout.write(f"{PAGE.name} is written\n")
