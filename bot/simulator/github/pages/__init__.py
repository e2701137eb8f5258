"""Small pages: what stands in the simulated GitHub, and forms to do by hand what the actors do."""

from bot.simulator.github.pages.site import answer

__all__ = ["answer"]
