"""What answers HTTP: webhooks, health, metrics, and the page to look at."""
