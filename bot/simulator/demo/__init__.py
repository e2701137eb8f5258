"""The demo: what it is about, and the program that runs it."""
