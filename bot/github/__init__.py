"""GitHub: the wire (`client`, `errors`), its webhooks (`webhook`), reading it (`observe`), making it so (`ensure`)."""

import logging

import github  # noqa: F401  # so that what it does when it is imported is undone here

# PyGithub writes to standard error by itself, past the service's own logs: twice, in another form, and with the tokens
# that it was given.
logging.getLogger("github").handlers.clear()
