"""How most stories begin: an epic whose breakdown is approved."""

from bot.machine.facts import Blocking, Rules
from tests.machine.conftest import Board


def begun(boards: type[Board], **rules: object) -> Board:
    """A board of these rules, after turn 1."""
    board = boards(rules=Rules(**rules))  # type: ignore[arg-type]
    board.settle().work()
    board.comments("epic", "approve")
    return board.settle()


def blocked_by(board: Board, key: str) -> tuple[Blocking, ...]:
    """That another ticket blocks this one, as Linear tells it."""
    one = board.issues[key]
    return (Blocking(key, one.identifier, one.stage, one.state_name, over=False),)
