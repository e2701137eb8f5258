"""A copy of everything a user has studied, as files to take away. docs/export.md describes them."""
