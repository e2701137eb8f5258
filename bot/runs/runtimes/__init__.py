"""One file per kind of agent; `REGISTRY` knows them by the names that the policy uses."""
