-- Accounts that moved tonight, or were negative before: the balance as of the night's end.
WITH balance AS MATERIALIZED (
    SELECT m.account_id, m.balance_before + m.credits AS credits
    FROM reconciler.account_moves m
    WHERE m.business_date = @date::date AND m.moved
    UNION ALL
    SELECT a.account_id, coalesce(p.credits, 0) + s.credits
    FROM (SELECT DISTINCT b.account_id FROM reconciler.breaks b
          WHERE b.job = @job::text AND b.kind = 'negative_balance' AND b.opened_on < @date::date AND (b.closed_on IS NULL OR b.closed_on >= @date::date)
            AND NOT EXISTS (SELECT FROM reconciler.account_moves m WHERE m.account_id = b.account_id AND m.business_date = @date::date AND m.moved)) a
    {{ before_night }}
), found AS (
    INSERT INTO reconciler.findings (account_id, business_date, job, kind, subject_id, field, ours, theirs, variance, unit, detail)
    SELECT account_id, @date::date, @job::text, 'negative_balance', account_id, 'credits', credits::text, '0', credits, 'credits', 'the balance is ' || credits || ' credits'
    FROM balance WHERE credits < 0
)
SELECT count(*)::text AS accounts, count(*) FILTER (WHERE credits >= 0)::text AS matched, count(*) FILTER (WHERE credits < 0)::text AS breaks FROM balance
