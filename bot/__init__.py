"""Callboard: from a labelled Linear epic to merged pull requests."""
