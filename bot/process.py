"""What a process that holds secrets does first: keep itself to itself."""

import ctypes
import resource

_PR_SET_DUMPABLE = 4


def keep_to_itself() -> None:
    """Let no other process of our user read our memory, environment or files, and leave no core dump behind.

    A program that shares our user could read all of it in /proc otherwise (security S-31). Programs that we start are
    not concerned: what they are told is in their own environment.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
