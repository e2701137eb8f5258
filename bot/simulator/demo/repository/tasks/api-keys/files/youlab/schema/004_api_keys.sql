CREATE TABLE api_keys (
    id INTEGER PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    label TEXT NOT NULL,
    ending TEXT NOT NULL,  -- the last characters, so that people recognise a key
    digest TEXT NOT NULL UNIQUE,
    created_at TEXT NOT NULL
);
