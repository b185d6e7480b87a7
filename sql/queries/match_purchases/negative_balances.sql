-- Accounts that moved tonight, or were negative before: the balance as of the night's end.
WITH known AS MATERIALIZED (
    SELECT DISTINCT b.account_id FROM reconciler.breaks b
    WHERE b.job = @job::text AND b.kind = 'negative_balance' AND b.opened_on < @date::date AND (b.closed_on IS NULL OR b.closed_on >= @date::date)
), there AS MATERIALIZED (
    SELECT m.account_id FROM known k JOIN reconciler.account_moves m ON m.account_id = k.account_id AND m.business_date = @date::date AND m.moved
), a AS MATERIALIZED (
    SELECT account_id FROM known EXCEPT SELECT account_id FROM there
), {{ stood_before }}, moved AS MATERIALIZED (
    SELECT count(*) AS accounts FROM reconciler.account_moves m WHERE m.business_date = @date::date AND m.moved
), negative AS MATERIALIZED (
    SELECT m.account_id, m.balance_before + m.credits AS credits
    FROM reconciler.account_moves m
    WHERE m.business_date = @date::date AND m.moved AND m.balance_before + m.credits < 0
), below AS MATERIALIZED (
    SELECT n.account_id, n.credits FROM negative n
    UNION ALL
    SELECT s.account_id, s.credits FROM stood s WHERE s.credits < 0
), found AS (
    INSERT INTO reconciler.findings (account_id, business_date, job, kind, subject_id, field, ours, theirs, variance, unit, detail)
    SELECT account_id, @date::date, @job::text, 'negative_balance', account_id, 'credits', credits::text, '0', credits, 'credits', 'the balance is ' || credits || ' credits'
    FROM below
)
SELECT (x.accounts - x.breaks) AS matched, x.breaks AS breaks
FROM (SELECT (SELECT accounts FROM moved) + (SELECT count(*) FROM a) AS accounts, (SELECT count(*) FROM below) AS breaks) x
