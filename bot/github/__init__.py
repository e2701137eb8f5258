"""GitHub: the wire (`client`, `errors`), its webhooks (`webhook`), reading it (`observe`), making it so (`ensure`)."""
