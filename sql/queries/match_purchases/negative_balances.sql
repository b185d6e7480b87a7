-- Accounts that moved tonight, or were negative before: the balance as of the night's end.
WITH looked_at AS (
    SELECT e.account_id FROM {{ entries_of_night }} e
    UNION
    SELECT b.account_id FROM reconciler.breaks b
    WHERE b.job = @job::text AND b.kind = 'negative_balance' AND b.opened_on < @date::date AND (b.closed_on IS NULL OR b.closed_on >= @date::date)
), balance AS MATERIALIZED (
    SELECT l.account_id, coalesce(sum(e.credits), 0) AS credits
    FROM looked_at l
    LEFT JOIN {{ entries }} e ON e.account_id = l.account_id AND e.effective_at < @as_of::timestamptz
    GROUP BY 1
), found AS (
    INSERT INTO reconciler.findings (account_id, business_date, job, kind, subject_id, field, ours, theirs, variance, unit, detail)
    SELECT account_id, @date::date, @job::text, 'negative_balance', account_id, 'credits', credits::text, '0', credits, 'credits', 'the balance is ' || credits || ' credits'
    FROM balance WHERE credits < 0
)
SELECT count(*)::text AS accounts, count(*) FILTER (WHERE credits >= 0)::text AS matched, count(*) FILTER (WHERE credits < 0)::text AS breaks FROM balance
