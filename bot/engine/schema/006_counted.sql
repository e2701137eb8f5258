-- What of the spending counts as spent, and what is held for calls that are under way: what a dead process had taken
-- off counts as spent. It stands here alone, for whoever lets a call pass and for whoever tells what an epic has cost.
CREATE VIEW counted AS
    SELECT s.run_id, s.day, s.key,
        s.usd + CASE WHEN r.state = 'running' THEN 0 ELSE s.reserved END AS spent,
        CASE WHEN r.state = 'running' THEN s.reserved ELSE 0 END AS held
    FROM spending AS s LEFT JOIN runs AS r USING (run_id);

-- As in 004, with that view.
CREATE OR REPLACE FUNCTION callboard_reserve(a_run text, amount double precision, day_budget double precision)
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
    SELECT coalesce(sum(c.spent), 0) + account.opening, coalesce(sum(c.held), 0)
        INTO epic_spent, epic_held FROM counted AS c WHERE c.key = run.key;
    IF epic_spent >= account.budget THEN
        RETURN QUERY SELECT 'epic', epic_spent, account.budget, NULL::timestamptz, ''; RETURN;
    END IF;
    SELECT coalesce(sum(c.spent), 0), coalesce(sum(c.held), 0)
        INTO day_spent, day_held FROM counted AS c WHERE c.day = today;
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
