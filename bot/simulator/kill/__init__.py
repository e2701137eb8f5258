"""The real service as a process, killed at random moments while it works: what is lost, what is done twice?

    make kill ROUNDS=50

The simulated Linear and GitHub, and the people, live in the harness; the service, its PostgreSQL and its agents are
processes of their own, watched from outside through the process table.
"""
