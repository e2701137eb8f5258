-- Sessions of people who look at the pages. The cookie holds the id; here is only its digest. May be lost: they log in
-- again. `checked_at` is when the person was last seen to be a member.
CREATE TABLE sessions (
    digest bytea PRIMARY KEY,
    provider text NOT NULL,
    person text NOT NULL,
    name text NOT NULL,
    begun_at timestamptz NOT NULL,
    checked_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE INDEX sessions_person ON sessions (provider, person);

-- What the last round on a key saw and decided, for the pages. May be lost: the next round writes it again.
CREATE TABLE pictures (
    key text PRIMARY KEY,
    seen_at timestamptz NOT NULL,
    picture jsonb NOT NULL
);
