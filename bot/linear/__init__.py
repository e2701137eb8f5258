"""Linear, the first outside world: client (the wire), webhook, observe (into facts), ensure (idempotent verbs)."""
