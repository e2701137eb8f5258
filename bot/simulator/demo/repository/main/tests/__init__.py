"""The tests of YouLab: ``make test``."""
