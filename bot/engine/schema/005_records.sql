-- Which record of an issue was written last: Linear has no compare-and-set, and what it shows may be some seconds old.
-- `intended` is the number of the newest record that was about to be written, `written` that of the newest one that
-- stood on Linear, with its signed text.
CREATE TABLE records (
    issue text PRIMARY KEY,
    key text NOT NULL,
    intended bigint NOT NULL,
    intended_at timestamptz NOT NULL DEFAULT now(),
    written bigint NOT NULL DEFAULT 0,
    written_at timestamptz,
    text text NOT NULL DEFAULT ''
);
CREATE INDEX records_key ON records (key);
