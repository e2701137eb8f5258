"""From settings and policy to what the gateway needs: where the models are, what opens them, what they cost."""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.config import Settings
from bot.policy import Policy
from bot.runs.gateway import Upstream
from bot.runs.prices import PRICES, Price


@dataclass(frozen=True)
class Models:
    """What the policy says of models: prices by name, and tools at the vendor that agents may use."""

    prices: Mapping[str, Price]
    server_tools: frozenset[str]


def models_of(settings: Settings) -> Upstream:
    """Where the models are, and the keys of this service."""
    return Upstream(
        settings.anthropic_base_url,
        settings.anthropic_api_key or "",
        settings.claude_code_oauth_token or "",
        settings.openai_base_url,
        settings.openai_api_key or "",
    )


def models_of_policy(policy: Policy) -> Models:
    """The price table with what the policy changes in it, and the vendor's tools that it allows."""
    own = {name: Price(**price.model_dump()) for name, price in policy.prices.items()}
    return Models({**PRICES, **own}, frozenset(policy.agent.server_tools))
