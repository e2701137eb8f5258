-- The last request to each webhook address that bore no signature of ours: for the doctor, who asks whether the secret
-- fits. One row per source, so that a stranger can fill nothing.
CREATE TABLE refusals (
    source text PRIMARY KEY,
    refused_at timestamptz NOT NULL
);
