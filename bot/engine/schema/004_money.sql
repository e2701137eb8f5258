-- Money: what runs used of their models, by day; what is taken off for calls under way; what epics may cost; the pause.
CREATE TABLE spending (
    run_id text NOT NULL,
    day date NOT NULL,
    key text NOT NULL,
    issue text NOT NULL,
    stage text NOT NULL,
    calls integer NOT NULL DEFAULT 0,
    usd double precision NOT NULL DEFAULT 0,
    reserved double precision NOT NULL DEFAULT 0,
    tokens_read bigint NOT NULL DEFAULT 0,
    tokens_written bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (run_id, day)
);
CREATE INDEX spending_key ON spending (key);
CREATE INDEX spending_day ON spending (day);

-- `opening` is what an epic had cost, by its records on Linear, that this database knows nothing of.
CREATE TABLE accounts (
    key text PRIMARY KEY,
    budget double precision NOT NULL,
    opening double precision NOT NULL DEFAULT 0
);

CREATE TABLE pauses (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    until timestamptz NOT NULL,
    why text NOT NULL
);

-- One call's price is taken off, or not, in one step that no other can come between: each statement in here sees what
-- was committed before the lock was had. What a dead process had taken off counts as spent.
CREATE FUNCTION callboard_reserve(a_run text, amount double precision, day_budget double precision)
RETURNS TABLE (verdict text, spent double precision, budget double precision, until timestamptz, why text)
LANGUAGE plpgsql AS $$
DECLARE
    run record;
    account record;
    pause record;
    today date := (now() AT TIME ZONE 'UTC')::date;
    epic_spent double precision;
    epic_held double precision;
    day_spent double precision;
    day_held double precision;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext(current_schema() || ' callboard money'));
    SELECT r.key, r.issue, r.stage INTO run FROM runs AS r WHERE r.run_id = a_run AND r.state = 'running';
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'unknown', 0::float8, 0::float8, NULL::timestamptz, ''; RETURN;
    END IF;
    SELECT p.until, p.why INTO pause FROM pauses AS p WHERE p.until > now();
    IF FOUND THEN
        RETURN QUERY SELECT 'paused', 0::float8, 0::float8, pause.until, pause.why; RETURN;
    END IF;
    SELECT a.budget, a.opening INTO account FROM accounts AS a WHERE a.key = run.key;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'wait', 0::float8, 0::float8, NULL::timestamptz, ''; RETURN;
    END IF;
    SELECT coalesce(sum(s.usd + CASE WHEN r.state = 'running' THEN 0 ELSE s.reserved END), 0) + account.opening,
        coalesce(sum(CASE WHEN r.state = 'running' THEN s.reserved ELSE 0 END), 0)
        INTO epic_spent, epic_held FROM spending AS s LEFT JOIN runs AS r USING (run_id) WHERE s.key = run.key;
    IF epic_spent >= account.budget THEN
        RETURN QUERY SELECT 'epic', epic_spent, account.budget, NULL::timestamptz, ''; RETURN;
    END IF;
    SELECT coalesce(sum(s.usd + CASE WHEN r.state = 'running' THEN 0 ELSE s.reserved END), 0),
        coalesce(sum(CASE WHEN r.state = 'running' THEN s.reserved ELSE 0 END), 0)
        INTO day_spent, day_held FROM spending AS s LEFT JOIN runs AS r USING (run_id) WHERE s.day = today;
    IF day_spent >= day_budget THEN
        RETURN QUERY SELECT 'day', day_spent, day_budget, NULL::timestamptz, ''; RETURN;
    END IF;
    IF (epic_held > 0 AND epic_spent + epic_held >= account.budget)
        OR (day_held > 0 AND day_spent + day_held >= day_budget) THEN
        RETURN QUERY SELECT 'wait', epic_spent, account.budget, NULL::timestamptz, ''; RETURN;
    END IF;
    INSERT INTO spending AS s (run_id, day, key, issue, stage, reserved)
        VALUES (a_run, today, run.key, run.issue, run.stage, amount)
        ON CONFLICT (run_id, day) DO UPDATE SET reserved = s.reserved + excluded.reserved;
    RETURN QUERY SELECT 'granted', epic_spent, account.budget, NULL::timestamptz, '';
END;
$$;
