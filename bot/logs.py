"""Logs: one readable line per event, decision and action; JSON with CALLBOARD_LOG=json. Secrets are cut out."""

import logging
import re
import sys
from collections.abc import Iterable, MutableMapping
from typing import Any, TextIO

import structlog

from bot.machine.secrets import pattern_of

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def configure(*, as_json: bool = False, secrets: Iterable[str] = (), out: TextIO | None = None) -> None:
    """Send all logs, also those of libraries, through one renderer to `out` (standard error)."""
    hide = Redactor(secrets)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso" if as_json else "%H:%M:%S", utc=as_json),
        structlog.processors.format_exc_info,
        hide,
    ]
    stream = out or sys.stderr
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(colors=stream.isatty(), pad_event_to=22)
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for noisy in ("procrastinate", "uvicorn", "httpx2", "gql", "urllib3", "github", "asyncio", "psycopg"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


class Redactor:
    """Cuts known secrets, everything shaped like one, and control characters out of what people read."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secret = pattern_of(secrets)

    def __call__(self, _logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """A log event without them, and without what is None; only a traceback has more than one line."""
        return {
            self.text(key): self._clean(value, lines=key == "exception")
            for key, value in event.items()
            if value is not None
        }

    def text(self, value: str) -> str:
        """The text without them."""
        return _CONTROL.sub("�", self._secret.sub("[secret]", value))

    def _clean(self, value: Any, *, lines: bool = False) -> Any:
        match value:
            case bool() | int() | float():
                return value
            case dict():
                return {self.text(str(key)): self._clean(one) for key, one in value.items()}
            case list() | tuple() | set() | frozenset():
                return [self._clean(one) for one in value]
        shown = self.text(value if isinstance(value, str) else repr(value))
        return shown if lines else shown.replace("\n", "\\n")
