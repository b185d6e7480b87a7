-- A break stays on the account that it opened on: of a request whose account came to be known later, say. Its id is the same, and so it is
-- the same break, and what a person has said of it holds. (Taken out and put in again because no row may be moved to another account.)
WITH rule AS (
    SELECT r.* FROM {{ break_rules }} r
), elsewhere AS MATERIALIZED (
    SELECT DISTINCT ON (f.break_id) f.account_id, f.break_id, b.account_id AS stands_on
    FROM {{ stands_elsewhere }}
    ORDER BY f.break_id, b.opened_on DESC
), moved AS (
    DELETE FROM reconciler.findings f
    USING elsewhere x
    WHERE f.business_date = @date::date AND f.job = @job::text AND f.account_id = x.account_id AND f.break_id = x.break_id
    RETURNING x.stands_on, f.kind, f.subject_id, f.field, f.ours, f.theirs, f.variance, f.unit, f.detail
)
INSERT INTO reconciler.findings (account_id, business_date, job, kind, subject_id, field, ours, theirs, variance, unit, detail)
SELECT stands_on, @date::date, @job::text, kind, subject_id, field, ours, theirs, variance, unit, detail FROM moved
