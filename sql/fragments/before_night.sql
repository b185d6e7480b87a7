-- Where account a stood at @begin, when a night opened: its last position and what came since, which is nothing if that is of the night before;
-- without one, all there is.
LEFT JOIN LATERAL (SELECT p.net_usage, p.credits, p.as_of FROM reconciler.account_positions p
                   WHERE p.account_id = a.account_id AND p.as_of <= @begin::timestamptz
                   ORDER BY p.business_date DESC LIMIT 1) p ON true
CROSS JOIN LATERAL (
    SELECT coalesce(-sum(e.credits) FILTER (WHERE e.kind IN ('usage', 'credit_back') OR e.kind = 'adjustment' AND e.credits <= 0), 0) AS net_usage,
           coalesce(sum(e.credits), 0) AS credits
    FROM (SELECT e.kind, e.credits FROM source.credit_entries e
          WHERE coalesce(p.as_of, '-infinity') < @begin::timestamptz AND e.account_id = a.account_id AND e.created_at >= coalesce(p.as_of, '-infinity') AND e.created_at < @begin::timestamptz
            AND {{ entry_is_valid }}
            AND NOT EXISTS (SELECT FROM reconciler.late_items l WHERE l.account_id = e.account_id AND l.entry_id = e.id)
          UNION ALL
          SELECT e.kind, e.credits FROM reconciler.late_items l
          JOIN source.credit_entries e ON e.account_id = l.account_id AND e.id = l.entry_id
          WHERE coalesce(p.as_of, '-infinity') < @begin::timestamptz AND l.account_id = a.account_id AND l.booked_at >= coalesce(p.as_of, '-infinity') AND l.booked_at < @begin::timestamptz
            AND {{ entry_is_valid }}) e) s
