-- Whether the whole ledger is to be summed: it is short, or it did not tie when the newest night before this one was closed.
SELECT coalesce((SELECT c.difference <> 0 FROM reconciler.control_totals c
                 WHERE c.business_date < @date::date AND c.control = @control::text
                 ORDER BY c.business_date DESC LIMIT 1), false)
       OR (SELECT count(*) FROM (SELECT 1 FROM source.credit_entries e WHERE e.created_at < @as_of::timestamptz LIMIT @many::bigint + 1) e) <= @many::bigint
