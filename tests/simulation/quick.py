"""What makes thousands of rounds a second possible without changing what any of them does.

GraphQL documents are not printed and parsed (`linear_door.together`), records are not packed, requests come whole,
nothing is logged or counted, and pure functions remember what they said. Frozen dataclasses are made and copied without
`object.__setattr__`, so nothing but mypy keeps them frozen here. It lasts as long as the `with` block.
"""

import contextlib
import dataclasses
import functools
import sys
import zlib
from collections.abc import Iterator
from types import FunctionType, SimpleNamespace
from typing import Any

import structlog
from itsdangerous import _json, url_safe
from prometheus_client.metrics import MetricWrapperBase
from pydantic_core import to_json

from bot import observe, reconcile
from bot.github import observe as github_observe
from bot.github.operations import pulls_document
from bot.github.pulls import read_pull
from bot.linear import batch, ensure, movers, reading, records
from bot.linear import observe as linear_observe
from bot.linear.marker import marker_of, proven
from bot.machine import comments, inert, plan, watchdog
from bot.machine.record import generation_of
from bot.machine.stack import branch_of
from bot.machine.visible import visible_characters
from bot.policy import Policy
from bot.voice import Voice
from bot.web import intake
from tests.simulation import clock
from tests.simulation.linear_door import together

_KEPT = 4096


def _by_text(function: Any) -> Any:
    """Remembers what a pure function of a metadata's text said."""
    kept: dict[Any, Any] = {}

    def remembered(metadata: Any, issue: str, keys: Any) -> Any:
        text = metadata.get("callboard")
        if not isinstance(text, str):
            return function(metadata, issue, keys)
        name = (text, issue, tuple(keys))
        if name not in kept:
            if len(kept) >= _KEPT:
                kept.clear()
            kept[name] = function(metadata, issue, keys)
        return kept[name]

    return remembered


def _by_issue(function: Any) -> Any:
    """Remembers what each account read from an issue of Linear; its door tells the same one by the same object."""
    kept: dict[tuple[int, str], tuple[Any, Any]] = {}

    def remembered(reader: Any, node: Any) -> Any:
        name = id(node), reader.viewer
        known = kept.get(name)
        if known is None:
            known = kept[name] = node, function(reader, node)
        return known[1]

    return remembered


def _by_comment(function: Any) -> Any:
    """The same for comments."""
    kept: dict[tuple[int, str], tuple[Any, Any]] = {}

    def remembered(reader: Any, issue: str, node: Any) -> Any:
        name = id(node), reader.viewer
        known = kept.get(name)
        if known is None:
            known = kept[name] = node, function(reader, issue, node)
        return known[1]

    return remembered


def _by_object(function: Any) -> Any:
    """Remembers what was made of each object, of those that are replaced when anything about them changes."""
    kept: dict[int, tuple[Any, Any]] = {}

    def remembered(thing: Any) -> Any:
        known = kept.get(id(thing))
        if known is None:
            known = kept[id(thing)] = thing, function(thing)
        return known[1]

    return remembered


def _by_ticket(function: Any) -> Any:
    """The same for a ticket, which is made anew of the same parts."""
    kept: dict[tuple[int, ...], tuple[Any, Any]] = {}

    def remembered(ticket: Any) -> Any:
        name = (id(ticket.issue), id(ticket.pull_request), *map(id, ticket.runs))
        known = kept.get(name)
        if known is None:
            known = kept[name] = ticket, function(ticket)
        return known[1]

    return remembered


def _by_pull(function: Any) -> Any:
    """The same for a pull request as GitHub tells it; who may write counts too."""
    kept: dict[int, tuple[Any, Any, Any]] = {}

    def remembered(node: Any, repository: Any, listener: Any) -> Any:
        known = kept.get(id(node))
        if known is None or known[1] != listener:
            known = kept[id(node)] = node, listener, function(node, repository, listener)
        return known[2]

    return remembered


_LEFT_OUT = object()


def _replaced(thing: Any, /, **changes: Any) -> Any:
    """What `dataclasses.replace` gives, in a tenth of its time; the same object when nothing changes."""
    return _copier(thing.__class__, *changes)(thing, *changes.values())


@functools.cache
def _copier(kind: type, *changed: str) -> Any:
    """A function that makes a copy of a dataclass with these fields changed."""
    lines = [
        f"    if {' and '.join(f'_old.{name} is {name}' for name in changed) or 'True'}: return _old",
        "    _new = _make(_kind)",
        *(f"    _new.{name} = {name}" for name in changed),
        *(f"    _new.{one.name} = _old.{one.name}" for one in dataclasses.fields(kind) if one.name not in changed),
        "    return _new",
    ]
    text = "\n".join((f"def copied({', '.join(('_old', *changed))}):", *lines))
    return _function("copied", text, _kind=kind, _make=object.__new__)


def _initialised(kind: type) -> Any:
    """What makes a dataclass; that of a frozen one takes five times as long, by `object.__setattr__` for each field."""
    given, takes, sets = dict[str, Any](), ["self"], ["    pass"]
    for one in dataclasses.fields(kind):
        name, value = one.name, one.name
        if one.default_factory is not dataclasses.MISSING:
            given[f"_{name}"] = one.default_factory
            takes.append(f"{name}=_left_out")
            value = f"_{name}() if {name} is _left_out else {name}"
        elif one.default is not dataclasses.MISSING:
            given[f"_{name}"] = one.default
            takes.append(f"{name}=_{name}")
        else:
            takes.append(name)
        sets.append(f"    self.{name} = {value}")
    return _function("__init__", "\n".join((f"def __init__({', '.join(takes)}):", *sets)), **given)


def _shown(kind: type) -> Any:
    """The same text as a dataclass tells of itself, without a look whether it holds itself."""
    parts = ", ".join(f"{one.name}={{self.{one.name}!r}}" for one in dataclasses.fields(kind) if one.repr)
    return _function("__repr__", f"def __repr__(self): return f'{kind.__qualname__}({parts})'")


def _function(name: str, text: str, **given: Any) -> Any:
    """A function of this text, as `dataclass` makes its own."""
    known = {**given, "_left_out": _LEFT_OUT}
    exec(text, known)
    return known[name]


class _Uncounted:
    """A metric that nobody reads."""

    def inc(self, _amount: float = 1) -> None: ...

    def set(self, _value: float) -> None: ...

    def observe(self, _amount: float) -> None: ...


async def _whole(request: Any, _limit: int) -> bytes:
    """The body of a request that came at once."""
    return bytes((await request.receive())["body"])


def _tells_nobody(_facts: Any, _decision: Any) -> None: ...


_UNCOUNTED = _Uncounted()


def _by_words(function: Any) -> Any:
    """Remembers the texts that were made of these values."""
    kept: dict[tuple[str, str], str] = {}

    def remembered(voice: Any, words: str, values: Any) -> Any:
        name = words, repr(values)
        text = kept.get(name)
        if text is None:
            if len(kept) >= _KEPT:
                kept.clear()
            text = kept[name] = function(voice, words, values)
        return text

    return remembered


_OF_TEXTS = (
    branch_of, comments.parse, generation_of, inert.disarmed, inert.inert, marker_of, plan.read,
    visible_characters,
)  # fmt: skip
"""Pure functions of texts, which remember what they said."""


class _Silent:
    """A log that nobody reads."""

    def __getattr__(self, _level: str) -> Any:
        return _says_nothing


def _says_nothing(*_args: object, **_values: object) -> None: ...


@functools.cache
def _everywhere() -> tuple[tuple[Any, str, Any], ...]:
    """What is swapped in every module of the service that has it, as (place, name, what stands there instead)."""
    found: list[tuple[Any, str, Any]] = []
    pure = {one: functools.lru_cache(_KEPT)(one) for one in _OF_TEXTS}
    for name, module in tuple(sys.modules.items()):
        if name.partition(".")[0] not in ("bot", "handlers"):
            continue
        if getattr(module, "replace", None) is dataclasses.replace:
            found.append((module, "replace", _replaced))
        if hasattr(module, "log"):
            found.append((module, "log", _Silent()))
        for called, one in vars(module).items():
            if isinstance(one, FunctionType) and one in pure:
                found.append((module, called, pure[one]))
        kinds = [one for one in vars(module).values() if isinstance(one, type) and one.__module__ == name]
        for kind in filter(_is_plain, kinds):
            found += [(kind, "__init__", _initialised(kind)), (kind, "__setattr__", object.__setattr__)]
            if vars(kind)["__dataclass_params__"].repr:
                found.append((kind, "__repr__", _shown(kind)))
    return tuple(found)


def _is_plain(kind: type) -> bool:
    """Whether it is a frozen dataclass that does nothing of its own when it is made."""
    parameters = vars(kind).get("__dataclass_params__")
    own = any(hasattr(kind, name) for name in ("__post_init__", "__slots__"))
    return parameters is not None and parameters.frozen and parameters.init and not own


@contextlib.contextmanager
def quick() -> Iterator[None]:
    """See the top of this file."""
    told = SimpleNamespace(now=lambda _zone: clock.now())
    made = records._serializer
    serializer = functools.cache(lambda *keys: made(list(keys)))
    unseal = _by_text(records.unseal)
    on_linear, on_github = watchdog._on_linear, watchdog._on_github
    changes: list[tuple[Any, str, Any]] = [
        (batch, "combined", together),
        (movers, "combined", together),
        (linear_observe, "combined", together),
        (reading.Reader, "comment", _by_comment(reading.Reader.comment)),
        (reading.Reader, "issue", _by_issue(reading.Reader.issue)),
        *_everywhere(),
        (reading, "unseal", unseal),
        (records, "unseal", unseal),
        (reading, "proven", _proven(proven)),
        (github_observe, "pulls_document", functools.lru_cache(64)(pulls_document)),
        (intake, "datetime", told),
        (intake, "_read", _whole),
        (ensure, "fitting", lambda queue: len(queue[: batch.MOST_WRITES])),
        (reconcile, "_tell", _tells_nobody),
        (watchdog, "_on_linear", _by_object(lambda issue: frozenset(on_linear(issue)))),
        (watchdog, "_on_github", _by_object(lambda pull: frozenset(on_github(pull)))),
        (watchdog, "_fingerprint", _by_ticket(watchdog._fingerprint)),
        (observe, "_run", _by_object(observe._run)),
        (observe, "rules_of", _by_object(observe.rules_of)),
        (github_observe, "read_pull", _by_pull(read_pull)),
        (records, "_serializer", lambda keys: serializer(*keys)),
        (Policy, "state_names", _by_object(Policy.state_names)),
        (_json._CompactJSON, "dumps", staticmethod(lambda thing, **_how: to_json(thing).decode())),
        (url_safe, "zlib", SimpleNamespace(compress=bytes, decompress=zlib.decompress)),
        (MetricWrapperBase, "labels", lambda *_labels, **_more: _UNCOUNTED),
        (Voice, "says", _by_words(Voice.says)),
        (structlog.contextvars, "bound_contextvars", lambda **_values: contextlib.nullcontext()),
    ]
    before = [(place, name, getattr(place, name)) for place, name, _ in changes]
    for place, name, value in changes:
        setattr(place, name, value)
    try:
        yield
    finally:
        for place, name, value in before:
            setattr(place, name, value)


def _proven(function: Any) -> Any:
    @functools.lru_cache(_KEPT)
    def remembered(marker: Any, comment: str, issue: str, keys: tuple[str, ...]) -> bool:
        return bool(function(marker, comment=comment, issue=issue, keys=keys))

    return lambda marker, *, comment, issue, keys: remembered(marker, comment, issue, tuple(keys))
