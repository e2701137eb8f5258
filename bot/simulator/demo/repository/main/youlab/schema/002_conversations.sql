CREATE TABLE conversations (
    id INTEGER PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    title TEXT NOT NULL,
    started_at TEXT NOT NULL,
    ended_at TEXT  -- NULL while the conversation goes on
);

CREATE INDEX conversations_of_user ON conversations (user_id, started_at);

CREATE TABLE messages (
    id INTEGER PRIMARY KEY,
    conversation_id INTEGER NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    sender TEXT NOT NULL CHECK (sender IN ('user', 'tutor')),
    text TEXT NOT NULL,
    sent_at TEXT NOT NULL
);

CREATE INDEX messages_of_conversation ON messages (conversation_id, id);
