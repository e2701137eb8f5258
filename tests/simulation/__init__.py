"""The whole service in one process on virtual time, between simulated worlds: `python -m tests.simulation`."""
