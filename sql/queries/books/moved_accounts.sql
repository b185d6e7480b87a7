-- Accounts that moved tonight. Their net usage at opening is their last position and what came since; without one, all there is.
WITH moved AS (
    SELECT x.account_id, {{ moves_of_entries }}
    FROM {{ entries_of_night }} x
    GROUP BY 1
    UNION ALL
    SELECT p.account_id, 0, 0, 0, 0
    FROM reconciler.booked_purchases p
    WHERE p.booked_at >= @begin::timestamptz AND p.booked_at < @end::timestamptz
), account AS (
    SELECT account_id, sum(taken) AS taken, sum(usage) AS usage, sum(credit_backs) AS credit_backs, sum(late_net) AS late_net
    FROM moved GROUP BY 1
)
INSERT INTO reconciler.account_moves (account_id, business_date, net_before, taken, usage, credit_backs, late_net)
SELECT a.account_id, @date::date, coalesce(p.net_usage, 0) + s.net_usage, a.taken, a.usage, a.credit_backs, a.late_net
FROM account a
LEFT JOIN LATERAL (SELECT p.net_usage, p.as_of FROM reconciler.account_positions p
                   WHERE p.account_id = a.account_id AND p.business_date < @date::date
                   ORDER BY p.business_date DESC LIMIT 1) p ON true
CROSS JOIN LATERAL (
    SELECT coalesce(-sum(e.credits), 0) AS net_usage
    FROM (SELECT e.id, e.kind, e.credits FROM source.credit_entries e
          WHERE e.account_id = a.account_id AND e.created_at >= coalesce(p.as_of, '-infinity') AND e.created_at < @begin::timestamptz
            AND {{ entry_is_valid }}
            AND NOT EXISTS (SELECT FROM reconciler.late_items l WHERE l.account_id = e.account_id AND l.entry_id = e.id)
          UNION ALL
          SELECT e.id, e.kind, e.credits FROM reconciler.late_items l
          JOIN source.credit_entries e ON e.account_id = l.account_id AND e.id = l.entry_id
          WHERE l.account_id = a.account_id AND l.booked_at >= coalesce(p.as_of, '-infinity') AND l.booked_at < @begin::timestamptz
            AND {{ entry_is_valid }}) e
    WHERE e.kind IN ('usage', 'credit_back') OR e.kind = 'adjustment' AND e.credits <= 0) s
