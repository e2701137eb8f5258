"""Runs: one agent process doing one stage of one ticket once, in a fresh context, behind walls."""
