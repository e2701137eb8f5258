"""Sample data, so that the pages have something to show on a developer's machine."""

from __future__ import annotations

import random
import sqlite3
from datetime import UTC, datetime, timedelta

from youlab import auth, conversations

TOPICS = {
    "Why the sky is blue": "Which colour of light does air scatter most?",
    "Long division": "What is left when 7 goes into 95?",
    "Photosynthesis": "Where in the cell does it happen?",
    "The French Revolution": "What did the Third Estate ask for?",
    "Recursion": "What must every recursive function have?",
    "Supply and demand": "What happens to the price when supply falls?",
    "Reading a sonnet": "Where is the turn in this poem?",
    "Probability with dice": "How likely are two sixes in a row?",
}
DAYS = 45


def fill_if_empty(connection: sqlite3.Connection, now: datetime | None = None) -> None:
    """Add the user ``ada`` (password ``lovelace``) with six weeks of conversations to an empty database."""
    if connection.execute("SELECT 1 FROM users").fetchone():
        return
    now = now or datetime.now(UTC).replace(tzinfo=None)
    user = auth.create_user(connection, "ada", "lovelace")
    chance = random.Random(7)  # the same data every time
    for days_ago in range(DAYS, 0, -1):
        for _ in range(chance.choice((0, 1, 1, 2, 3))):
            begin = now - timedelta(days=days_ago, minutes=chance.randrange(600))
            _study(connection, user.id, begin, chance)


def _study(connection: sqlite3.Connection, user_id: int, begin: datetime, chance: random.Random) -> None:
    title, question = chance.choice(sorted(TOPICS.items()))
    conversation = conversations.start(connection, user_id, title, begin)
    conversations.say(connection, conversation, "user", f"Can you explain this to me: {title.lower()}?", begin)
    conversations.say(connection, conversation, "tutor", question, begin + timedelta(minutes=1))
    conversations.finish(connection, conversation, begin + timedelta(minutes=chance.randrange(4, 55)))
