-- A break stays on the account that it opened on: of a request whose account came to be known later, say. Its id is the same, and so it is
-- the same break. (Taken out and put in again because no row may be moved to another account.)
WITH moved AS (
    DELETE FROM reconciler.findings f
    USING reconciler.breaks b
    WHERE f.business_date = @date::date AND f.job = @job::text
      AND b.break_id = f.break_id AND b.account_id <> f.account_id
      AND b.opened_on <= @date::date AND (b.closed_on IS NULL OR b.closed_on > @date::date)
      AND {{ newest_episode }}
    RETURNING b.account_id, f.kind, f.subject_id, f.field, f.ours, f.theirs, f.variance, f.unit, f.detail
)
INSERT INTO reconciler.findings (account_id, business_date, job, kind, subject_id, field, ours, theirs, variance, unit, detail)
SELECT account_id, @date::date, @job::text, kind, subject_id, field, ours, theirs, variance, unit, detail FROM moved
