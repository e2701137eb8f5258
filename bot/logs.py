"""Logs: one readable line per event, decision and action; JSON with CALLBOARD_LOG=json. Secrets are cut out."""

import logging
import re
import sys
from collections.abc import Iterable, MutableMapping
from typing import Any, TextIO

import structlog

_SHAPES = re.compile(
    r"(gh[pousr]_[A-Za-z0-9_.-]{10,}|github_pat_\w{10,}|lin_(?:api|oauth|wh)_\w{8,}|sk-ant-[\w-]{8,}"
    r"|eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}|-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*-----END [A-Z ]*PRIVATE KEY-----)"
)
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
        self._secrets = tuple(secret for secret in secrets if len(secret) >= 8)

    def __call__(self, _logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """A log event without them, and without what is None."""
        return {key: self._clean(value) for key, value in event.items() if value is not None}

    def _clean(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._clean(one) for key, one in value.items()}
        return self.text(value) if isinstance(value, str) else value

    def text(self, value: str) -> str:
        """The text without them."""
        for secret in self._secrets:
            value = value.replace(secret, "[secret]")
        return _CONTROL.sub("�", _SHAPES.sub("[secret]", value))
