-- Inbox: the truth about what came in. A row is open until done_at is set.
CREATE TABLE deliveries (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source text NOT NULL,
    delivery text NOT NULL,
    event text NOT NULL,
    subject text,
    key text,
    body bytea NOT NULL,
    received_at timestamptz NOT NULL,
    late boolean NOT NULL,
    ignored text,
    parked text,
    done_at timestamptz,
    UNIQUE (source, delivery)
);
CREATE INDEX deliveries_open ON deliveries (key) WHERE done_at IS NULL;
CREATE INDEX deliveries_latest ON deliveries (source, received_at);

-- Keys: `wanted` counts the hints, `served` is the count that the last good round had seen. Both change under the
-- row's lock, so they commit in order (serial ids do not).
CREATE TABLE keys (
    key text PRIMARY KEY,
    wanted bigint NOT NULL DEFAULT 0,
    served bigint NOT NULL DEFAULT 0,
    not_before timestamptz,
    attempts integer NOT NULL DEFAULT 0,
    error text,
    failed_at timestamptz,
    retry_at timestamptz, -- 'infinity': parked
    touched_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX keys_waiting ON keys (key) WHERE wanted > served;

CREATE TABLE routes (
    subject text PRIMARY KEY,
    key text NOT NULL,
    touched_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX routes_key ON routes (key);

-- Runs: "running" means that it holds its slots; `owner` is set when a process has begun it.
CREATE TABLE runs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id text NOT NULL UNIQUE,
    key text NOT NULL,
    issue text NOT NULL,
    generation integer NOT NULL,
    stage text NOT NULL,
    caps jsonb NOT NULL,
    priority integer NOT NULL,
    spec jsonb NOT NULL,
    state text NOT NULL CHECK (state IN ('queued', 'running', 'finished', 'canceled')),
    fence integer NOT NULL DEFAULT 0,
    owner text,
    beat_at timestamptz,
    queued_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    finished_at timestamptz,
    result jsonb,
    stop_reason text
);
CREATE INDEX runs_key ON runs (key);
CREATE INDEX runs_issue ON runs (issue, generation);
CREATE INDEX runs_live ON runs (priority, queued_at) WHERE state IN ('queued', 'running');

CREATE TABLE resyncs (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    claimed_at timestamptz NOT NULL
);
INSERT INTO resyncs (claimed_at) VALUES ('-infinity');

-- Procrastinate does not tell its workers that a lock became free: a job held back by it waited for the next poll.
CREATE FUNCTION callboard_lock_is_free() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify(
        'procrastinate_queue_v1#' || OLD.queue_name,
        json_build_object('type', 'job_inserted', 'job_id', OLD.id)::text
    );
    RETURN NULL;
END;
$$;
CREATE TRIGGER callboard_lock_is_free AFTER DELETE ON procrastinate_jobs
    FOR EACH ROW WHEN (OLD.lock IS NOT NULL) EXECUTE FUNCTION callboard_lock_is_free();
