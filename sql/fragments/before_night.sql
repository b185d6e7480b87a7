-- Where account a stood at @begin, when a night began: its last position and what came since, which is nothing if that is of the night before;
-- without one, all there is. For accounts of a common table expression there is stood_before.
LEFT JOIN LATERAL (SELECT p.net_usage, p.credits, p.as_of FROM reconciler.account_positions p
                   WHERE p.account_id = a.account_id AND p.as_of <= @begin::timestamptz
                   ORDER BY p.business_date DESC LIMIT 1) p ON true
CROSS JOIN LATERAL (
    SELECT {{ moved_since }}
    FROM (SELECT e.kind, e.credits FROM {{ stamped_since }} AND coalesce(p.as_of, '-infinity') < @begin::timestamptz
          UNION ALL
          SELECT e.kind, e.credits FROM {{ late_since }} AND coalesce(p.as_of, '-infinity') < @begin::timestamptz) e) s
