"""One file per kind of run; `agents/` are the sub-agents."""
