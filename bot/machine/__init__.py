"""The machine: facts in, decisions out. Nothing here does I/O, reads a clock or knows a wire format."""
