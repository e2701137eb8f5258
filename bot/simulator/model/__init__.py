"""A scripted model that speaks the Anthropic Messages API: the real agent program runs on it, with no account."""

from bot.simulator.model.app import model_app
from bot.simulator.model.log import Log
from bot.simulator.model.script import (
    Answer,
    Asked,
    Block,
    Fault,
    Script,
    Spent,
    by_key,
    calls,
    concludes,
    runs,
    says,
    writes,
)

__all__ = [
    "Answer",
    "Asked",
    "Block",
    "Fault",
    "Log",
    "Script",
    "Spent",
    "by_key",
    "calls",
    "concludes",
    "model_app",
    "runs",
    "says",
    "writes",
]
