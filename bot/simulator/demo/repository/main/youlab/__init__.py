"""YouLab: a small place to study by conversation."""
