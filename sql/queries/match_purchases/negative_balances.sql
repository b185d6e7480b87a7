-- Accounts that moved tonight, or were negative before: the balance as of the night's end. It is the account's last position, where the
-- books have left one, what came between that and the night, which is looked up, and what the night brought, which is added up in one go.
WITH looked_at AS MATERIALIZED (
    SELECT account_id, sum(credits) AS credits
    FROM (SELECT e.account_id, e.credits FROM {{ entries_of_night }} e
          UNION ALL
          SELECT b.account_id, 0 FROM reconciler.breaks b
          WHERE b.job = @job::text AND b.kind = 'negative_balance' AND b.opened_on < @date::date AND (b.closed_on IS NULL OR b.closed_on >= @date::date)) x
    GROUP BY 1
), balance AS MATERIALIZED (
    SELECT l.account_id, coalesce(p.credits, 0) + s.credits + l.credits AS credits
    FROM looked_at l
    LEFT JOIN LATERAL (SELECT p.credits, p.as_of FROM reconciler.account_positions p
                       WHERE p.account_id = l.account_id AND p.business_date < @date::date
                       ORDER BY p.business_date DESC LIMIT 1) p ON true
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(e.credits), 0) AS credits
        FROM (SELECT e.credits FROM source.credit_entries e
              WHERE e.account_id = l.account_id AND e.created_at >= coalesce(p.as_of, '-infinity') AND e.created_at < @begin::timestamptz
                AND {{ entry_is_valid }}
                AND NOT EXISTS (SELECT FROM reconciler.late_items i WHERE i.account_id = e.account_id AND i.entry_id = e.id)
              UNION ALL
              SELECT e.credits FROM reconciler.late_items i
              JOIN source.credit_entries e ON e.account_id = i.account_id AND e.id = i.entry_id
              WHERE i.account_id = l.account_id AND i.booked_at >= coalesce(p.as_of, '-infinity') AND i.booked_at < @begin::timestamptz
                AND {{ entry_is_valid }}) e) s
), found AS (
    INSERT INTO reconciler.findings (account_id, business_date, job, kind, subject_id, field, ours, theirs, variance, unit, detail)
    SELECT account_id, @date::date, @job::text, 'negative_balance', account_id, 'credits', credits::text, '0', credits, 'credits', 'the balance is ' || credits || ' credits'
    FROM balance WHERE credits < 0
)
SELECT count(*)::text AS accounts, count(*) FILTER (WHERE credits >= 0)::text AS matched, count(*) FILTER (WHERE credits < 0)::text AS breaks FROM balance
