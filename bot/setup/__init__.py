"""Set-up: from nothing to a service that can start, by a page or in a terminal, over the same steps."""
