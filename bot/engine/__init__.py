"""What survives a restart: the inbox of deliveries, the keys that want a look, the runs of agents.

The rest of the house knows `port.Engine`; `postgres.PostgresEngine` is the real one.
"""
